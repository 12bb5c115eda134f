"""Logging in and out, and users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import contains
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError
from minipdk.services.determined.model import Json, User
from minipdk.services.determined.permissions import Action, check
from minipdk.services.determined.resource_manager.allocations import Allocations
from minipdk.services.determined.users import Users, client_hash

COLUMNS = {
    "username": "username",
    "admin": "admin",
    "active": "active",
    "displayName": "display_name",
    "agentUserGroup": "agent_user_group",
}
KEYS: dict[str, Callable[[User], Any]] = {
    "ID": lambda user: user.id,
    "USER_NAME": lambda user: user.username,
    "NAME": lambda user: user.username,
    "ADMIN": lambda user: user.admin,
    "ACTIVE": lambda user: user.active,
    "DISPLAY_NAME": lambda user: user.display_name,
    "MODIFIED_TIME": lambda user: user.modified_at,
}


def login(call: Call, users: Users, allocations: Allocations) -> Json:
    token, user = users.login(
        call.required("username", str), str(call.body.get("password") or ""), is_hashed=bool(call.body.get("isHashed"))
    )
    allocations.warm_up()
    return {"token": token, "user": messages.user(user)}


def logout(call: Call, users: Users) -> Json:
    users.logout(call.request.headers.get("authorization", "").partition(" ")[2])
    return {}


def me(call: Call, users: Users) -> Json:
    return {"user": messages.user(users.get(call.user.user_id))}


def list_users(call: Call, users: Users) -> Json:
    listed, name = users.all(), call.text("name")
    for field in ("admin", "active"):
        if (value := call.flag(field)) is not None:
            listed = [user for user in listed if getattr(user, field) == value]
    if name:
        listed = [user for user in listed if contains(name, user.username) or contains(name, user.display_name)]
    page, pagination = paginate(ordered(listed, call, KEYS, "ID"), call)
    return {"users": [messages.user(user) for user in page], "pagination": pagination}


def get_user(call: Call, users: Users) -> Json:
    return {"user": messages.user(users.get(call.id("userId")))}


def get_user_by_username(call: Call, users: Users) -> Json:
    return {"user": messages.user(users.get_by_name(call.path["username"]))}


def create_user(call: Call, users: Users) -> Json:
    check(call.user, Action.CREATE_USER)
    fields = call.required("user", dict)
    if fields.get("remote"):
        raise InvalidArgumentError("user.remote: this cluster has no identity provider")
    user = users.create(
        str(fields.get("username") or ""),
        admin=bool(fields.get("admin")),
        active=bool(fields.get("active", True)),
        display_name=fields.get("displayName") or "",
        password_hash=_hash(call.body),
        agent_user_group=fields.get("agentUserGroup") or {},
    )
    return {"user": messages.user(user)}


def update_user(call: Call, users: Users) -> Json:
    user, body = users.get(call.id("userId")), call.body
    if body.get("remote"):
        raise InvalidArgumentError("remote: this cluster has no identity provider")
    changes = {column: body[field] for field, column in COLUMNS.items() if body.get(field) is not None}
    if changes.keys() & {"admin", "active", "agent_user_group"}:
        check(call.user, Action.UPDATE_USER)
    if changes.get("username", user.username) != user.username:
        check(call.user, Action.RENAME_USER, user.id)
    if changes.get("display_name", user.display_name) != user.display_name:
        check(call.user, Action.SET_DISPLAY_NAME, user.id)
    password = _hash(body) if body.get("password") is not None else None
    if password is not None:
        check(call.user, Action.SET_PASSWORD, user.id)
    return {"user": messages.user(users.update(user.id, changes, password))}


def set_password(call: Call, users: Users) -> Json:
    """The body is the password itself."""
    user = users.get(call.id("userId"))
    check(call.user, Action.SET_PASSWORD, user.id)
    return {"user": messages.user(users.update(user.id, {}, client_hash(call.required("", str))))}


def get_settings(call: Call, users: Users) -> Json:
    return {"settings": users.settings(call.user.user_id)}


def set_settings(call: Call, users: Users) -> Json:
    users.set_settings(call.user.user_id, call.body.get("settings") or [])
    return {}


def reset_settings(call: Call, users: Users) -> Json:
    users.reset_settings(call.user.user_id)
    return {}


def _hash(body: Json) -> str:
    password = str(body.get("password") or "")
    return password if body.get("isHashed") else client_hash(password)


ENDPOINTS: list[Endpoint] = [
    ("POST", "/api/v1/auth/login", login),
    ("POST", "/api/v1/auth/logout", logout),
    ("GET", "/api/v1/auth/user", me),
    ("GET", "/api/v1/me", me),
    ("GET", "/api/v1/users", list_users),
    ("POST", "/api/v1/users", create_user),
    ("GET", "/api/v1/users/setting", get_settings),
    ("POST", "/api/v1/users/setting", set_settings),
    ("POST", "/api/v1/users/setting/reset", reset_settings),
    ("GET", "/api/v1/users/{userId}", get_user),
    ("PATCH", "/api/v1/users/{userId}", update_user),
    ("POST", "/api/v1/users/{userId}/password", set_password),
    ("GET", "/api/v1/users/{username}/by-username", get_user_by_username),
]
