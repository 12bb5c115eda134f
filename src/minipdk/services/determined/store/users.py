"""Users and the tokens that clients and trials authenticate with."""

from __future__ import annotations

from minipdk.services.determined.model import Caller, Json, User
from minipdk.services.determined.store.records import Table, Value


class UserTable(Table):
    def all(self) -> list[User]:
        return self._all(User, "SELECT * FROM users ORDER BY id")

    def get(self, user_id: int) -> User | None:
        return self._first(User, "SELECT * FROM users WHERE id = ?", user_id)

    def by_name(self, username: str) -> User | None:
        return self._first(User, "SELECT * FROM users WHERE username = ?", username)

    def add(self, username: str, *, admin: bool, active: bool, display_name: str, password: str, modified_at: str) -> int:
        return self._insert(
            "users",
            username=username,
            admin=admin,
            active=active,
            display_name=display_name,
            password=password,
            modified_at=modified_at,
        )

    def settings(self, user_id: int) -> list[Json]:
        rows = self._rows(
            "SELECT storage_path, key, value FROM user_settings WHERE user_id = ? ORDER BY storage_path, key", user_id
        )
        return [{"storagePath": row["storage_path"], "key": row["key"], "value": row["value"]} for row in rows]

    def set_setting(self, user_id: int, path: str, key: str, value: str) -> None:
        """Keep the setting; an empty value forgets it."""
        if value:
            self._write("INSERT OR REPLACE INTO user_settings VALUES (?, ?, ?, ?)", user_id, path, key, value)
        else:
            self._write("DELETE FROM user_settings WHERE user_id = ? AND storage_path = ? AND key = ?", user_id, path, key)

    def delete_settings(self, user_id: int) -> None:
        self._write("DELETE FROM user_settings WHERE user_id = ?", user_id)

    def update(self, user_id: int, **values: Value) -> None:
        self._update("users", user_id, **values)


class TokenTable(Table):
    """Tokens by their digest."""

    def caller(self, digest: str) -> Caller | None:
        return self._first(
            Caller,
            "SELECT user_id, username, admin, active, allocation_id, expires_at FROM tokens"
            " JOIN users ON users.id = user_id WHERE digest = ?",
            digest,
        )

    def add(self, digest: str, user_id: int, *, allocation_id: str | None = None, expires_at: str | None = None) -> None:
        self._insert("tokens", digest=digest, user_id=user_id, allocation_id=allocation_id, expires_at=expires_at)

    def delete(self, digest: str) -> None:
        self._write("DELETE FROM tokens WHERE digest = ?", digest)

    def delete_of_allocation(self, allocation_id: str) -> None:
        self._write("DELETE FROM tokens WHERE allocation_id = ?", allocation_id)

    def delete_logins(self, user_id: int) -> None:
        """Delete the user's tokens except the ones of trials."""
        self._write("DELETE FROM tokens WHERE user_id = ? AND allocation_id IS NULL", user_id)

    def delete_expired(self, before: str) -> None:
        self._write("DELETE FROM tokens WHERE expires_at < ?", before)
