"""Users, passwords and the tokens that a login or an allocation is given.

Clients send passwords hashed with a fixed salt (``isHashed``); the master keeps a scrypt of that. Tokens are random, kept
as SHA-256 and survive restarts: a user's for seven days, as on a Determined master, a trial's while its allocation runs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from minipdk.services.determined.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from minipdk.services.determined.store.schema import now
from minipdk.storage import Database

CLIENT_SALT = "GubPEmmotfiK9TMD6Zdw"  # part of the protocol: clients hash SHA-512(salt + password)
SESSION = timedelta(days=7)
BUILT_IN = (("admin", True), ("determined", False))


@dataclass(frozen=True)
class Caller:
    """Who makes a call; ``allocation_id`` when it is a trial."""

    user_id: int
    username: str
    admin: bool
    allocation_id: str | None = None


class Users:
    def __init__(self, database: Database, first_password: str) -> None:
        self._database = database
        with database.transaction() as rows:
            for username, admin in BUILT_IN:
                if not rows.execute("SELECT 1 FROM users WHERE username = ?", (username,)).fetchone():
                    rows.execute(
                        "INSERT INTO users (username, admin, password, modified_at) VALUES (?, ?, ?, ?)",
                        (username, admin, _protect(client_hash(first_password)), now()),
                    )

    def login(self, username: str, password: str, *, is_hashed: bool) -> tuple[str, sqlite3.Row]:
        """A new token and the user's row. Raises PermissionDeniedError without saying which half was wrong."""
        row = self._by_name(username)
        given = password if is_hashed else client_hash(password)
        if row is None or not row["active"] or not _matches(given, row["password"]):
            raise PermissionDeniedError("invalid credentials")
        expires = (datetime.now(UTC) + SESSION).isoformat()
        with self._database.transaction() as rows:
            rows.execute("UPDATE users SET last_login_at = ? WHERE id = ?", (now(), row["id"]))
            rows.execute("DELETE FROM tokens WHERE expires_at < ?", (datetime.now(UTC).isoformat(),))
            token = _new_token(rows, row["id"], None, expires)
        return token, row

    def issue_for_allocation(self, rows: sqlite3.Connection, user_id: int, allocation_id: str) -> str:
        """A token for a trial, good until `revoke_allocation`. ``rows`` is the caller's transaction."""
        return _new_token(rows, user_id, allocation_id, None)

    def revoke_allocation(self, rows: sqlite3.Connection, allocation_id: str) -> None:
        rows.execute("DELETE FROM tokens WHERE allocation_id = ?", (allocation_id,))

    def logout(self, token: str) -> None:
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM tokens WHERE digest = ?", (_digest(token),))

    def authenticate(self, token: str) -> Caller:
        """Whose token this is. Raises UnauthenticatedError."""
        found = (
            self._database.connection()
            .execute(
                "SELECT users.id, username, admin, active, allocation_id, expires_at FROM tokens "
                "JOIN users ON users.id = user_id WHERE digest = ?",
                (_digest(token),),
            )
            .fetchone()
        )
        expired = found and found["expires_at"] and found["expires_at"] < datetime.now(UTC).isoformat()
        if not found or not found["active"] or expired:
            raise UnauthenticatedError("invalid credentials")
        return Caller(found["id"], found["username"], bool(found["admin"]), found["allocation_id"])

    def get(self, user_id: int) -> sqlite3.Row:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
        )
        if row is None:
            raise NotFoundError(f"user {user_id} not found")
        return row

    def get_by_name(self, username: str) -> sqlite3.Row:
        row = self._by_name(username)
        if row is None:
            raise NotFoundError(f"user {username!r} not found")
        return row

    def all(self) -> list[sqlite3.Row]:
        return self._database.connection().execute("SELECT * FROM users ORDER BY id").fetchall()

    def create(self, username: str, *, admin: bool, active: bool, display_name: str, password_hash: str) -> sqlite3.Row:
        """Add a user. ``password_hash`` is what the client sends: `client_hash` of the password, "" for none."""
        if not username.strip():
            raise InvalidArgumentError("user.username must not be blank")
        with self._database.transaction() as rows:
            if self._by_name(username):
                raise AlreadyExistsError(f"user {username!r} already exists")
            rows.execute(
                "INSERT INTO users (username, admin, active, display_name, password, modified_at) VALUES (?, ?, ?, ?, ?, ?)",
                (username, admin, active, display_name, _protect(password_hash), now()),
            )
        return self.get_by_name(username)

    def update(self, user_id: int, changes: dict[str, Any], password_hash: str | None = None) -> sqlite3.Row:
        """Set any of username, admin, active, display_name; a new password ends the user's sessions."""
        self.get(user_id)
        if (taken := self._by_name(str(changes.get("username")))) and taken["id"] != user_id:
            raise AlreadyExistsError(f"user {changes['username']!r} already exists")
        with self._database.transaction() as rows:
            for column in ("username", "admin", "active", "display_name"):
                if column in changes:
                    rows.execute(f"UPDATE users SET {column} = ? WHERE id = ?", (changes[column], user_id))  # noqa: S608
            if password_hash is not None:
                rows.execute("UPDATE users SET password = ? WHERE id = ?", (_protect(password_hash), user_id))
                rows.execute("DELETE FROM tokens WHERE user_id = ? AND allocation_id IS NULL", (user_id,))
            rows.execute("UPDATE users SET modified_at = ? WHERE id = ?", (now(), user_id))
        return self.get(user_id)

    def _by_name(self, username: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = (
            self._database.connection().execute("SELECT * FROM users WHERE username = ?", (username,)).fetchone()
        )
        return row


def client_hash(password: str) -> str:
    """What Determined's clients send for ``password``; an empty one stays empty."""
    return hashlib.sha512((CLIENT_SALT + password).encode()).hexdigest() if password else ""


def _protect(hashed: str) -> str:
    salt = secrets.token_hex(16)
    return f"{salt}${_scrypt(hashed, salt)}"


def _matches(hashed: str, protected: str) -> bool:
    salt, _, expected = protected.partition("$")
    return hmac.compare_digest(_scrypt(hashed, salt), expected)


def _scrypt(hashed: str, salt: str) -> str:
    return hashlib.scrypt(hashed.encode(), salt=salt.encode(), n=2**12, r=8, p=1).hex()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(rows: sqlite3.Connection, user_id: int, allocation_id: str | None, expires_at: str | None) -> str:
    token = secrets.token_urlsafe(32)
    rows.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (_digest(token), user_id, allocation_id, expires_at))
    return token
