"""Shared by the calls: the keys that requests name and their filters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.system import Pps


class Calls:
    """Some calls of pps_v2.API."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps


class ListRequest(Protocol):
    """A request to list things of some projects."""

    jq_filter: str

    @property
    def projects(self) -> Iterable[wire.pfs.Project]: ...


def pipeline_key(pipeline: wire.pps.Pipeline) -> Key:
    """The key of a Pipeline message that must be set."""
    if not pipeline.name:
        raise PachydermError("request.Pipeline cannot be nil: name a pipeline")
    return Key.of(pipeline)


def job_key(job: wire.pps.Job) -> Key:
    """The key of a Job message that must be set."""
    if not job.id:
        raise PachydermError("must specify a job")
    if not job.pipeline.name:
        raise PachydermError("pipeline must be specified for the given job")
    return Key.of_job(job)


def listed_projects(request: ListRequest) -> set[str]:
    """The projects that a list is limited to; empty for all. jq filters are refused."""
    if request.jq_filter:
        raise UnsupportedError("jq_filter")
    return {project.name or DEFAULT_PROJECT for project in request.projects}
