"""Jobs: accepted, listed and ended here; run as Pods by `runner` and as builds by `builds`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from minipdk.services.neuro.errors import InvalidArgumentError, NotFoundError
from minipdk.services.neuro.jobs import builds, submission
from minipdk.services.neuro.jobs.logs import Logs
from minipdk.services.neuro.jobs.presets import Preset
from minipdk.services.neuro.model import Job, Status, Transition
from minipdk.services.neuro.names import CLUSTER, ORGANIZATION, PROJECT
from minipdk.services.neuro.storage import Storage
from minipdk.services.neuro.store import NameTakenError, Store

MOST_ENDED = 1000
"""Ended jobs that are remembered, with their logs."""


@dataclass(frozen=True)
class Filter:
    """The jobs that a client asks for; an empty part admits any. ``since`` and ``until`` are about their creation."""

    statuses: frozenset[str] = frozenset()
    name: str = ""
    owners: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    clusters: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    reverse: bool = False
    limit: int | None = None

    def admits(self, job: Job) -> bool:
        created = datetime.fromtimestamp(job.created_at, UTC)
        return (
            (not self.owners or job.owner in self.owners)
            and self.tags <= set(job.tags)
            and (self.since is None or created >= self.since)
            and (self.until is None or created <= self.until)
        )

    @property
    def is_elsewhere(self) -> bool:
        """Whether it asks for another cluster, organization or project alone."""
        places = ((self.clusters, CLUSTER), (self.organizations, ORGANIZATION), (self.projects, PROJECT))
        return any(asked and own not in asked for asked, own in places)


class Jobs:
    """The jobs of the ``store``. ``changed`` is called with the id of a job that has something to be done for it."""

    def __init__(self, store: Store, storage: Storage, logs: Logs) -> None:
        self._store, self._storage, self._logs = store, storage, logs
        self.changed: Callable[[str], None] = lambda _job_id: None

    def submit(self, request: dict[str, Any], owner: str, presets: dict[str, Preset]) -> Job:
        """Accept a job, which is then on disk. Raises PlatformError."""
        job = submission.new_job(request, owner, presets, self._storage)
        if builds.is_build(job):
            builds.check(job)
        try:
            self._store.insert(job)
        except NameTakenError:
            raise InvalidArgumentError(
                f"a job with the name {job.name!r} is pending or running: end it with `neuro kill {job.name}`, "
                "or choose another name"
            ) from None
        for old in self._store.remove_oldest(MOST_ENDED):
            self._logs.remove(old)
        return job

    def get(self, job_id: str) -> Job:
        """Raises NotFoundError."""
        if job := self._store.get(job_id):
            return job
        raise NotFoundError(f"there is no job {job_id!r}: `neuro ps -a` lists all")

    def search(self, criteria: Filter) -> list[Job]:
        """The jobs that ``criteria`` admits, the oldest first, or with ``reverse`` the newest."""
        if criteria.is_elsewhere:
            return []
        jobs = self._store.select(statuses=sorted(criteria.statuses), name=criteria.name)
        admitted = [job for job in jobs if criteria.admits(job)]
        if criteria.reverse:
            admitted.reverse()
        return admitted[: criteria.limit] if criteria.limit is not None else admitted

    def active(self) -> Iterable[Job]:
        return self._store.active()

    def cancel(self, job_id: str) -> None:
        """End a job that has not ended; its Pod ends afterwards. Raises NotFoundError."""
        with self._store.transaction():
            if not self.get(job_id).status.is_final:
                self.enter(job_id, Transition(Status.CANCELLED, time.time()))

    def extend(self, job_id: str, minutes: int) -> None:
        """Let a job run for more minutes. Raises PlatformError."""
        with self._store.transaction():
            job = self.get(job_id)
            if job.max_run_time_minutes is None or job.status.is_final:
                raise InvalidArgumentError(f"job {job_id} has ended, or has no limit of its run time")
            longer = job.max_run_time_minutes + minutes
            if longer > submission.MOST_MINUTES:
                raise InvalidArgumentError(f"a job may run for {submission.MOST_MINUTES} minutes at most")
            self._store.update(replace(job, max_run_time_minutes=longer))

    def enter(self, job_id: str, transition: Transition) -> bool:
        """Record a job's change of state; False if it has ended, or the change is none."""
        with self._store.transaction():
            job = self._store.get(job_id)
            if job is None or job.status.is_final or _same(job.current, transition):
                return False
            self._store.add_transition(job_id, transition)
            return True

    def set_pod(self, job_id: str, uid: str) -> None:
        self._store.set_pod(job_id, uid)


def _same(first: Transition, second: Transition) -> bool:
    return replace(first, time=0.0) == replace(second, time=0.0)
