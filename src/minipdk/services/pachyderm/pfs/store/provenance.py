"""Reachability in the graphs of branches and commits."""

from __future__ import annotations

import sqlite3

_REACH = (
    "WITH RECURSIVE reach(id, depth) AS (SELECT {to}, 1 FROM {table} WHERE {start} = ?"
    " UNION SELECT p.{to}, reach.depth + 1 FROM reach JOIN {table} p ON p.{start} = reach.id)"
    " SELECT id, min(depth) FROM reach GROUP BY id ORDER BY min(depth), id"
)


def upstream(connection: sqlite3.Connection, table: str, row_id: int) -> dict[int, int]:
    """Every row that ``row_id`` is provenant on by the edges in ``table``, nearest first, with its distance."""
    query = _REACH.format(table=table, start="downstream", to="upstream")
    return dict(map(tuple, connection.execute(query, (row_id,))))


def downstream(connection: sqlite3.Connection, table: str, row_id: int) -> dict[int, int]:
    """Every row that is provenant on ``row_id``, nearest first, with its distance."""
    query = _REACH.format(table=table, start="upstream", to="downstream")
    return dict(map(tuple, connection.execute(query, (row_id,))))
