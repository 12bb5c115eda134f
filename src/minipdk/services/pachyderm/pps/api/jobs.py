"""The calls about jobs and job sets."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pagination import first
from minipdk.services.pachyderm.pfs.model import Commit
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import Calls, job_key, listed_projects
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.waiting import Steps, Wait, waits


class JobCalls(Calls):
    """Jobs and job sets."""

    # Jobs

    @waits
    def inspect_job(self, request: wire.pps.InspectJobRequest, _context: object) -> Steps[wire.pps.JobInfo]:
        key = job_key(request.job)
        info = self._pps.jobs.get(key)
        if request.wait:
            info = yield from self._finished(key)
        yield self._answer(info, details=request.details)

    def _existing(self, key: Key) -> wire.pps.JobInfo:
        """A job that existed when the wait began."""
        try:
            return self._pps.jobs.get(key)
        except NotFoundError:
            raise PachydermError(f"job {key.id} was deleted") from None

    def _finished(self, key: Key) -> Wait[wire.pps.JobInfo]:
        """The job once it is terminal."""
        info: wire.pps.JobInfo | None = yield from self._pps.pfs.until(lambda: _if_terminal(self._existing(key)))
        assert info is not None
        return info

    def _answer(self, info: wire.pps.JobInfo, *, details: bool) -> wire.pps.JobInfo:
        """A JobInfo as clients see it: without its token, and with ``details`` if they ask for them."""
        if details:
            self._pps.jobs.add_details(info)
            if run := self._pps.scheduler.run_of(Key.of_job(info.job)):
                info.details.worker_status.extend(run.worker_status())
        info.auth_token = ""
        return info

    def list_job(self, request: wire.pps.ListJobRequest, _context: object) -> Iterator[wire.pps.JobInfo]:
        projects = listed_projects(request)
        key = Key.of(request.pipeline) if request.pipeline.name else None
        versions = {(Key.of(info.pipeline), info.version) for info in self._pps.pipelines.list(key, request.history)}
        input_commits = {messages.to_commit(commit) for commit in request.input_commit}
        matches = (
            info
            for info in self._pps.store.jobs(key, reverse=request.reverse)
            if (Key.of(info.job.pipeline), info.pipeline_version) in versions
            and _is_in(info, projects)
            and _after_marker(info, request)
            and (not input_commits or input_commits <= self._provenance(info))
        )
        for info in first(request.number, matches):
            yield self._answer(info, details=request.details)

    def _provenance(self, info: wire.pps.JobInfo) -> set[Commit]:
        """The commits that the commits of a job's commit set were made from."""
        return {link.commit for member in self._pps.pfs.commit_set(info.job.id) for link in member.direct_provenance}

    @waits
    def subscribe_job(self, request: wire.pps.SubscribeJobRequest, _context: object) -> Steps[wire.pps.JobInfo]:
        """Every open job of a pipeline once, as it appears, until the client goes away."""
        if not request.pipeline.name:
            raise PachydermError("pipeline must be specified")
        key = Key.of(request.pipeline)
        seen: set[str] = set()

        def fresh() -> list[wire.pps.JobInfo]:
            return [job for job in self._pps.store.open_jobs(key) if job.job.id not in seen]

        while True:
            for info in (yield from self._pps.pfs.until(fresh)):
                seen.add(info.job.id)
                yield self._answer(info, details=request.details)

    def stop_job(self, request: wire.pps.StopJobRequest, _context: object) -> wire.Empty:
        self._pps.jobs.stop(job_key(request.job), request.reason or "job stopped")
        return wire.Empty()

    def delete_job(self, request: wire.pps.DeleteJobRequest, _context: object) -> wire.Empty:
        key = job_key(request.job)
        self._pps.jobs.delete(key)
        self._pps.logs.delete_job(key)
        return wire.Empty()

    # Job sets

    @waits
    def inspect_job_set(self, request: wire.pps.InspectJobSetRequest, _context: object) -> Steps[wire.pps.JobInfo]:
        for info in list(self._pps.store.job_set(request.job_set.id)):
            finished = (yield from self._finished(Key.of_job(info.job))) if request.wait else info
            yield self._answer(finished, details=request.details)

    def list_job_set(self, request: wire.pps.ListJobSetRequest, _context: object) -> Iterator[wire.pps.JobSetInfo]:
        projects = listed_projects(request)
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        matches = (info for info in self._pps.store.jobs(reverse=request.reverse) if _after_marker(info, request))
        ids = dict.fromkeys(info.job.id for info in matches)
        sets = ((id_, [job for job in self._pps.store.job_set(id_) if _is_in(job, projects)]) for id_ in ids)
        for id_, jobs in first(request.number, ((id_, jobs) for id_, jobs in sets if jobs)):
            answers = [self._answer(job, details=request.details) for job in jobs]
            yield wire.pps.JobSetInfo(job_set=wire.pps.JobSet(id=id_), jobs=answers)


def _if_terminal(info: wire.pps.JobInfo) -> wire.pps.JobInfo | None:
    return info if messages.is_terminal(info.state) else None


def _is_in(info: wire.pps.JobInfo, projects: set[str]) -> bool:
    return not projects or info.job.pipeline.project.name in projects


def _after_marker(info: wire.pps.JobInfo, request: wire.pps.ListJobRequest | wire.pps.ListJobSetRequest) -> bool:
    """Whether a job comes after the request's pagination marker, in the request's direction."""
    if not request.HasField("pagination_marker"):
        return True
    at, marker = messages.nanoseconds(info.created), messages.nanoseconds(request.pagination_marker)
    return at > marker if request.reverse else at < marker
