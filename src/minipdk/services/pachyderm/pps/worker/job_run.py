"""Runs one job: enumerates its datums, skips the ones that an earlier job has done, runs the rest in parallel, and ends it.

Every finished datum is on disk with its output before it is counted, so a job that a killed pachd left behind goes on with
the missing datums.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Contents, Pfs
from minipdk.services.pachyderm.pfs.model import Commit
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.datums import Globber, datum_sets, enumerate_datums
from minipdk.services.pachyderm.pps.errors import JobFinishedError, StoppedError
from minipdk.services.pachyderm.pps.jobs import Jobs
from minipdk.services.pachyderm.pps.logs import MASTER, Logs
from minipdk.services.pachyderm.pps.messages import datum_state, job_state
from minipdk.services.pachyderm.pps.model import Datum, Key, StoredDatum
from minipdk.services.pachyderm.pps.spec import inputs
from minipdk.services.pachyderm.pps.spec.validation import EVERY_JOB
from minipdk.services.pachyderm.pps.store import Store
from minipdk.services.pachyderm.pps.worker.batching import Batch, BatchedRun
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun, Result
from minipdk.services.pachyderm.pps.worker.plans import Plan
from minipdk.services.pachyderm.s3.job_buckets import JobView

logger = logging.getLogger(__name__)

COUNTERS = {
    datum_state("SUCCESS"): "data_processed",
    datum_state("FAILED"): "data_failed",
    datum_state("RECOVERED"): "data_recovered",
}
"""The counters of a job by the states of its datums."""


class JobRun:
    """A running job, in its own thread from `start` on; ``done`` is called at the end, however it ends."""

    def __init__(
        self,
        *,
        pfs: Pfs,
        store: Store,
        jobs: Jobs,
        logs: Logs,
        pipeline: wire.pps.PipelineInfo,
        plan: Plan,
        done: Callable[[], None],
    ) -> None:
        self._pfs, self._store, self._jobs = pfs, store, jobs
        self._pipeline, self._plan, self._done = pipeline, plan, done
        self.key = Key.of(pipeline.pipeline, plan.worker.job)
        self._log = logs.job(self.key)
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._running: dict[str, DatumRun] = {}
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._main, name=f"job {self.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def cancel(self) -> None:
        """End the job's containers and start no more; the caller sets the job's state."""
        with self._lock:
            self._cancelled.set()
            running = list(self._running.values())
        for run in running:
            threading.Thread(target=run.cancel, daemon=True).start()

    def restart_datums(self, filters: Iterable[str]) -> int:
        """End the running tries of the datums that have every one of these paths or hashes; returns their number."""
        paths_or_hashes = list(filters)
        with self._lock:
            running = list(self._running.values())
        matching = [run for run in running if run.matches(paths_or_hashes)]
        for run in matching:
            run.restart()
        return len(matching)

    def worker_status(self) -> list[wire.pps.WorkerStatus]:
        """WorkerStatus messages of the workers that process a datum now."""
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

    def _arm_timeout(self, job: wire.pps.JobInfo) -> threading.Timer | None:
        details = self._pipeline.details
        if not details.HasField("job_timeout"):
            return None
        end = messages.nanoseconds(job.started) + messages.nanoseconds(details.job_timeout)
        timer = threading.Timer(max(0.0, (end - time.time_ns()) / 1e9), self._jobs.stop, (self.key, "job timed out"))
        timer.daemon = True
        timer.start()
        return timer

    # The datums

    def _output(self) -> Commit:
        return messages.to_commit(self._jobs.get(self.key).output_commit)

    def _process(self) -> None:
        globber = Globber(self._pfs, self._output())
        datums = list(enumerate_datums(self._pipeline.details.input, globber))
        if self._plan.s3_out:
            self._empty_output()
        base = None if self._plan.s3_out or self._pipeline.details.reprocess_spec == EVERY_JOB else self._base()
        before = self._store.datums(base) if base else {}
        filesets, todo = self._split(datums, before)
        filesets.extend(self._run_all(todo))
        if self._failed is not None:
            self._log_master(f"failing job with reason: {self._failed}")
            self._jobs.finish(self.key, "JOB_FAILURE", self._failed)
            return
        self._log_master("job successful, closing commits")
        if self._plan.s3_out:
            self._jobs.finish(self.key, "JOB_SUCCESS")
        else:
            self._jobs.finish(self.key, "JOB_SUCCESS", filesets=filesets, since=self._contents(base, before))

    def _empty_output(self) -> None:
        """Begin a job that writes through S3 with no output and run every datum: the files of a datum are not known."""
        with self._pfs.transaction():
            self._pfs.set_contents(self._output(), [])
            self._store.forget_datums(self.key, (datum.row for datum in self._store.datums(self.key).values()))

    @cached_property
    def s3_view(self) -> JobView:
        """The buckets that the job's user code sees."""
        output = self._output()
        globber = Globber(self._pfs, output)
        leaves = [leaf.pfs for leaf in inputs.leaves(self._pipeline.details.input) if leaf.HasField("pfs") and leaf.pfs.s3]
        commits = {leaf.name: globber.commit(inputs.branch_of(leaf)) for leaf in leaves}
        return JobView(commits, output if self._plan.s3_out else None)

    def _contents(self, base: Key | None, datums: dict[str, StoredDatum]) -> Contents | None:
        """The output of a job that succeeded."""
        if base is None:
            return None
        output = self._output().repo.commit(base.id)
        return Contents(output, [datum.fileset for datum in datums.values() if datum.fileset])

    def _log_master(self, message: str) -> None:
        self._log.write(f"{self.key.project}-{self.key.pipeline}-v{self._pipeline.version}-master", None, message, MASTER)

    def _split(self, datums: list[Datum], base: dict[str, StoredDatum]) -> tuple[list[str], list[tuple[Datum, str]]]:
        """The file sets of datums done before, by this job or its base, and the datums (with their hashes) to run."""
        details = self._pipeline.details
        hashes = {datum.id: datum.hash(details.salt) for datum in datums}
        mine = self._keep_own(hashes)
        known = self._store.datums(self.key) | base  # a resumed job has skipped datums already
        success = datum_state("SUCCESS")
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
            self._store.set_skipped(self.key, (datum.row for datum in skipped))
            self._recount(len(datums), len(skipped))
        self._log_master(f"{len(datums)} datums: {len(skipped)} done by an earlier job, {len(todo)} to process")
        return [datum.fileset for datum in (*mine.values(), *skipped) if datum.fileset], todo

    def _keep_own(self, hashes: dict[str, str]) -> dict[str, StoredDatum]:
        """The datums that this job itself had done before pachd was killed; failed datums are run again."""
        failed = datum_state("FAILED")
        stored = self._store.datums(self.key, skipped=False)
        stale = [datum for datum in stored.values() if datum.state == failed or hashes.get(datum.id) != datum.hash]
        self._store.forget_datums(self.key, (datum.row for datum in stale))
        return {datum.id: datum for datum in stored.values() if datum not in stale}

    def _base(self) -> Key | None:
        """The newest job before this one that succeeded; None also if the file sets of its datums are not known."""
        older = False
        for job in self._store.jobs(self.key.pipeline_key):
            if older and job.state == job_state("JOB_SUCCESS"):
                version = self._store.pipeline(self.key, job.pipeline_version)
                return None if version is None or version.details.s3_out else Key.of_job(job.job)
            older = older or job.job.id == self.key.id
        return None

    def _recount(self, total: int, skipped: int) -> None:
        """Set the job's counts from the stored datums, where a resumed job starts."""
        job = self._jobs.unfinished(self.key)
        job.data_total, job.data_skipped = total, skipped
        job.data_processed = job.data_failed = job.data_recovered = 0
        job.stats.Clear()
        for info in self._store.datum_infos(self.key, skipped=False):
            self._count(job, info)
        self._store.put_job(job)

    @staticmethod
    def _count(job: wire.pps.JobInfo, datum: wire.pps.DatumInfo) -> None:
        """Add a datum to the counts of its job."""
        counter = COUNTERS[datum.state]
        setattr(job, counter, getattr(job, counter) + 1)
        for name in ("download_time", "process_time", "upload_time"):
            total = getattr(job.stats, name)
            messages.set_time(total, messages.nanoseconds(total) + messages.nanoseconds(getattr(datum.stats, name)))
        job.stats.download_bytes += datum.stats.download_bytes
        job.stats.upload_bytes += datum.stats.upload_bytes

    # Running them

    def _worker_name(self, number: int) -> str:
        return f"{self.key.project}-{self.key.pipeline}-v{self._pipeline.version}-{number}"

    def _run_all(self, todo: list[tuple[Datum, str]]) -> Iterator[str]:
        """Run datums on the pipeline's workers; yields the file sets they wrote. All are run even if a datum fails."""
        if not todo:
            return
        workers = max(1, self._pipeline.parallelism)
        sets = datum_sets(todo, self._pipeline.details.datum_set_spec, workers, lambda datum: datum[0].size)
        names = iter(range(workers))
        local = threading.local()

        def prepare() -> None:
            local.worker = self._worker_name(next(names))

        def work(datums: Sequence[tuple[Datum, str]]) -> list[str]:
            with self._worker(local.worker) as run_of:
                return [self._run_datum(run_of(datum), digest) for datum, digest in datums]

        with ThreadPoolExecutor(min(workers, len(sets)), "datums", initializer=prepare) as pool:
            futures = [pool.submit(work, datums) for datums in sets]
            try:
                for future in futures:
                    yield from (fileset for fileset in future.result() if fileset)
            except BaseException:
                self.cancel()
                pool.shutdown(cancel_futures=True)
                raise

    @contextmanager
    def _worker(self, name: str) -> Iterator[Callable[[Datum], DatumRun]]:
        """A worker with its GPUs, for a set of datums: a function that makes the run of a datum."""
        pfs, plan, log = self._pfs, self._plan, self._log
        with plan.take_gpus() as gpus:
            if plan.transform.datum_batching:
                with Batch(plan, log, name, gpus) as batch:
                    yield lambda datum: BatchedRun(pfs, plan, datum, log, name, gpus, batch=batch)
            else:
                yield lambda datum: DatumRun(pfs, plan, datum, log, name, gpus)

    @contextmanager
    def _as_running(self, run: DatumRun) -> Iterator[None]:
        """Count a datum as running within the ``with`` block. Raises StoppedError once cancelled."""
        with self._lock:
            if self._cancelled.is_set():
                raise StoppedError
            self._running[run.datum.id] = run
        try:
            yield
        finally:
            with self._lock:
                del self._running[run.datum.id]

    def _run_datum(self, run: DatumRun, digest: str) -> str:
        with self._as_running(run):
            result = run.run()
        return self._record(run, digest, result)

    def _record(self, run: DatumRun, digest: str, result: Result) -> str:
        """Store a datum that has been run, and count it in its job; returns its output's file set, or ""."""
        info = run.info(result)
        with self._lock:
            if result.state == "FAILED" and self._failed is None:
                self._failed = f"datum {run.datum.id} failed: {result.reason}"
        with self._pfs.db.transaction():
            job = self._jobs.unfinished(self.key)
            fileset = self._pfs.files.keep(result.upload) if result.state == "SUCCESS" and result.upload else None
            self._store.add_datum(self.key, info, digest, fileset)
            self._count(job, info)
            self._store.put_job(job)
        return fileset or ""
