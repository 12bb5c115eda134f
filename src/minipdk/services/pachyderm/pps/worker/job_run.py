"""Runs one job: which of its datums there are, which an earlier job has done, the rest in parallel, and the end of it.

Every finished datum is on disk with its output before it is counted, so a job that a killed pachd left behind goes on with
the datums that are missing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Contents
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.datum_sets import datum_sets
from minipdk.services.pachyderm.pps.datums import Datum, enumerate_datums
from minipdk.services.pachyderm.pps.globbing import Globber, branch_of
from minipdk.services.pachyderm.pps.jobs import JobFinishedError, Jobs
from minipdk.services.pachyderm.pps.logs import MASTER
from minipdk.services.pachyderm.pps.messages import enum
from minipdk.services.pachyderm.pps.parts import Parts
from minipdk.services.pachyderm.pps.spec import inputs
from minipdk.services.pachyderm.pps.spec.validation import EVERY_JOB
from minipdk.services.pachyderm.pps.store import Key, StoredDatum, is_terminal
from minipdk.services.pachyderm.pps.worker.batching import Batch, BatchedRun
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun, Result, StoppedError
from minipdk.services.pachyderm.pps.worker.user_code import Plan
from minipdk.services.pachyderm.s3.job_buckets import JobView

logger = logging.getLogger(__name__)


class JobRun:
    """A job being run, in a thread of its own from `start` on; ``done`` is called at the end, however it ends."""

    def __init__(self, parts: Parts, jobs: Jobs, pipeline: Any, plan: Plan, done: Callable[[], None]) -> None:
        self._parts, self._jobs, self._pipeline, self._plan, self._done = parts, jobs, pipeline, plan, done
        self._pfs, self._store = parts.pfs, parts.store
        self.key = Key.of(pipeline.pipeline, plan.worker.job)
        self._log = parts.logs.job(self.key)
        self._lock = threading.Lock()
        self._cancelled = False
        self._running: dict[str, DatumRun] = {}
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._main, name=f"job {self.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def cancel(self) -> None:
        """End the job's containers and start no more; its state has been or will be set by whoever cancels."""
        with self._lock:
            self._cancelled = True
            running = list(self._running.values())
        for run in running:
            threading.Thread(target=run.cancel, daemon=True).start()

    def restart_datums(self, filters: Iterable[str]) -> int:
        """End the running tries of the datums that hold every one of these paths or hashes; returns how many."""
        wanted = list(filters)
        with self._lock:
            running = list(self._running.values())
        matching = [run for run in running if run.matches(wanted)]
        for run in matching:
            run.restart()
        return len(matching)

    def worker_status(self) -> list[Any]:
        """WorkerStatus messages of the workers that are on a datum now."""
        with self._lock:
            running = list(self._running.values())
        return [run.status() for run in running]

    def _main(self) -> None:
        timer = None
        try:
            job = self._jobs.advance(self.key, "JOB_RUNNING")
            timer = self._arm_timeout(job)
            self._process()
        except (JobFinishedError, StoppedError):
            logger.info("job %s was ended from outside", self.key)
        except PachydermError as error:
            self._fail(str(error))
        except Exception as error:
            logger.exception("job %s failed", self.key)
            self._fail(f"minipdk could not run the job: {type(error).__name__}: {error}")
        finally:
            if timer is not None:
                timer.cancel()
            self._log.close()
            self._done()

    def _fail(self, reason: str) -> None:
        try:
            self._jobs.finish(self.key, "JOB_FAILURE", reason)
        except PachydermError as error:
            logger.info("job %s: %s", self.key, error)

    def _arm_timeout(self, job: Any) -> threading.Timer | None:
        details = self._pipeline.details
        if not details.HasField("job_timeout"):
            return None
        end = messages.nanoseconds(job.started) + messages.nanoseconds(details.job_timeout)
        timer = threading.Timer(max(0.0, (end - time.time_ns()) / 1e9), self._jobs.stop, (self.key, "job timed out"))
        timer.daemon = True
        timer.start()
        return timer

    # The datums

    def _process(self) -> None:
        globber = Globber(self._pfs, messages.to_commit(self._jobs.get(self.key).output_commit))
        datums = list(enumerate_datums(self._pipeline.details.input, globber))
        if self._plan.s3_out:
            self._empty_output()
        base = None if self._plan.s3_out or self._pipeline.details.reprocess_spec == EVERY_JOB else self._base()
        before = self._store.datums(base) if base else {}
        filesets, todo = self._sort_out(datums, before)
        for stored in self._run_all(todo):
            filesets.append(stored)
        if self._failed is not None:
            self._say(f"failing job with reason: {self._failed}")
            self._jobs.finish(self.key, "JOB_FAILURE", self._failed)
            return
        self._say("job successful, closing commits")
        if self._plan.s3_out:
            self._jobs.finish(self.key, "JOB_SUCCESS")
        else:
            self._jobs.finish(self.key, "JOB_SUCCESS", filesets=filesets, since=self._contents(base, before))

    def _empty_output(self) -> None:
        """Begin a job that writes through S3: which datum wrote what is not known, so all are run, from nothing."""
        with self._pfs.transaction():
            self._pfs.set_contents(messages.to_commit(self._jobs.get(self.key).output_commit), [])
            self._store.forget_datums(self.key, (one.row for one in self._store.datums(self.key).values()))

    @cached_property
    def s3_view(self) -> JobView:
        """The buckets that the job's user code sees."""
        output = messages.to_commit(self._jobs.get(self.key).output_commit)
        globber = Globber(self._pfs, output)
        leaves = [leaf.pfs for leaf in inputs.leaves(self._pipeline.details.input) if leaf.HasField("pfs") and leaf.pfs.s3]
        commits = {leaf.name: globber.commit(branch_of(leaf)) for leaf in leaves}
        return JobView(commits, output if self._plan.s3_out else None)

    def _contents(self, base: Key | None, datums: dict[str, StoredDatum]) -> Contents | None:
        """What a job that succeeded wrote."""
        if base is None:
            return None
        output = messages.to_commit(self._jobs.get(self.key).output_commit).repo.commit(base.id)
        return Contents(output, [one.fileset for one in datums.values() if one.fileset])

    def _say(self, message: str) -> None:
        self._log.write(f"{self.key.project}-{self.key.pipeline}-v{self._pipeline.version}-master", None, message, MASTER)

    def _sort_out(self, datums: list[Datum], base: dict[str, StoredDatum]) -> tuple[list[str], list[tuple[Datum, str]]]:
        """The file sets of datums done before, by this job or the one it builds on, and the datums (and hashes) to run."""
        details = self._pipeline.details
        hashes = {datum.id: datum.hash(details.salt) for datum in datums}
        mine = self._keep_own(hashes)
        known = self._store.datums(self.key) | base  # its own: what it had skipped before it was taken up again
        success = enum("DatumState", "SUCCESS")
        skipped: list[StoredDatum] = []
        todo: list[tuple[Datum, str]] = []
        for datum in datums:
            before = known.get(datum.id)
            if datum.id in mine:
                continue
            if before and before.hash == hashes[datum.id] and before.state == success:
                skipped.append(before)
            else:
                todo.append((datum, hashes[datum.id]))
        with self._pfs.db.transaction():
            self._store.set_skipped(self.key, (one.row for one in skipped))
            self._recount(len(datums), len(skipped))
        self._say(f"{len(datums)} datums: {len(skipped)} done by an earlier job, {len(todo)} to process")
        return [one.fileset for one in (*mine.values(), *skipped) if one.fileset], todo

    def _keep_own(self, hashes: dict[str, str]) -> dict[str, StoredDatum]:
        """The datums that this job itself had done before pachd was killed; those that failed are run again."""
        failed = enum("DatumState", "FAILED")
        stored = self._store.datums(self.key, skipped=False)
        stale = [one for one in stored.values() if one.state == failed or hashes.get(one.id) != one.hash]
        self._store.forget_datums(self.key, (one.row for one in stale))
        return {one.id: one for one in stored.values() if one not in stale}

    def _base(self) -> Key | None:
        """The newest job before this one that succeeded; None also if the file sets of its datums are not known."""
        older = False
        for job in self._store.jobs(Key(self.key.project, self.key.pipeline)):
            if older and job.state == enum("JobState", "JOB_SUCCESS"):
                version = self._store.pipeline(self.key, job.pipeline_version)
                return None if version is None or version.details.s3_out else Key.of(job.job.pipeline, job.job.id)
            older = older or job.job.id == self.key.id
        return None

    def _recount(self, total: int, skipped: int) -> None:
        """Set the job's counts from what is stored: a job that is taken up again starts from there."""
        job = self._jobs.get(self.key)
        if is_terminal(job.state):
            raise JobFinishedError(f"job {self.key} has already finished")
        job.data_total, job.data_skipped = total, skipped
        job.data_processed = job.data_failed = job.data_recovered = 0
        job.stats.Clear()
        for info in self._store.datum_infos(self.key, skipped=False):
            self._count(job, wire.pps.DatumState.Name(info.state), info.stats)
        self._store.put_job(job)

    @staticmethod
    def _count(job: Any, state: str, stats: Any) -> None:
        counter = {"SUCCESS": "data_processed", "FAILED": "data_failed", "RECOVERED": "data_recovered"}[state]
        setattr(job, counter, getattr(job, counter) + 1)
        for name in ("download_time", "process_time", "upload_time"):
            total = getattr(job.stats, name)
            messages.set_time(total, messages.nanoseconds(total) + messages.nanoseconds(getattr(stats, name)))
        job.stats.download_bytes += stats.download_bytes
        job.stats.upload_bytes += stats.upload_bytes

    # Running them

    def _run_all(self, todo: list[tuple[Datum, str]]) -> Iterator[str]:
        """Run datums on the pipeline's workers; yields the file sets they wrote. All are run even when one fails."""
        if not todo:
            return
        workers = max(1, self._pipeline.parallelism)
        sets = datum_sets(todo, self._pipeline.details.datum_set_spec, workers, lambda one: one[0].size)
        names = iter(range(workers))
        local = threading.local()

        def prepare() -> None:
            local.worker = f"{self.key.project}-{self.key.pipeline}-v{self._pipeline.version}-{next(names)}"

        def work(some: Sequence[tuple[Datum, str]]) -> list[str]:
            with self._worker(local.worker) as run_of:
                return [self._run_one(run_of(datum), digest) for datum, digest in some]

        with ThreadPoolExecutor(min(workers, len(sets)), "datums", initializer=prepare) as pool:
            futures = [pool.submit(work, some) for some in sets]
            try:
                for future in futures:
                    yield from (fileset for fileset in future.result() if fileset)
            except BaseException:
                self.cancel()
                pool.shutdown(cancel_futures=True)
                raise

    @contextmanager
    def _worker(self, name: str) -> Iterator[Callable[[Datum], DatumRun]]:
        """A worker with its GPUs, for a set of datums: how it runs one."""
        home, pfs, plan, log = self._parts.home, self._pfs, self._plan, self._log
        with self._parts.gpus.take(self._pipeline.details.resource_limits.gpu.number) as gpus:
            if plan.transform.datum_batching:
                with Batch(home, plan, log, name, gpus) as batch:
                    yield lambda datum: BatchedRun(home, pfs, plan, datum, log, name, gpus, batch=batch)
            else:
                yield lambda datum: DatumRun(home, pfs, plan, datum, log, name, gpus)

    @contextmanager
    def _as_running(self, run: DatumRun) -> Iterator[None]:
        """Count a datum as running meanwhile. Raises StoppedError once cancelled."""
        with self._lock:
            if self._cancelled:
                raise StoppedError
            self._running[run.datum.id] = run
        try:
            yield
        finally:
            with self._lock:
                del self._running[run.datum.id]

    def _run_one(self, run: DatumRun, digest: str) -> str:
        with self._as_running(run):
            result = run.run()
        return self._record(run, digest, result)

    def _record(self, run: DatumRun, digest: str, result: Result) -> str:
        """Put a datum that has been run on disk, and into the job's counts; its output's file set, or ""."""
        info = run.info(result)
        with self._lock:
            if result.state == "FAILED" and self._failed is None:
                self._failed = f"datum {run.datum.id} failed: {result.reason}"
        with self._pfs.db.transaction():
            job = self._jobs.get(self.key)
            if is_terminal(job.state):
                raise JobFinishedError(f"job {self.key} has already finished")
            fileset = self._pfs.files.keep(result.upload) if result.state == "SUCCESS" and result.upload else None
            self._store.add_datum(self.key, info, digest, fileset)
            self._count(job, result.state, info.stats)
            self._store.put_job(job)
        return fileset or ""
