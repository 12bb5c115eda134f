"""How a row becomes a record of `model`, and values become columns.

A field of the type ``list`` or ``dict`` is JSON text in the column ``<field>_json``, a ``bool`` is 0 or 1, and any other
field is the column of its name. So a new noun needs a dataclass, a table and the queries of its `Table`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any, TypeVar, get_origin, get_type_hints

from minipdk.storage import Database

T = TypeVar("T")
Row = tuple[Any, ...]
Value = Any
"""A value that SQLite stores, or a list or object for a JSON column."""


@dataclass(frozen=True)
class _Reader:
    """How the rows of a query become records: the columns in the order of the fields, and the fields to convert."""

    columns: Callable[[Row], Row]
    conversions: list[tuple[int, Callable[[Any], Any]]]

    def values(self, row: Row) -> Sequence[Any]:
        if not self.conversions:
            return self.columns(row)
        values = list(self.columns(row))
        for position, convert in self.conversions:
            values[position] = convert(values[position])
        return values


_readers: dict[tuple[type[Any], Row], _Reader] = {}


def _reader(kind: type[Any], columns: tuple[str, ...]) -> _Reader:
    """The reader for rows of these ``columns``, made on first use. There may be more columns than fields."""
    reader = _readers.get((kind, columns))
    if reader is None:
        hints = get_type_hints(kind)
        names = [field.name for field in fields(kind)]
        from_json = {name for name in names if get_origin(hints[name]) in (list, dict)}
        positions = [columns.index(f"{name}_json" if name in from_json else name) for name in names]
        conversions: list[tuple[int, Callable[[Any], Any]]] = [
            (number, json.loads if name in from_json else bool)
            for number, name in enumerate(names)
            if name in from_json or hints[name] is bool
        ]
        reader = _readers[kind, columns] = _Reader(itemgetter(*positions), conversions)
    return reader


def records(kind: type[T], cursor: sqlite3.Cursor) -> list[T]:
    """The rows, which are plain tuples, as records of ``kind``, which is a dataclass."""
    reader = _reader(kind, tuple(column[0] for column in cursor.description))
    return [kind(*reader.values(row)) for row in cursor]


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
        cursor = self._database.connection().cursor()
        cursor.row_factory = None
        return records(kind, cursor.execute(query, parameters))

    def _first(self, kind: type[T], query: str, *parameters: Value) -> T | None:
        """The record of a query that returns at most one row."""
        return next(iter(self._all(kind, query, *parameters)), None)

    def _exists(self, query: str, *parameters: Value) -> bool:
        return self._row(query, *parameters) is not None

    def _write(self, statement: str, *parameters: Value) -> int:
        """Carry out the statement; returns the id of the row that it inserted."""
        connection = self._database.connection()
        if connection.in_transaction:
            return connection.execute(statement, parameters).lastrowid or 0
        with self._database.transaction():
            return self._write(statement, *parameters)

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
