"""Jobs: made by a commit on a pipeline's output branch, moved through their states, stopped and described.

A job has the id of the commit set it belongs to. Its states are CREATED, STARTING (waiting for inputs), RUNNING, and the
four terminal ones SUCCESS, FAILURE, KILLED, UNRUNNABLE; a terminal job never changes. It ends in the same transaction that
finishes its output and meta commits.
"""

from __future__ import annotations

from collections.abc import Callable

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs import Contents, Pfs
from minipdk.services.pachyderm.pfs.model import META, USER, Commit, CommitInfo, Repo
from minipdk.services.pachyderm.pfs.transactions import Transaction
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.errors import JobFinishedError
from minipdk.services.pachyderm.pps.messages import is_terminal, job_state
from minipdk.services.pachyderm.pps.model import JobState, Key
from minipdk.services.pachyderm.pps.spec import inputs
from minipdk.services.pachyderm.pps.store import Store

DETAILS = frozenset(
    {
        "transform",
        "parallelism_spec",
        "egress",
        "service",
        "spout",
        "input",
        "resource_requests",
        "resource_limits",
        "sidecar_resource_limits",
        "sidecar_resource_requests",
        "datum_set_spec",
        "datum_timeout",
        "job_timeout",
        "scheduling_spec",
        "salt",
        "datum_tries",
        "pod_spec",
        "pod_patch",
    }
)
"""The details that a job shares with its pipeline's version."""


class Jobs:
    """The jobs of ``store``, whose commits are in ``pfs``.

    ``wake`` is called after a transaction that made work; ``cancel`` with the keys of jobs that were ended from outside.
    """

    def __init__(self, store: Store, pfs: Pfs, wake: Callable[[], None], cancel: Callable[[Key], None]) -> None:
        self._store, self._pfs, self.wake, self._cancel = store, pfs, wake, cancel
        pfs.on_commit_created.append(self._commit_created)
        pfs.on_commit_finished.append(self._commit_finished)
        pfs.on_commit_deleted.append(self._commit_deleted)

    def _commit_created(self, txn: Transaction, info: CommitInfo) -> None:
        """Make the job of a new output commit."""
        repo = info.commit.repo
        if repo.type != USER or info.finished:
            return
        pipeline = self._store.pipeline(Key(repo.project, repo.name))
        key = Key(repo.project, repo.name, info.commit.id)
        if pipeline is None or pipeline.type == messages.SPOUT:
            return
        if info.branch.name != pipeline.details.output_branch or self._store.job(key):
            return
        job = wire.pps.JobInfo(
            job=messages.job(key),
            pipeline_version=pipeline.version,
            output_commit=messages.commit(info.commit, info.branch),
            state=job_state("JOB_CREATED"),
            stats=wire.pps.ProcessStats(),
        )
        messages.set_time(job.created, txn.now // 1000 * 1000)  # the SDK's times are in microseconds
        self._store.put_job(job)
        txn.after(self.wake)

    def _commit_finished(self, txn: Transaction, _info: CommitInfo) -> None:
        txn.after(self.wake)

    def _commit_deleted(self, txn: Transaction, info: CommitInfo) -> None:
        """A job does not outlive its output commit."""
        repo = info.commit.repo
        key = Key(repo.project, repo.name, info.commit.id)
        if repo.type == USER and self._store.job(key):
            for fileset in self._store.delete_job(key):
                self._pfs.files.delete_fileset(fileset)
            txn.after(lambda: self._cancel(key))

    # Changing

    def advance(self, key: Key, state: JobState) -> wire.pps.JobInfo:
        """Move a job on to a state that is not terminal; returns its JobInfo. Raises JobFinishedError."""
        with self._pfs.transaction() as txn:
            job = self.unfinished(key)
            if job.state == job_state("JOB_RUNNING"):
                job.restart += 1  # a killed pachd left it behind
            if state == "JOB_RUNNING" and not job.HasField("started"):
                messages.set_time(job.started, txn.now)
            job.state = job_state(state)
            job.reason = ""
            self._store.put_job(job)
            return job

    def finish(
        self, key: Key, state: JobState, reason: str = "", filesets: list[str] | None = None, since: Contents | None = None
    ) -> None:
        """End a job: its commits get their contents and are finished, with ``reason`` as their error.

        ``since`` are the contents of an earlier job's output, which are mostly the same. Raises JobFinishedError.
        """
        with self._pfs.transaction() as txn:
            job = self.unfinished(key)
            output = messages.to_commit(job.output_commit)
            if filesets is not None:
                self._pfs.set_contents(output, filesets, since)
            if refused := self._finish_commits(output, reason):
                state, reason = ("JOB_FAILURE", refused) if state == "JOB_SUCCESS" else (state, reason)
            if not job.HasField("started"):
                messages.set_time(job.started, txn.now)
            messages.set_time(job.finished, txn.now)
            job.state, job.reason = job_state(state), reason
            self._store.put_job(job)
            txn.after(self.wake)

    def stop(self, key: Key, reason: str) -> None:
        """Kill a job. One that has finished stays as it is."""
        with self._pfs.transaction() as txn:
            if not is_terminal(self.get(key).state):
                self.finish(key, "JOB_KILLED", reason)
                txn.after(lambda: self._cancel(key))

    def stop_all(self, pipeline: Key, reason: str) -> None:
        """Kill every unfinished job of a pipeline."""
        with self._pfs.transaction():
            for job in self._store.open_jobs(pipeline):
                self.stop(Key.of_job(job.job), reason)

    def delete(self, key: Key) -> None:
        with self._pfs.transaction():
            self.stop(key, "job deleted")
            for fileset in self._store.delete_job(key):
                self._pfs.files.delete_fileset(fileset)

    def _finish_commits(self, output: Commit, error: str) -> str:
        """Finish a job's meta and output commits; returns the output's error: why its contents were refused, or ""."""
        meta = Repo(output.repo.project, output.repo.name, META).commit(output.id)
        for commit in (meta, output):
            try:
                if not self._pfs.inspect_commit(commit).finished:
                    self._pfs.finish_commit(commit, error=error, force=True)
            except NotFoundError:
                continue  # deleted, by a squash or with its repo
        return self._error_of(output)

    def _error_of(self, output: Commit) -> str:
        try:
            return self._pfs.inspect_commit(output).error
        except NotFoundError:
            return ""

    # Looking up

    def get(self, key: Key) -> wire.pps.JobInfo:
        """The JobInfo, without details. Raises NotFoundError."""
        if (job := self._store.job(key)) is None:
            raise NotFoundError(f"jobs {key} not found")
        return job

    def unfinished(self, key: Key) -> wire.pps.JobInfo:
        """The JobInfo of a job that is about to change. Raises NotFoundError or JobFinishedError."""
        job = self.get(key)
        if is_terminal(job.state):
            raise JobFinishedError(key)
        return job

    def add_details(self, job: wire.pps.JobInfo) -> None:
        """Add to ``job`` the details of its pipeline's version."""
        key = Key.of_job(job.job)
        pipeline = self._store.pipeline(key, job.pipeline_version)
        if pipeline is None:
            raise NotFoundError(f'pipeline "{key.pipeline_key}" not found')
        messages.copy_fields(pipeline.details, job.details, DETAILS)
        for leaf in inputs.leaves(job.details.input):
            (leaf.pfs if leaf.HasField("pfs") else leaf.cron).commit = key.id
