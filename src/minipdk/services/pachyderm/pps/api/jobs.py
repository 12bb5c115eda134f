"""The calls about jobs and job sets, as the protocol has them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import allowed, gone, job_key
from minipdk.services.pachyderm.pps.store import Key, is_terminal

if TYPE_CHECKING:
    from minipdk.services.pachyderm.pps import Pps


class JobCalls:
    """Jobs and job sets."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

    # Jobs

    def inspect_job(self, request: Any, context: Any) -> Any:
        key = job_key(request.job)
        info = self._pps.jobs.get(key)
        if request.wait:
            info = self._finished(key, context) or info
        return self._described(info) if request.details else _public(info)

    def _existing(self, key: Key) -> Any:
        """A job that was there when the wait began."""
        try:
            return self._pps.jobs.get(key)
        except NotFoundError:
            raise PachydermError(f"job {key.id} was deleted") from None

    def _finished(self, key: Key, context: Any) -> Any:
        """The job once it is terminal; None when the client has gone away."""
        return self._wait(context, lambda: _if_terminal(self._existing(key)))

    def _wait(self, context: Any, predicate: Callable[[], Any]) -> Any:
        """The value of ``predicate`` once true; None when the client has gone away."""
        return self._pps.pfs.wait(predicate, stop=gone(context))

    def _described(self, info: Any) -> Any:
        info = self._pps.jobs.add_details(info)
        if run := self._pps.scheduler.run_of(Key.of(info.job.pipeline, info.job.id)):
            info.details.worker_status.extend(run.worker_status())
        return _public(info)

    def list_job(self, request: Any, _context: Any) -> Iterator[Any]:
        projects = allowed(request)
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        key = Key.of(request.pipeline) if request.pipeline.name else None
        versions = {(Key.of(info.pipeline), info.version) for info in self._pps.pipelines.list(key, request.history)}
        wanted = {messages.to_commit(commit) for commit in request.input_commit}
        found = (
            info
            for info in self._pps.store.jobs(key, reverse=request.reverse)
            if (Key.of(info.job.pipeline), info.pipeline_version) in versions
            and (not projects or info.job.pipeline.project.name in projects)
            and _after_marker(info.created, request)
            and (not wanted or wanted <= self._provenance(info))
        )
        for info in itertools.islice(found, request.number or None):
            yield self._described(info) if request.details else _public(info)

    def _provenance(self, info: Any) -> set[Any]:
        """What the commits of a job's commit set were made from."""
        return {commit for one in self._pps.pfs.commit_set(info.job.id) for commit in one.direct_provenance}

    def subscribe_job(self, request: Any, context: Any) -> Iterator[Any]:
        """Every open job of a pipeline once, as it appears, until the client goes away."""
        if not request.pipeline.name:
            raise PachydermError("pipeline must be specified")
        key = Key.of(request.pipeline)
        seen: set[str] = set()
        while context.is_active():
            fresh = self._wait(context, lambda: [one for one in self._pps.store.open_jobs(key) if one.job.id not in seen])
            for info in fresh or []:
                seen.add(info.job.id)
                yield self._described(info) if request.details else _public(info)

    def stop_job(self, request: Any, _context: Any) -> Any:
        self._pps.jobs.stop(job_key(request.job), request.reason or "job stopped")
        return wire.Empty()

    def delete_job(self, request: Any, _context: Any) -> Any:
        key = job_key(request.job)
        self._pps.jobs.delete(key)
        self._pps.logs.delete_job(key)
        return wire.Empty()

    # Job sets

    def inspect_job_set(self, request: Any, context: Any) -> Iterator[Any]:
        for found in list(self._pps.store.job_set(request.job_set.id)):
            info, key = found, Key.of(found.job.pipeline, found.job.id)
            if request.wait:
                info = self._finished(key, context) or info
            yield self._described(info) if request.details else _public(info)

    def list_job_set(self, request: Any, _context: Any) -> Iterator[Any]:
        projects = allowed(request)
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        ids: dict[str, None] = {}
        for info in self._pps.store.jobs(reverse=request.reverse):
            if _after_marker(info.created, request):
                ids.setdefault(info.job.id)
        sets = ((id_, [one for one in self._pps.store.job_set(id_) if _in(one, projects)]) for id_ in ids)
        for id_, jobs in itertools.islice(((id_, jobs) for id_, jobs in sets if jobs), request.number or None):
            described = [self._described(one) if request.details else _public(one) for one in jobs]
            yield wire.pps.JobSetInfo(job_set=wire.pps.JobSet(id=id_), jobs=described)


def _if_terminal(info: Any) -> Any | None:
    return info if is_terminal(info.state) else None


def _public(info: Any) -> Any:
    info.auth_token = ""
    return info


def _in(info: Any, projects: set[str]) -> bool:
    return not projects or info.job.pipeline.project.name in projects


def _after_marker(created: Any, request: Any) -> bool:
    """Whether a job comes after the request's pagination marker, in the request's direction."""
    if not request.HasField("pagination_marker"):
        return True
    at, marker = messages.nanoseconds(created), messages.nanoseconds(request.pagination_marker)
    return at > marker if request.reverse else at < marker
