"""PPS's small conversions between PFS's nouns and the protocol's messages."""

from __future__ import annotations

from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.model import Branch, Commit, FileInfo, Repo
from minipdk.services.pachyderm.pps.store import Key

NANOSECONDS = 1_000_000_000


def enum(name: str, value: str) -> int:
    """The number of a PPS enum's value: ``enum("JobState", "JOB_RUNNING")``."""
    number: int = getattr(wire.pps, name).Value(value)
    return number


TRANSFORM, SERVICE, SPOUT = (
    enum("PipelineInfoPipelineType", f"PIPELINE_TYPE_{name}") for name in ("TRANSFORM", "SERVICE", "SPOUT")
)
"""What PipelineInfo.type may be."""


def set_time(timestamp: Any, nanoseconds: int) -> None:
    """Set a Timestamp or Duration field from integer nanoseconds."""
    timestamp.seconds, timestamp.nanos = divmod(nanoseconds, NANOSECONDS)


def nanoseconds(timestamp: Any) -> int:
    """A Timestamp or Duration as integer nanoseconds."""
    return int(timestamp.seconds) * NANOSECONDS + int(timestamp.nanos)


def pipeline(key: Key) -> Any:
    return wire.pps.Pipeline(name=key.pipeline, project=wire.pfs.Project(name=key.project))


def job(key: Key) -> Any:
    return wire.pps.Job(pipeline=pipeline(key), id=key.id)


def repo(value: Repo) -> Any:
    return wire.pfs.Repo(name=value.name, type=value.type, project=wire.pfs.Project(name=value.project))


def commit(value: Commit, branch: Branch | None = None) -> Any:
    message = wire.pfs.Commit(repo=repo(value.repo), id=value.id)
    if branch is not None:
        message.branch.CopyFrom(wire.pfs.Branch(repo=repo(branch.repo), name=branch.name))
    return message


def to_commit(message: Any) -> Commit:
    """The handle of a Commit message."""
    return Repo(message.repo.project.name or "default", message.repo.name, message.repo.type or "user").commit(message.id)


def file_info(value: FileInfo) -> Any:
    message = wire.pfs.FileInfo(
        file=wire.pfs.File(commit=commit(value.commit), path=value.path),
        file_type=wire.pfs.FileType.Value("DIR" if value.is_dir else "FILE"),
        size_bytes=value.size,
        hash=value.hash,
    )
    set_time(message.committed, value.committed)
    return message
