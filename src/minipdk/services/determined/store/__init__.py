"""All SQL of the service: a module for the tables of each noun.

`schema` has the tables and their migrations, `records` turns rows into the dataclasses of `model`, and `changes` wakes
requests that wait for a change once it is committed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from minipdk.services.determined.store.changes import Changes, WatchedDatabase
from minipdk.services.determined.store.checkpoints import CheckpointTable
from minipdk.services.determined.store.experiments import ExperimentTable
from minipdk.services.determined.store.logs import LogTable
from minipdk.services.determined.store.metrics import MetricsTable
from minipdk.services.determined.store.registry import ModelTable, VersionTable
from minipdk.services.determined.store.schema import MIGRATIONS
from minipdk.services.determined.store.trials import AllocationTable, TrialTable
from minipdk.services.determined.store.users import TokenTable, UserTable
from minipdk.services.determined.store.workspaces import ProjectTable, WorkspaceTable

__all__ = ["Changes", "Store"]


class Store:
    """The tables. Notifications of ``changes`` inside a transaction are delivered after its commit."""

    def __init__(self, path: Path, changes: Changes) -> None:
        database = self._database = WatchedDatabase(path, MIGRATIONS, changes)
        self.users = UserTable(database)
        self.tokens = TokenTable(database)
        self.workspaces = WorkspaceTable(database)
        self.projects = ProjectTable(database)
        self.experiments = ExperimentTable(database)
        self.trials = TrialTable(database)
        self.allocations = AllocationTable(database)
        self.metrics = MetricsTable(database)
        self.checkpoints = CheckpointTable(database)
        self.logs = LogTable(database)
        self.models = ModelTable(database)
        self.versions = VersionTable(database)

    def transaction(self) -> AbstractContextManager[object]:
        """Make several reads and writes atomic. A transaction inside another joins it."""
        return self._database.transaction()
