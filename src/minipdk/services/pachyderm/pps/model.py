"""PPS's nouns: keys of pipelines and jobs, states, and datums.

A version of a pipeline and a job have no classes here: they are the protocol's PipelineInfo and JobInfo messages. Clients
read back every field of a spec, also fields that minipdk only echoes, so `store` keeps the messages whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT, Commit, FileInfo

HASH_BYTES = 32

JobState = Literal["JOB_STARTING", "JOB_RUNNING", "JOB_SUCCESS", "JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE"]
PipelineState = Literal["PIPELINE_RUNNING", "PIPELINE_STANDBY", "PIPELINE_PAUSED", "PIPELINE_CRASHING", "PIPELINE_FAILURE"]
DatumState = Literal["SUCCESS", "FAILED", "RECOVERED"]
"""The states that PPS moves jobs and pipelines to, and in which a datum ends."""


@dataclass(frozen=True)
class Key:
    """A pipeline, or one of its jobs when ``id`` is set. ``str()`` is the vendor's wording."""

    project: str
    pipeline: str
    id: str = ""

    def __str__(self) -> str:
        name = f"{self.project}/{self.pipeline}"
        return f"{name}@{self.id}" if self.id else name

    @staticmethod
    def of(pipeline: wire.pps.Pipeline, id: str = "") -> Key:  # noqa: A002 - the vendor's name for it
        """The key of a Pipeline message; an unset project is the default one."""
        return Key(pipeline.project.name or DEFAULT_PROJECT, pipeline.name, id)

    @staticmethod
    def of_job(job: wire.pps.Job) -> Key:
        """The key of a Job message."""
        return Key.of(job.pipeline, job.id)

    @property
    def pipeline_key(self) -> Key:
        """The key of a job's pipeline."""
        return Key(self.project, self.pipeline)


@dataclass(frozen=True)
class DatumInput:
    """One input file (or directory) of a datum, with the name and branch of its input."""

    name: str
    branch: str
    file: FileInfo
    empty_files: bool = False
    reference: bool = False
    join_on: str = ""
    group_by: str = ""
    outer_join: bool = False
    s3: bool = False

    @property
    def path(self) -> str:
        """Absolute in its repo; a directory's ends in "/"."""
        return self.file.path

    @property
    def commit(self) -> Commit:
        return self.file.commit


@dataclass(frozen=True)
class Datum:
    """A unit of work: input files, in the order of their inputs' names in the spec.

    Its id is a hash of the names, repos, branches and paths of its inputs; its hash adds the contents of the files and the
    pipeline's salt. A datum whose hash was processed before is skipped.
    """

    inputs: tuple[DatumInput, ...]

    @cached_property
    def id(self) -> str:
        parts = (
            part.encode() for file in self.inputs for part in (file.name, file.commit.repo.name, file.branch, file.path)
        )
        joined = b"".join(part + len(part).to_bytes(8, "big") for part in parts)
        return hashlib.blake2b(joined, digest_size=HASH_BYTES).hexdigest()

    def hash(self, salt: str) -> str:
        """The hash that decides whether the datum is skipped: ids, contents and ``salt``."""
        digest = hashlib.blake2b(self.id.encode(), digest_size=HASH_BYTES)
        for file in self.inputs:
            if not file.reference:
                digest.update(file.file.hash)
        digest.update(salt.encode())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        return sum(file.file.size for file in self.inputs)


@dataclass(frozen=True)
class StoredDatum:
    """A datum that a job has run: its row, identity, state (a DatumState number), and the file set of its output."""

    row: int
    id: str
    hash: str
    state: int
    fileset: str | None


class StoredDefaults(NamedTuple):
    """Defaults for pipelines: JSON as it was set, when (ns since 1970; 0: never) and by whom."""

    json: str
    created: int = 0
    created_by: str = ""
