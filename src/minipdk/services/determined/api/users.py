"""Logging in and out, and users."""

from __future__ import annotations

from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError, PermissionDeniedError
from minipdk.services.determined.users import client_hash


def login(call: Call) -> Json:
    token, user = call.master.users.login(
        call.required("username"), str(call.body.get("password") or ""), is_hashed=bool(call.body.get("isHashed"))
    )
    call.master.allocations.launcher.warm_up()
    return {"token": token, "user": messages.user(user)}


def logout(call: Call) -> Json:
    call.master.users.logout(call.request.headers.get("authorization", "").partition(" ")[2])
    return {}


def me(call: Call) -> Json:
    return {"user": messages.user(call.master.users.get(call.user.user_id))}


def list_users(call: Call) -> Json:
    users = [messages.user(row) for row in call.master.users.all()]
    for field in ("admin", "active"):
        if (wanted := call.flag(field)) is not None:
            users = [user for user in users if user[field] == wanted]
    if name := call.one("name"):
        users = [user for user in users if name in user["username"] or name in user["displayName"]]
    keys = {"ID": _by("id"), "USER_NAME": _by("username"), "NAME": _by("username"), "ADMIN": _by("admin")}
    keys |= {"ACTIVE": _by("active"), "DISPLAY_NAME": _by("displayName"), "MODIFIED_TIME": _by("modifiedAt")}
    page, pagination = paginate(ordered(users, call, keys, "ID"), call)
    return {"users": page, "pagination": pagination}


def get_user(call: Call) -> Json:
    return {"user": messages.user(call.master.users.get(call.id("userId")))}


def get_user_by_username(call: Call) -> Json:
    return {"user": messages.user(call.master.users.get_by_name(call.path["username"]))}


def create_user(call: Call) -> Json:
    _administrators_only(call)
    user = call.required("user", dict)
    if user.get("remote"):
        raise InvalidArgumentError("user.remote: this cluster has no identity provider")
    row = call.master.users.create(
        str(user.get("username") or ""),
        admin=bool(user.get("admin")),
        active=bool(user.get("active", True)),
        display_name=user.get("displayName") or "",
        password_hash=_hash(call.body),
    )
    return {"user": messages.user(row)}


def update_user(call: Call) -> Json:
    user_id = call.id("userId")
    body = call.body
    if user_id != call.user.user_id or body.keys() & {"admin", "active", "username"}:
        _administrators_only(call)
    columns = {"username": "username", "admin": "admin", "active": "active", "displayName": "display_name"}
    changes = {column: body[field] for field, column in columns.items() if body.get(field) is not None}
    password = _hash(body) if body.get("password") is not None else None
    return {"user": messages.user(call.master.users.update(user_id, changes, password))}


def set_password(call: Call) -> Json:
    user_id = call.id("userId")
    if user_id != call.user.user_id:
        _administrators_only(call)
    return {"user": messages.user(call.master.users.update(user_id, {}, call.required("")))}


def _hash(body: Json) -> str:
    password = str(body.get("password") or "")
    return password if body.get("isHashed") else client_hash(password)


def _administrators_only(call: Call) -> None:
    if not call.user.admin:
        raise PermissionDeniedError(f"user {call.user.username!r} is not an administrator: log in as admin")


def _by(field: str) -> Any:
    return lambda user: user[field]


ENDPOINTS: list[Endpoint] = [
    ("POST", "/api/v1/auth/login", login),
    ("POST", "/api/v1/auth/logout", logout),
    ("GET", "/api/v1/auth/user", me),
    ("GET", "/api/v1/me", me),
    ("GET", "/api/v1/users", list_users),
    ("POST", "/api/v1/users", create_user),
    ("GET", "/api/v1/users/{userId}", get_user),
    ("PATCH", "/api/v1/users/{userId}", update_user),
    ("POST", "/api/v1/users/{userId}/password", set_password),
    ("GET", "/api/v1/users/{username}/by-username", get_user_by_username),
]
