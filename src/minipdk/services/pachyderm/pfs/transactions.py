"""Transactions: one commit set, one database transaction, propagation at its end, and waking all who wait.

A transaction's changes become visible and durable together, or not at all.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from minipdk.services.pachyderm.pfs.content import ContentStore
from minipdk.services.pachyderm.pfs.model import Branch, Commit, CommitInfo, Repo
from minipdk.services.pachyderm.waiting import Signal, Wait, until
from minipdk.storage import Database

T = TypeVar("T")


class _RehearsedError(Exception):
    """Ends a rehearsal that has succeeded, so that it is rolled back."""


@dataclass
class Transaction:
    """``id`` is the global id of every commit made in it, ``now`` its time in nanoseconds since 1970.

    ``author`` is the user who made everything that is made in it; empty without authentication.
    """

    id: str
    now: int
    author: str = ""
    changed_branches: list[int] = field(default_factory=list)
    created_commits: list[int] = field(default_factory=list)
    finished_commits: list[int] = field(default_factory=list)
    _after: list[Callable[[], None]] = field(default_factory=list)

    def after(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once the transaction is committed, outside it."""
        self._after.append(callback)

    def run_after(self) -> None:
        for callback in self._after:
            callback()


class Transactions:
    """Opens transactions, and lets threads and calls wait for them. ``author`` names the user of the calling thread."""

    def __init__(self, database: Database, author: Callable[[], str]) -> None:
        self._database, self._author = database, author
        self._current = threading.local()
        self._committed = threading.Condition()
        self._version = 0
        self._signal = Signal()
        self._last = 0
        self.before_commit: Callable[[Transaction], None] = lambda _: None

    @contextmanager
    def begin(self, commit_set: str = "", *, rehearsal: bool = False) -> Iterator[Transaction]:
        """A transaction; if the thread is in one already, that one.

        ``commit_set`` is the id of its commits, a new one if empty. A ``rehearsal`` is rolled back after it has succeeded.
        """
        current: Transaction | None = getattr(self._current, "transaction", None)
        if current is not None:
            yield current
            return
        try:
            with self._database.transaction():
                self._last = max(time.time_ns(), self._last + 1)  # times order the commits, so each is later than the last
                transaction = Transaction(commit_set or uuid.uuid4().hex, self._last, self._author())
                self._current.transaction = transaction
                try:
                    yield transaction
                    self.before_commit(transaction)
                finally:
                    self._current.transaction = None
                if rehearsal:
                    raise _RehearsedError
        except _RehearsedError:
            return
        self.wake()
        transaction.run_after()

    def wake(self) -> None:
        """Make every thread and every call that waits check its predicate again."""
        with self._committed:
            self._version += 1
            self._committed.notify_all()
        self._signal.give()

    def until(self, predicate: Callable[[], T]) -> Wait[T]:
        """The first true value of ``predicate``, called again after each transaction; for calls (`waiting`)."""
        return until(self._signal, predicate)

    def wait(
        self, predicate: Callable[[], T], stop: threading.Event | None = None, timeout: float | None = None
    ) -> T | None:
        """The first true value of ``predicate``, called again after each transaction; for threads.

        None when ``stop`` is set or ``timeout`` seconds have passed. Call `wake` after setting ``stop``; without that, it is
        noticed within a second.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            version = self._version
            if value := predicate():
                return value
            if (stop is not None and stop.is_set()) or (deadline is not None and time.monotonic() >= deadline):
                return None
            with self._committed:
                if version == self._version:
                    self._committed.wait(1.0 if deadline is None else min(1.0, deadline - time.monotonic()))


CommitHook = Callable[[Transaction, CommitInfo], None]


@dataclass
class Hooks:
    """The actions of PPS inside PFS's transactions, and the questions that only PPS can answer.

    ``is_transform_repo``: whether jobs finish the repo's commits. ``output_filesets``: the file sets of a job's datums, None
    for a commit without a job. ``is_own_output``: whether the caller is the spout that commits to this branch.
    """

    on_commit_created: list[CommitHook] = field(default_factory=list)
    on_commit_finished: list[CommitHook] = field(default_factory=list)
    on_commit_deleted: list[CommitHook] = field(default_factory=list)
    is_pipeline_repo: Callable[[Repo], bool] = lambda _: False
    is_transform_repo: Callable[[Repo], bool] = lambda _: False
    output_filesets: Callable[[Commit], Collection[str] | None] = lambda _: None
    is_own_output: Callable[[Branch], bool] = lambda _: False


@dataclass
class State:
    """The database, the stored contents, transactions and hooks: every part of PFS works on these."""

    database: Database
    content: ContentStore
    transactions: Transactions
    hooks: Hooks

    @property
    def connection(self) -> sqlite3.Connection:
        """The calling thread's connection: inside a transaction it sees the changes so far."""
        return self.database.connection()
