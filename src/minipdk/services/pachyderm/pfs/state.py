"""What every part of PFS shares: the database, the stored contents, transactions and the hooks of PPS."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from minipdk.services.pachyderm.pfs.content import ContentStore
from minipdk.services.pachyderm.pfs.model import Branch, Commit, CommitInfo, Repo
from minipdk.services.pachyderm.pfs.transaction import Transaction, Transactions
from minipdk.storage import Database

CommitHook = Callable[[Transaction, CommitInfo], None]


@dataclass
class Hooks:
    """What PPS does inside PFS's transactions."""

    on_commit_created: list[CommitHook] = field(default_factory=list)
    on_commit_finished: list[CommitHook] = field(default_factory=list)
    on_commit_deleted: list[CommitHook] = field(default_factory=list)
    is_pipeline_repo: Callable[[Repo], bool] = lambda _: False
    is_transform_repo: Callable[[Repo], bool] = lambda _: False  # its commits are finished by jobs
    output_filesets: Callable[[Commit], Collection[str] | None] = lambda _: None  # of a job's datums; None: it is no job's
    is_own_output: Callable[[Branch], bool] = lambda _: False  # the caller is the spout that commits to this branch


@dataclass
class State:
    database: Database
    content: ContentStore
    transactions: Transactions
    hooks: Hooks

    @property
    def connection(self) -> sqlite3.Connection:
        """The calling thread's connection: inside a transaction it sees what that has written."""
        return self.database.connection()
