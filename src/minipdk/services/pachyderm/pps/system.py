"""Pachyderm's pipeline system: its parts, put together."""

from __future__ import annotations

from minipdk.common.home import Home
from minipdk.services.pachyderm.callers import Caller
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps.defaults import Defaults
from minipdk.services.pachyderm.pps.kube_secrets import Secrets
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.pipelines import Pipelines
from minipdk.services.pachyderm.pps.scheduler import Scheduler
from minipdk.services.pachyderm.pps.store import Store
from minipdk.services.pachyderm.pps.worker.plans import Gpus, Planner
from minipdk.services.pachyderm.s3.job_buckets import JobView


class Pps:
    """Pachyderm's pipeline system on one machine."""

    def __init__(self, home: Home, pfs: Pfs) -> None:
        self.home, self.pfs = home, pfs
        self.store = Store(pfs.db)
        self.logs = Logs(home)
        self.secrets = Secrets(home)
        self.scheduler = Scheduler(home, pfs, self.store, self.logs, Planner(home, self.secrets, Gpus()))
        self.jobs = self.scheduler.jobs
        self.pipelines = Pipelines(self.store, pfs, self.jobs, self.secrets, self.logs)
        self.defaults = Defaults(self.store, pfs, self.pipelines)

    def s3_view(self, job: Caller) -> JobView:
        """The S3 buckets that a job sees; none when it does not run."""
        run = self.scheduler.run_of(Key(job.project, job.pipeline, job.job))
        return run.s3_view if run else JobView({})

    def start(self) -> None:
        """Resume the open jobs, and run new ones from now on."""
        self.scheduler.start()

    def stop(self) -> None:
        """End the containers; their jobs go on after the next start."""
        self.scheduler.stop()
