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
from minipdk.services.determined.model import Caller, Json, User, now
from minipdk.services.determined.store import Store

CLIENT_SALT = "GubPEmmotfiK9TMD6Zdw"  # part of the protocol: clients hash SHA-512(salt + password)
SESSION = timedelta(days=7)
SHORTEST_NAME = 2
AGENT_USER_GROUP = ("agentUid", "agentGid", "agentUser", "agentGroup")
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
        """A new token and the user.

        Raises UnauthenticatedError without saying which half was wrong, PermissionDeniedError for a user who is not active.
        """
        user = self._store.users.by_name(username)
        hashed = password if is_hashed else client_hash(password)
        if user is None or not _matches(hashed, user.password):
            raise UnauthenticatedError("invalid credentials")
        if not user.active:
            raise PermissionDeniedError("user is not active")
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
        """The owner of the token.

        Raises UnauthenticatedError, and PermissionDeniedError for a user who was deactivated; running trials go on.
        """
        caller = self._store.tokens.caller(_digest(token))
        if caller is None:
            raise UnauthenticatedError("invalid credentials")
        if not caller.active and caller.allocation_id is None:
            raise PermissionDeniedError("user does not have permission")
        if caller.expires_at and caller.expires_at < datetime.now(UTC).isoformat():
            raise UnauthenticatedError("invalid credentials")
        return caller

    def get(self, user_id: int) -> User:
        if user := self._store.users.get(user_id):
            return user
        raise NotFoundError("user not found")

    def get_by_name(self, username: str) -> User:
        if user := self._store.users.by_name(username):
            return user
        raise NotFoundError("user not found")

    def all(self) -> list[User]:
        return self._store.users.all()

    def create(
        self, username: str, *, admin: bool, active: bool, display_name: str, password_hash: str, agent_user_group: Json
    ) -> User:
        """Add a user. ``password_hash`` is the `client_hash` of the password, "" without a password."""
        username, display_name = _clear_name(username, shortest=SHORTEST_NAME), _clear_name(display_name)
        group = _checked_group(agent_user_group)
        with self._store.transaction():
            if self._store.users.by_name(username):
                raise AlreadyExistsError(f"user {username!r} already exists")
            password = _protect(password_hash)
            user_id = self._add(username, admin=admin, active=active, display_name=display_name, password=password)
            self._store.users.update(user_id, agent_user_group=group)
        return self.get_by_name(username)

    def update(self, user_id: int, changes: dict[str, Any], password_hash: str | None = None) -> User:
        """Set any of username, admin, active, display_name, agent_user_group; a new password ends the user's sessions."""
        user, changes = self.get(user_id), dict(changes)
        if "username" in changes:
            changes["username"] = _clear_name(changes["username"], shortest=SHORTEST_NAME, of=user)
            other = self._store.users.by_name(changes["username"])
            if other and other.id != user_id:
                raise AlreadyExistsError(f"user {changes['username']!r} already exists")
        if "display_name" in changes:
            changes["display_name"] = self._free_display_name(user, changes["display_name"])
        if "agent_user_group" in changes:
            changes["agent_user_group"] = _checked_group(changes["agent_user_group"])
        with self._store.transaction():
            self._store.users.update(user_id, **changes, modified_at=now())
            if password_hash is not None:
                self._store.users.update(user_id, password=_protect(password_hash))
                self._store.tokens.delete_logins(user_id)
        return self.get(user_id)

    def settings(self, user_id: int) -> list[Json]:
        """A web page's settings for the user: {storagePath, key, value}."""
        return self._store.users.settings(user_id)

    def set_settings(self, user_id: int, settings: list[Json]) -> None:
        """Keep settings; one without a value is forgotten."""
        with self._store.transaction():
            for setting in settings:
                path, key = str(setting.get("storagePath") or ""), str(setting.get("key") or "")
                self._store.users.set_setting(user_id, path, key, setting.get("value") or "")

    def reset_settings(self, user_id: int) -> None:
        self._store.users.delete_settings(user_id)

    def _free_display_name(self, user: User, name: str) -> str:
        name = _clear_name(name, of=user)
        taken = {
            text.lower() for other in self.all() if other.id != user.id for text in (other.username, other.display_name)
        }
        if name and name.lower() in taken:
            raise InvalidArgumentError(f"can not change display name to {name} found a similar username or display name")
        return name

    def _add(self, username: str, *, admin: bool, active: bool, display_name: str, password: str) -> int:
        return self._store.users.add(
            username, admin=admin, active=active, display_name=display_name, password=password, modified_at=now()
        )


def _clear_name(name: str, *, shortest: int = 0, of: User | None = None) -> str:
    """A username or display name without the spaces around it. Raises InvalidArgumentError for one that may mislead."""
    name = name.strip()
    if any(not ("!" <= letter <= "~" or letter.isspace()) for letter in name):
        raise InvalidArgumentError("Display name and username cannot contain non-ASCII characters.")
    if len(name) < shortest:
        raise InvalidArgumentError(f"{name!r}: Display name or username value has minimum length.")
    if name.lower() == "admin" and not (of and of.admin):
        raise InvalidArgumentError("Non-admin user cannot be renamed 'admin'")
    if name.lower() == "determined" and not (of and of.username == "determined"):
        raise InvalidArgumentError("User cannot be renamed 'determined'")
    return name


def _checked_group(group: Json) -> Json:
    """The user and group under whose names an agent runs the user's tasks: all four fields or none."""
    given = [field for field in AGENT_USER_GROUP if group.get(field) is not None]
    if not given:
        return {}
    if len(given) < len(AGENT_USER_GROUP):
        raise InvalidArgumentError("agentUid, agentGid, agentUser and agentGroup cannot be empty")
    if not group["agentUser"] or not group["agentGroup"]:
        raise InvalidArgumentError("agentUser and agentGroup names cannot be empty")
    return {field: group[field] for field in AGENT_USER_GROUP}


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
