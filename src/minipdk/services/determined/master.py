"""The parts of the master, put together. Each part receives the parts that it uses."""

from __future__ import annotations

import threading

from minipdk.common.home import Home
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.logs import Logs
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.registry import Registry
from minipdk.services.determined.resource_manager.agents import Agents
from minipdk.services.determined.resource_manager.allocations import Allocations
from minipdk.services.determined.resource_manager.jobs import Jobs
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.store import Changes, Store
from minipdk.services.determined.submissions import Submissions
from minipdk.services.determined.trials import Trials
from minipdk.services.determined.users import Users
from minipdk.services.determined.workspaces import Workspaces


class Master:
    def __init__(self, home: Home) -> None:
        identity = home.identity
        self.changes = Changes()
        store = Store(home.database("determined"), self.changes)
        self.users = Users(store, home.token)
        workspaces = Workspaces(store)
        metrics = Metrics(store)
        logs = Logs(store, self.changes)
        self.checkpoints = Checkpoints(store, metrics)
        self.trials = Trials(store, self.changes, self.users, metrics, self.checkpoints)
        self.experiments = Experiments(store, self.trials, self.checkpoints, metrics, identity.cluster_id)
        registry = Registry(store, self.checkpoints)
        submissions = Submissions(home, workspaces, self.experiments, self.trials, self.checkpoints)
        self.allocations = Allocations(
            home,
            store,
            logs=logs,
            trials=self.trials,
            experiments=self.experiments,
            checkpoints=self.checkpoints,
            submissions=submissions,
        )
        self.scheduler = Scheduler(store, self.trials, self.allocations)
        self.parts: tuple[object, ...] = (
            identity,
            self.changes,
            self.users,
            workspaces,
            metrics,
            logs,
            self.checkpoints,
            self.trials,
            self.experiments,
            registry,
            submissions,
            self.allocations,
            self.scheduler,
            Agents(identity.resource_pools, self.trials, self.scheduler),
            Jobs(self.experiments, self.trials, self.scheduler),
        )
        """The parts that the handlers of `api` may ask for, by their types."""

    def start(self) -> None:
        """Resume the unfinished work of an earlier master, and begin to schedule."""
        self.trials.close_interrupted()
        self.experiments.settle_all()
        threading.Thread(target=self.checkpoints.remove_deleted_files, daemon=True, name="garbage").start()
        threading.Thread(target=self.scheduler.run, daemon=True, name="scheduler").start()

    def stop(self) -> None:
        """Stop scheduling and end the running trials; they continue after the next start."""
        self.scheduler.stop()
        self.allocations.stop()
