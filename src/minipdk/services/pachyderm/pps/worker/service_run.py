"""Runs a job of a service: user code that goes on with the job's one datum until a newer job takes its place.

The files that it leaves in /pfs/out are not kept. When its code ends, it starts again.
"""

from __future__ import annotations

from dataclasses import replace

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps.datums import Globber, enumerate_datums
from minipdk.services.pachyderm.pps.errors import StoppedError
from minipdk.services.pachyderm.pps.model import Datum
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun
from minipdk.services.pachyderm.pps.worker.job_run import JobRun
from minipdk.services.pachyderm.pps.worker.service_ports import open_port
from minipdk.services.pachyderm.pps.worker.user_code import keep_running


class ServiceRun(JobRun):
    """A job that ends only when it is cancelled or superseded."""

    def supersede(self) -> None:
        """End the job with success, because the next one is ready to serve newer data."""
        self._jobs.finish(self.key, "JOB_SUCCESS")
        self.cancel()

    def _process(self) -> None:
        datum = self._only_datum()
        worker = self._worker_name(0)
        plan = replace(self._plan, tries=1)
        with plan.take_gpus() as gpus:

            def run() -> str:
                code = DatumRun(self._pfs, plan, datum, self._log, worker, gpus)
                try:
                    with open_port(self._pipeline.details.service), self._as_running(code):
                        return code.run().reason or "exit status 0"
                except OSError as error:
                    return f"the service's external port cannot be opened: {error}"

            keep_running(run, self._cancelled, lambda message: self._log.write(worker, datum, message))
        raise StoppedError

    def _only_datum(self) -> Datum:
        globber = Globber(self._pfs, self._output())
        datums = list(enumerate_datums(self._pipeline.details.input, globber))
        if len(datums) != 1:
            raise PachydermError(f'services must have a single datum, not {len(datums)}: use glob "/" for all files in one')
        return datums[0]
