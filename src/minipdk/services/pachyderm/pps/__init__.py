"""PPS: pipelines, jobs, datums, their logs, and secrets.

`Pps` puts the parts together; ``server.py`` starts it and serves its ``servicer``::

    pps = Pps(home, pfs)
    pps.servicer          # answers the calls of pps_v2.API, see `minipdk.services.pachyderm.rpc`
    pps.start()           # open jobs go on, also those that a killed pachd left behind
    pps.stop()

How data flows: a commit on an input makes, in its own transaction, an output commit and a job (``jobs``). The ``scheduler``
wakes, waits for the inputs to be finished and starts a ``job_run``: ``datums`` and ``globbing`` say what the datums are,
each runs in a ``worker``, and the job ends in one transaction with its output commit. A ``service_run`` is a job that goes
on until the next, a ``spout_run`` has no job at all; ``crons`` commit by themselves. ``spec``, ``inputs`` and ``validation``
say what a pipeline may be, ``pipelines`` makes them, ``plans`` says whether their containers could start, ``store`` keeps it
all.
"""

from __future__ import annotations

from typing import Any

from minipdk.common.home import Home
from minipdk.services.pachyderm.callers import Caller
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps.api.datums import DatumCalls
from minipdk.services.pachyderm.pps.api.jobs import JobCalls
from minipdk.services.pachyderm.pps.api.logs import LogCalls
from minipdk.services.pachyderm.pps.api.pipeline_lists import PipelineLists
from minipdk.services.pachyderm.pps.api.pipelines import PipelineCalls
from minipdk.services.pachyderm.pps.api.queued import QueuedCalls
from minipdk.services.pachyderm.pps.defaults import Defaults
from minipdk.services.pachyderm.pps.jobs import Jobs
from minipdk.services.pachyderm.pps.kube_secrets import Secrets
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.parts import Parts
from minipdk.services.pachyderm.pps.pipelines import Pipelines
from minipdk.services.pachyderm.pps.scheduler import Scheduler
from minipdk.services.pachyderm.pps.store import Key, Store
from minipdk.services.pachyderm.pps.worker.gpus import Gpus
from minipdk.services.pachyderm.pps.worker.plans import Planner
from minipdk.services.pachyderm.s3.job_buckets import JobView

__all__ = ["Pps"]


class Servicer(PipelineCalls, PipelineLists, JobCalls, DatumCalls, LogCalls, QueuedCalls):
    """Every call of pps_v2.API that is supported; `rpc` refuses the others by name."""


class Pps:
    """Pachyderm's pipeline system on one machine."""

    def __init__(self, home: Home, pfs: Pfs) -> None:
        self.home, self.pfs = home, pfs
        self.store = Store(pfs.db)
        self.logs = Logs(home)
        self.secrets = Secrets(home)
        parts = Parts(home, pfs, self.store, self.logs, Gpus())
        self.scheduler = Scheduler(parts, Planner(home, self.secrets, parts.gpus))
        self.jobs: Jobs = self.scheduler.jobs
        self.pipelines = Pipelines(self.store, pfs, self.jobs, self.secrets, self.logs)
        self.defaults = Defaults(self.store, pfs, self.pipelines)
        self.servicer: Any = Servicer(self)

    def s3_view(self, job: Caller) -> JobView:
        """The S3 buckets that a job sees; none when it does not run."""
        run = self.scheduler.run_of(Key(job.project, job.pipeline, job.job))
        return run.s3_view if run else JobView({})

    def start(self) -> None:
        """Take up the open jobs, and run new ones from now on."""
        self.scheduler.start()

    def stop(self) -> None:
        """End the containers; their jobs go on after the next start."""
        self.scheduler.stop()
