"""The master's parts and how they hold together."""

from __future__ import annotations

import threading

from minipdk.common.home import Home
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.logs import Logs
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.registry import Registry
from minipdk.services.determined.resource_manager.allocations import Allocations
from minipdk.services.determined.store.changes import Changes, WatchedDatabase
from minipdk.services.determined.store.schema import MIGRATIONS, now
from minipdk.services.determined.submissions import Submissions
from minipdk.services.determined.trials import Trials
from minipdk.services.determined.users import Users
from minipdk.services.determined.workspaces import Workspaces


class Master:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.started_at = now()
        self.changes = Changes()
        self.database = WatchedDatabase(home.database("determined"), MIGRATIONS, self.changes)
        self.users = Users(self.database, home.token)
        self.workspaces = Workspaces(self.database)
        self.metrics = Metrics(self.database)
        self.logs = Logs(self.database, self.changes)
        self.checkpoints = Checkpoints(self.database, self.metrics)
        self.trials = Trials(self.database, self.users, self.changes)
        self.experiments = Experiments(self.database, self.trials, self.checkpoints, home.identity.cluster_id)
        self.registry = Registry(self.database)
        self.submissions = Submissions(home, self.workspaces, self.experiments, self.trials, self.checkpoints)
        self.allocations = Allocations(self)
        self.scheduler = self.allocations.scheduler

    def start(self) -> None:
        """Take up what a former master left unfinished, and begin to schedule."""
        self.trials.take_up()
        self.experiments.settle_all()
        threading.Thread(target=self.checkpoints.remove_deleted_files, daemon=True, name="garbage").start()
        threading.Thread(target=self.scheduler.run, daemon=True, name="scheduler").start()

    def stop(self) -> None:
        """Stop scheduling and end the running trials; they are taken up at the next start."""
        self.scheduler.stop()
        self.allocations.launcher.stop()
