"""Starts jobs: one thread that wakes after changes and moves on every pipeline that it can.

A pipeline's jobs run one after the other, oldest first; jobs of different pipelines side by side. A job waits in STARTING
until every input commit is finished. A service's job ends when the next is ready; a spout runs for as long as it is the
pipeline's newest version and not stopped. A pipeline whose workers cannot start is CRASHING, and checked again twice a
second: other processes make images and folders, and send no notice.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading

from minipdk.common.home import Home
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps import crons, messages
from minipdk.services.pachyderm.pps.errors import JobFinishedError, NotReadyError
from minipdk.services.pachyderm.pps.jobs import Jobs
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.messages import job_state, pipeline_state
from minipdk.services.pachyderm.pps.model import Key, PipelineState
from minipdk.services.pachyderm.pps.store import Store
from minipdk.services.pachyderm.pps.worker.folders import pfs_folder, remove_folder
from minipdk.services.pachyderm.pps.worker.job_run import JobRun
from minipdk.services.pachyderm.pps.worker.plans import Planner
from minipdk.services.pachyderm.pps.worker.service_run import ServiceRun
from minipdk.services.pachyderm.pps.worker.spout_run import SpoutRun

logger = logging.getLogger(__name__)

RETRY_S = 0.5
STOP_TIMEOUT_S = 5.0


NOTHING_TO_RUN = "nothing to run: no transform.cmd"
"""The vendor's reason for the failure of a pipeline without a command, even if its image has a command."""


class Scheduler:
    """Runs the open jobs of ``store`` from `start` to `stop`."""

    def __init__(self, home: Home, pfs: Pfs, store: Store, logs: Logs, planner: Planner) -> None:
        self._home, self._pfs, self._store, self._logs, self._planner = home, pfs, store, logs, planner
        self.jobs = Jobs(store, pfs, self.wake, self.cancel)
        self._changed = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._runs: dict[Key, JobRun | SpoutRun] = {}
        self._thread = threading.Thread(target=self._loop, name="pps scheduler", daemon=True)

    def start(self) -> None:
        shutil.rmtree(pfs_folder(self._home), ignore_errors=True)
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
        """End the containers of a job that is terminal already."""
        if run := self.run_of(key):
            run.cancel()
        self.wake()

    def run_of(self, key: Key) -> JobRun | None:
        """The running job; None if it does not run now."""
        with self._lock:
            run = self._runs.get(key.pipeline_key)
        return run if isinstance(run, JobRun) and run.key == key else None

    def _loop(self) -> None:
        wait: float | None = None
        while not self._stopping:
            self._changed.wait(wait)
            self._changed.clear()
            try:
                wait = self._move_all()
            except Exception:
                logger.exception("the scheduler goes on after a fault")
                wait = RETRY_S

    def _move_all(self) -> float | None:
        """Move on every pipeline that can; returns the seconds after which to do so without a wake, None for never."""
        waits: list[float | None] = []
        jobs: dict[Key, list[wire.pps.JobInfo]] = {}
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

    def _give_way(
        self, run: JobRun | SpoutRun, pipeline: wire.pps.PipelineInfo | None, jobs: list[wire.pps.JobInfo]
    ) -> None:
        """End runs that do not end by themselves: an outdated spout, a service whose next job is ready."""
        if isinstance(run, SpoutRun) and not run.is_current(pipeline):
            run.cancel()
        if isinstance(run, ServiceRun):
            later = next((job for job in jobs if job.job.id != run.key.id), None)
            if later is not None and self._is_ready(later):
                with contextlib.suppress(JobFinishedError):
                    run.supersede()

    def _move_on(self, key: Key, pipeline: wire.pps.PipelineInfo, job: wire.pps.JobInfo | None) -> bool:
        """Move a pipeline that runs no job one step further; False when it is crashing."""
        state = wire.pps.PipelineState.Name(pipeline.state)
        if pipeline.stopped:
            self._set_state(key, "PIPELINE_PAUSED")
            return True
        if not pipeline.details.transform.cmd:
            self._fail(key)
            return True
        idle: PipelineState = "PIPELINE_STANDBY" if pipeline.details.autoscaling else "PIPELINE_RUNNING"
        settled = state == idle or state not in ("PIPELINE_STARTING", "PIPELINE_CRASHING", "PIPELINE_RUNNING")
        if job is None and settled and pipeline.type != messages.SPOUT:
            return True
        try:
            self._planner.check(pipeline)
            if pipeline.type == messages.SPOUT:
                self._run(key, pipeline)
            elif job is not None and self._is_ready(job):
                self._run(key, pipeline, job.job.id)
            self._set_state(key, idle if job is None else "PIPELINE_RUNNING")  # only now: it stays CRASHING between tries
        except NotReadyError as error:
            self._set_state(key, "PIPELINE_CRASHING", str(error))
            return False
        return True

    def _fail(self, key: Key) -> None:
        """Give up a pipeline that can never run, as pachd's worker does, until it is updated."""
        self._set_state(key, "PIPELINE_FAILURE", NOTHING_TO_RUN)
        self.jobs.stop_all(key, NOTHING_TO_RUN)

    def _is_ready(self, job: wire.pps.JobInfo) -> bool:
        """Whether a job's inputs are finished; a job whose inputs failed is ended."""
        key = Key.of_job(job.job)
        try:
            output = self._pfs.inspect_commit(messages.to_commit(job.output_commit))
            upstream = [self._pfs.inspect_commit(link.commit) for link in output.direct_provenance]
            if any(not info.finished for info in upstream):
                if job.state == job_state("JOB_CREATED"):
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

    def _run(self, key: Key, pipeline: wire.pps.PipelineInfo, job: str = "") -> None:
        """Start a job, or a spout if ``job`` is empty."""
        plan, folder = self._planner.make(pipeline, job)

        def done() -> None:
            if folder.exists():
                remove_folder(folder)
            with self._lock:
                del self._runs[key]
            self.wake()

        run: JobRun | SpoutRun
        if pipeline.type == messages.SPOUT:
            run = SpoutRun(self._pfs, self._logs, pipeline, plan, done)
        else:
            kind = ServiceRun if pipeline.type == messages.SERVICE else JobRun
            run = kind(
                pfs=self._pfs,
                store=self._store,
                jobs=self.jobs,
                logs=self._logs,
                pipeline=pipeline,
                plan=plan,
                done=done,
            )
        with self._lock:
            self._runs[key] = run
        run.start()

    def _set_state(self, key: Key, state: PipelineState, reason: str = "") -> None:
        """Set the pipeline's state, unless it has it already."""
        number = pipeline_state(state)
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
