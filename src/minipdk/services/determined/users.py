"""Users, their passwords, and the tokens of logins and allocations.

Clients send passwords hashed with a fixed salt (``isHashed``); the master stores a scrypt of that hash. Tokens are random,
stored as SHA-256 and survive restarts: a user's for seven days, as on a Determined master, a trial's while its allocation
runs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from minipdk.services.determined.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from minipdk.services.determined.model import Caller, User, now
from minipdk.services.determined.store import Store

CLIENT_SALT = "GubPEmmotfiK9TMD6Zdw"  # part of the protocol: clients hash SHA-512(salt + password)
SESSION = timedelta(days=7)
BUILT_IN = (("admin", True), ("determined", False))


class Users:
    def __init__(self, store: Store, first_password: str) -> None:
        self._store = store
        with store.transaction():
            for username, admin in BUILT_IN:
                if store.users.by_name(username) is None:
                    password = _protect(client_hash(first_password))
                    self._add(username, admin=admin, active=True, display_name="", password=password)

    def login(self, username: str, password: str, *, is_hashed: bool) -> tuple[str, User]:
        """A new token and the user. Raises PermissionDeniedError without saying which half was wrong."""
        user = self._store.users.by_name(username)
        hashed = password if is_hashed else client_hash(password)
        if user is None or not user.active or not _matches(hashed, user.password):
            raise PermissionDeniedError("invalid credentials")
        token, time = secrets.token_urlsafe(32), datetime.now(UTC)
        with self._store.transaction():
            self._store.users.update(user.id, last_login_at=now())
            self._store.tokens.delete_expired(time.isoformat())
            self._store.tokens.add(_digest(token), user.id, expires_at=(time + SESSION).isoformat())
        return token, user

    def issue_for_allocation(self, user_id: int, allocation_id: str) -> str:
        """A token for a trial, valid until `revoke_allocation`."""
        token = secrets.token_urlsafe(32)
        self._store.tokens.add(_digest(token), user_id, allocation_id=allocation_id)
        return token

    def revoke_allocation(self, allocation_id: str) -> None:
        self._store.tokens.delete_of_allocation(allocation_id)

    def logout(self, token: str) -> None:
        self._store.tokens.delete(_digest(token))

    def authenticate(self, token: str) -> Caller:
        """The owner of the token. Raises UnauthenticatedError."""
        caller = self._store.tokens.caller(_digest(token))
        if caller is None or not caller.active:
            raise UnauthenticatedError("invalid credentials")
        if caller.expires_at and caller.expires_at < datetime.now(UTC).isoformat():
            raise UnauthenticatedError("invalid credentials")
        return caller

    def get(self, user_id: int) -> User:
        if user := self._store.users.get(user_id):
            return user
        raise NotFoundError(f"user {user_id} not found")

    def get_by_name(self, username: str) -> User:
        if user := self._store.users.by_name(username):
            return user
        raise NotFoundError(f"user {username!r} not found")

    def all(self) -> list[User]:
        return self._store.users.all()

    def create(self, username: str, *, admin: bool, active: bool, display_name: str, password_hash: str) -> User:
        """Add a user. ``password_hash`` is the `client_hash` of the password, "" without a password."""
        if not username.strip():
            raise InvalidArgumentError("user.username must not be blank")
        with self._store.transaction():
            if self._store.users.by_name(username):
                raise AlreadyExistsError(f"user {username!r} already exists")
            password = _protect(password_hash)
            self._add(username, admin=admin, active=active, display_name=display_name, password=password)
        return self.get_by_name(username)

    def update(self, user_id: int, changes: dict[str, Any], password_hash: str | None = None) -> User:
        """Set any of username, admin, active, display_name; a new password ends the user's sessions."""
        self.get(user_id)
        other = self._store.users.by_name(str(changes.get("username")))
        if other and other.id != user_id:
            raise AlreadyExistsError(f"user {changes['username']!r} already exists")
        with self._store.transaction():
            self._store.users.update(user_id, **changes, modified_at=now())
            if password_hash is not None:
                self._store.users.update(user_id, password=_protect(password_hash))
                self._store.tokens.delete_logins(user_id)
        return self.get(user_id)

    def _add(self, username: str, *, admin: bool, active: bool, display_name: str, password: str) -> None:
        self._store.users.add(
            username, admin=admin, active=active, display_name=display_name, password=password, modified_at=now()
        )


def client_hash(password: str) -> str:
    """The hash that Determined's clients send for ``password``; an empty password stays empty."""
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
