"""Starts jobs: one thread that wakes when something has changed and looks what can go on.

A pipeline's jobs run one after the other, oldest first; those of different pipelines side by side. A job waits in STARTING
until every input commit is finished. A service's job ends when the next is ready; a spout runs for as long as it is the
pipeline's newest version and not stopped. A pipeline whose workers cannot start is CRASHING, and looked at again twice a
second: images and folders are made by other processes, which do not tell.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import shutil
import threading
from collections.abc import Callable
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pps import crons, messages
from minipdk.services.pachyderm.pps.jobs import JobFinishedError, Jobs
from minipdk.services.pachyderm.pps.messages import enum
from minipdk.services.pachyderm.pps.parts import Parts
from minipdk.services.pachyderm.pps.store import Key
from minipdk.services.pachyderm.pps.worker.job_run import JobRun
from minipdk.services.pachyderm.pps.worker.plans import NotReadyError, Planner
from minipdk.services.pachyderm.pps.worker.service_run import ServiceRun
from minipdk.services.pachyderm.pps.worker.spout_run import SpoutRun
from minipdk.services.pachyderm.pps.worker.user_code import pfs_folder, remove_folder

logger = logging.getLogger(__name__)

RETRY_S = 0.5
STOP_TIMEOUT_S = 5.0


class Scheduler:
    """Runs the open jobs of ``store`` from `start` to `stop`."""

    def __init__(self, parts: Parts, planner: Planner) -> None:
        self._parts, self._planner = parts, planner
        self._pfs, self._store = parts.pfs, parts.store
        self.jobs = Jobs(parts.store, parts.pfs, self.wake, self.cancel)
        self._changed = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._runs: dict[Key, JobRun | SpoutRun] = {}
        self._thread = threading.Thread(target=self._loop, name="pps scheduler", daemon=True)

    def start(self) -> None:
        shutil.rmtree(pfs_folder(self._parts.home), ignore_errors=True)
        self._changed.set()
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more and end the containers; their jobs go on after the next start."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        for run in runs:
            run.join(STOP_TIMEOUT_S)

    def wake(self) -> None:
        self._changed.set()

    def cancel(self, key: Key) -> None:
        """End the containers of a job that has been ended from outside."""
        if run := self.run_of(key):
            run.cancel()
        self.wake()

    def run_of(self, key: Key) -> JobRun | None:
        """The job as it is being run now."""
        with self._lock:
            run = self._runs.get(Key(key.project, key.pipeline))
        return run if isinstance(run, JobRun) and run.key == key else None

    def _loop(self) -> None:
        wait: float | None = None
        while not self._stopping:
            self._changed.wait(wait)
            self._changed.clear()
            try:
                wait = self._look()
            except Exception:
                logger.exception("the scheduler goes on after a fault")
                wait = RETRY_S

    def _look(self) -> float | None:
        """Move on whatever can move on; in how many seconds to look again without being told, None for never."""
        waits: list[float | None] = []
        jobs: dict[Key, list[Any]] = {}
        for job in self._store.open_jobs():
            jobs.setdefault(Key.of(job.job.pipeline), []).append(job)
        pipelines = {Key.of(pipeline.pipeline): pipeline for pipeline in self._store.pipelines()}
        with self._lock:
            runs = dict(self._runs)
        for key, run in runs.items():
            self._give_way(run, pipelines.get(key), jobs.get(key, []))
        for key, pipeline in pipelines.items():
            if self._stopping:
                return None
            if key not in runs:
                waits.append(None if self._move_on(key, pipeline, next(iter(jobs.get(key, [])), None)) else RETRY_S)
            waits.append(crons.fire_due(self._pfs, pipeline))
        return min((wait for wait in waits if wait is not None), default=None)

    def _give_way(self, run: JobRun | SpoutRun, pipeline: Any | None, jobs: list[Any]) -> None:
        """End what would not end by itself: a spout that is not to run any more, a service whose next job is ready."""
        if isinstance(run, SpoutRun) and not run.is_current(pipeline):
            run.cancel()
        if isinstance(run, ServiceRun):
            later = next((job for job in jobs if job.job.id != run.key.id), None)
            if later is not None and self._is_ready(later):
                with contextlib.suppress(JobFinishedError):
                    run.supersede()

    def _move_on(self, key: Key, pipeline: Any, job: Any | None) -> bool:
        """Take a pipeline that runs no job one step further; False when it is crashing."""
        state = wire.pps.PipelineState.Name(pipeline.state)
        if pipeline.stopped:
            self._set_state(key, "PIPELINE_PAUSED")
            return True
        idle = "PIPELINE_STANDBY" if pipeline.details.autoscaling else "PIPELINE_RUNNING"
        settled = state == idle or state not in ("PIPELINE_STARTING", "PIPELINE_CRASHING", "PIPELINE_RUNNING")
        if job is None and settled and pipeline.type != messages.SPOUT:
            return True
        try:
            self._planner.check(pipeline)
            if pipeline.type == messages.SPOUT:
                self._run(key, pipeline, SpoutRun)
            elif job is not None and self._is_ready(job):
                kind = ServiceRun if pipeline.type == messages.SERVICE else JobRun
                self._run(key, pipeline, functools.partial(kind, jobs=self.jobs), job.job.id)
            self._set_state(key, idle if job is None else "PIPELINE_RUNNING")  # only now: it stays CRASHING between tries
        except NotReadyError as error:
            self._set_state(key, "PIPELINE_CRASHING", str(error))
            return False
        return True

    def _is_ready(self, job: Any) -> bool:
        """Whether a job's inputs are there; one whose inputs failed is ended."""
        key = Key.of(job.job.pipeline, job.job.id)
        try:
            output = self._pfs.inspect_commit(messages.to_commit(job.output_commit))
            upstream = [self._pfs.inspect_commit(commit) for commit in output.direct_provenance]
            if any(not info.finished for info in upstream):
                if job.state == enum("JobState", "JOB_CREATED"):
                    self.jobs.advance(key, "JOB_STARTING")
                return False
            if failed := sorted({info.commit.repo.name for info in upstream if info.error}):
                reason = f"unrunnable because the following upstream pipelines failed: {', '.join(failed)}"
                self.jobs.finish(key, "JOB_UNRUNNABLE", reason)
                return False
        except JobFinishedError:
            return False
        except NotFoundError:
            logger.info("the output commit of job %s is gone", key)
            return False
        return True

    def _run(self, key: Key, pipeline: Any, kind: Callable[..., JobRun | SpoutRun], job: str = "") -> None:
        plan, folder = self._planner.make(pipeline, job)

        def done() -> None:
            if folder.exists():
                remove_folder(folder)
            with self._lock:
                del self._runs[key]
            self.wake()

        run = kind(parts=self._parts, pipeline=pipeline, plan=plan, done=done)
        with self._lock:
            self._runs[key] = run
        run.start()

    def _set_state(self, key: Key, state: str, reason: str = "") -> None:
        """Note the pipeline's state, unless it has it already."""
        number = enum("PipelineState", state)
        pipeline = self._store.pipeline(key)
        if pipeline is None or (pipeline.state, pipeline.reason) == (number, reason):
            return
        try:
            with self._pfs.transaction() as txn:
                pipeline = self._store.pipeline(key)
                if pipeline is None or (pipeline.stopped and state != "PIPELINE_PAUSED"):
                    return
                pipeline.state, pipeline.reason = number, reason
                pipeline.details.ClearField("workers_started_at")
                if state in ("PIPELINE_RUNNING", "PIPELINE_CRASHING"):
                    messages.set_time(pipeline.details.workers_started_at, txn.now)
                self._store.put_pipeline(pipeline)
                txn.after(self.wake)
        except PachydermError as error:
            logger.warning("pipeline %s: %s", key, error)
