"""How a row becomes a record of `model`, and values become columns.

A field of the type ``list`` or ``dict`` is JSON text in the column ``<field>_json``, a ``bool`` is 0 or 1, and any other
field is the column of its name. So a new noun needs a dataclass, a table and the queries of its `Table`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, TypeVar, get_origin, get_type_hints

from minipdk.storage import Database

T = TypeVar("T")
Value = Any
"""A value that SQLite stores, or a list or object for a JSON column."""


Column = tuple[str, str, Callable[[Any], Any] | None]
"""A field's name, its column, and the conversion from the column's value."""
_columns: dict[type[Any], list[Column]] = {}


def record(kind: type[T], row: sqlite3.Row) -> T:
    """The row as a ``kind``, which is a dataclass. The row may have more columns than the dataclass has fields."""
    columns = _columns.get(kind)
    if columns is None:
        columns = _columns[kind] = _columns_of(kind)
    return kind(**{name: convert(row[column]) if convert else row[column] for name, column, convert in columns})


def _columns_of(kind: type[Any]) -> list[Column]:
    hints = get_type_hints(kind)
    columns: list[Column] = []
    for field in fields(kind):
        hint = hints[field.name]
        if get_origin(hint) in (list, dict):
            columns.append((field.name, f"{field.name}_json", json.loads))
        else:
            columns.append((field.name, field.name, bool if hint is bool else None))
    return columns


def dumps(value: Any) -> str:
    """``value`` as compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def column(name: str, value: Value) -> tuple[str, Value]:
    """The column of the field ``name`` and the value to store in it."""
    return (f"{name}_json", dumps(value)) if isinstance(value, list | dict) else (name, value)


class Table:
    """The queries of one noun.

    Each thread reads through its own connection. A write outside `Store.transaction` is a transaction by itself, and inside
    one it joins in.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def _rows(self, query: str, *parameters: Value) -> list[sqlite3.Row]:
        return self._database.connection().execute(query, parameters).fetchall()

    def _row(self, query: str, *parameters: Value) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.connection().execute(query, parameters).fetchone()
        return row

    def _all(self, kind: type[T], query: str, *parameters: Value) -> list[T]:
        return [record(kind, row) for row in self._rows(query, *parameters)]

    def _first(self, kind: type[T], query: str, *parameters: Value) -> T | None:
        row = self._row(query, *parameters)
        return None if row is None else record(kind, row)

    def _exists(self, query: str, *parameters: Value) -> bool:
        return self._row(query, *parameters) is not None

    def _write(self, statement: str, *parameters: Value) -> int:
        """Carry out the statement; returns the id of the row that it inserted."""
        with self._database.transaction() as connection:
            return connection.execute(statement, parameters).lastrowid or 0

    def _write_many(self, statement: str, parameters: Iterable[tuple[Value, ...]]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(statement, parameters)

    def _insert(self, table: str, **values: Value) -> int:
        """Add a row with the given fields; returns its id."""
        columns = dict(column(name, value) for name, value in values.items())
        marks = ", ".join("?" * len(columns))
        return self._write(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", *columns.values())  # noqa: S608

    def _update(self, table: str, row_id: int | str, **values: Value) -> None:
        """Set the given fields of the row whose ``id`` is ``row_id``; nothing happens without fields."""
        if not values:
            return
        columns = dict(column(name, value) for name, value in values.items())
        settings = ", ".join(f"{name} = ?" for name in columns)
        self._write(f"UPDATE {table} SET {settings} WHERE id = ?", *columns.values(), row_id)  # noqa: S608
