"""SQL of the services beside PFS and PPS: open transactions and metadata. `schema` has the tables.

PFS keeps the metadata of its nouns in their rows, and PPS in its pipelines' PipelineInfo.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.storage import Database

MetadataTable = str
"""projects, repos, branches or commits."""


class OpenTransactions:
    """The TransactionInfos of transactions that are not finished."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, transaction: str) -> wire.transaction.TransactionInfo:
        """Raises NotFoundError."""
        query = "SELECT info FROM client_transactions WHERE id = ?"
        row = self._database.connection().execute(query, (transaction,)).fetchone()
        if row is None:
            raise NotFoundError(f"transactions {transaction} not found")
        return wire.transaction.TransactionInfo.FromString(row["info"])

    def all(self) -> list[wire.transaction.TransactionInfo]:
        """Every open transaction, the last changed first."""
        rows = self._database.connection().execute("SELECT info FROM client_transactions ORDER BY updated DESC").fetchall()
        return [wire.transaction.TransactionInfo.FromString(row["info"]) for row in rows]

    def put(self, info: wire.transaction.TransactionInfo) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO client_transactions VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET info = ?2, updated = ?3",
                (info.transaction.id, info.SerializeToString(), time.time_ns()),
            )

    def delete(self, transaction: str) -> None:
        """Raises NotFoundError."""
        self.get(transaction)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM client_transactions WHERE id = ?", (transaction,))

    def delete_all(self) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM client_transactions")


class MetadataStore:
    """The metadata of the cluster and of PFS's nouns. Writers hold a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cluster(self) -> dict[str, str]:
        row = self._database.connection().execute("SELECT metadata FROM cluster_metadata").fetchone()
        return dict(json.loads(row["metadata"])) if row else {}

    def set_cluster(self, metadata: Mapping[str, str]) -> None:
        statement = "INSERT OR REPLACE INTO cluster_metadata (metadata, id) VALUES (?, 1)"
        self._database.connection().execute(statement, (json.dumps(metadata),))

    def project(self, name: str) -> int:
        """The row of a project that exists."""
        row = self._database.connection().execute("SELECT rowid FROM projects WHERE name = ?", (name,)).fetchone()
        return int(row["rowid"])

    def get(self, table: MetadataTable, row: int) -> dict[str, str]:
        query = f"SELECT metadata FROM {table} WHERE rowid = ?"  # noqa: S608 (a name of ours)
        return dict(json.loads(self._database.connection().execute(query, (row,)).fetchone()["metadata"]))

    def set(self, table: MetadataTable, row: int, metadata: Mapping[str, str]) -> None:
        statement = f"UPDATE {table} SET metadata = ? WHERE rowid = ?"  # noqa: S608 (a name of ours)
        self._database.connection().execute(statement, (json.dumps(metadata), row))
