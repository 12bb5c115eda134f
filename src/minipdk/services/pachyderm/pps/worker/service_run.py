"""Runs a job of a service: user code that goes on with the job's one datum until a newer job takes its place.

What it leaves in /pfs/out is not kept. When its code ends, it is started again.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.datums import Datum, enumerate_datums
from minipdk.services.pachyderm.pps.globbing import Globber
from minipdk.services.pachyderm.pps.worker.datum_run import DatumRun, StoppedError
from minipdk.services.pachyderm.pps.worker.job_run import JobRun
from minipdk.services.pachyderm.pps.worker.long_running import keep_running
from minipdk.services.pachyderm.pps.worker.service_ports import open_port


class ServiceRun(JobRun):
    """A job that ends only when it is cancelled or superseded."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._ended = threading.Event()

    def cancel(self) -> None:
        self._ended.set()
        super().cancel()

    def supersede(self) -> None:
        """End the job well, because the next one is ready to serve newer data."""
        self._jobs.finish(self.key, "JOB_SUCCESS")
        self.cancel()

    def _process(self) -> None:
        datum = self._only_datum()
        worker = f"{self.key.project}-{self.key.pipeline}-v{self._pipeline.version}-0"
        plan = replace(self._plan, tries=1)
        with self._parts.gpus.take(self._pipeline.details.resource_limits.gpu.number) as gpus:

            def run() -> str:
                code = DatumRun(self._parts.home, self._pfs, plan, datum, self._log, worker, gpus)
                try:
                    with open_port(self._pipeline.details.service), self._as_running(code):
                        return code.run().reason or "exit status 0"
                except OSError as error:
                    return f"the service's external port cannot be opened: {error}"

            keep_running(run, self._ended, lambda message: self._log.write(worker, datum, message))
        raise StoppedError

    def _only_datum(self) -> Datum:
        globber = Globber(self._pfs, messages.to_commit(self._jobs.get(self.key).output_commit))
        datums = list(enumerate_datums(self._pipeline.details.input, globber))
        if len(datums) != 1:
            raise PachydermError(f'services must have a single datum, not {len(datums)}: use glob "/" for all files in one')
        return datums[0]
