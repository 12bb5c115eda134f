"""Conversions between the nouns of PFS and PPS and the protocol's messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.messages import file_info_message
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT, USER, Branch, Commit, Repo
from minipdk.services.pachyderm.pps.model import Datum, Key

NANOSECONDS = 1_000_000_000

job_state, pipeline_state, datum_state = wire.pps.JobState.Value, wire.pps.PipelineState.Value, wire.pps.DatumState.Value
"""The number of a state: ``job_state("JOB_RUNNING")``."""

TRANSFORM = wire.pps.PipelineInfoPipelineType.Value("PIPELINE_TYPE_TRANSFORM")
SERVICE = wire.pps.PipelineInfoPipelineType.Value("PIPELINE_TYPE_SERVICE")
SPOUT = wire.pps.PipelineInfoPipelineType.Value("PIPELINE_TYPE_SPOUT")
"""The types of pipelines."""

TERMINAL = frozenset({job_state(name) for name in ("JOB_SUCCESS", "JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE")})


def is_terminal(state: int) -> bool:
    """Whether a job in this JobState will not change any more."""
    return state in TERMINAL


def set_time(timestamp: wire.Timestamp | wire.Duration, nanoseconds: int) -> None:
    """Set a Timestamp or Duration field from integer nanoseconds."""
    timestamp.seconds, timestamp.nanos = divmod(nanoseconds, NANOSECONDS)


def nanoseconds(timestamp: wire.Timestamp | wire.Duration) -> int:
    """A Timestamp or Duration as integer nanoseconds."""
    return timestamp.seconds * NANOSECONDS + timestamp.nanos


def copy_fields(source: wire.Message, target: wire.Message, names: Collection[str]) -> None:
    """Copy the fields called ``names`` that are set in ``source``."""
    for field, value in source.ListFields():
        if field.name not in names:
            continue
        if field.label == field.LABEL_REPEATED:
            getattr(target, field.name).extend(cast("Iterable[object]", value))
        elif field.message_type:
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)


def service_of(details: wire.pps.PipelineInfoDetails) -> wire.pps.Service | None:
    """The Service message of a pipeline's details, or of its spout."""
    if details.HasField("service"):
        return details.service
    return details.spout.service if details.spout.HasField("service") else None


def pipeline(key: Key) -> wire.pps.Pipeline:
    return wire.pps.Pipeline(name=key.pipeline, project=wire.pfs.Project(name=key.project))


def job(key: Key) -> wire.pps.Job:
    return wire.pps.Job(pipeline=pipeline(key), id=key.id)


def repo(value: Repo) -> wire.pfs.Repo:
    return wire.pfs.Repo(name=value.name, type=value.type, project=wire.pfs.Project(name=value.project))


def commit(value: Commit, branch: Branch | None = None) -> wire.pfs.Commit:
    message = wire.pfs.Commit(repo=repo(value.repo), id=value.id)
    if branch is not None:
        message.branch.CopyFrom(wire.pfs.Branch(repo=repo(branch.repo), name=branch.name))
    return message


def to_commit(message: wire.pfs.Commit) -> Commit:
    """The handle of a Commit message."""
    owner = message.repo
    return Repo(owner.project.name or DEFAULT_PROJECT, owner.name, owner.type or USER).commit(message.id)


def datum_info(datum: Datum) -> wire.pps.DatumInfo:
    """A datum that no job has run."""
    info = wire.pps.DatumInfo(datum=wire.pps.Datum(id=datum.id), state=datum_state("UNKNOWN"))
    info.data.extend(file_info_message(file.file) for file in datum.inputs)
    return info
