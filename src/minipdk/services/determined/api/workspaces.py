"""Workspaces and projects."""

from __future__ import annotations

from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError

KEYS: dict[str, Any] = {"ID": lambda row: row["id"], "NAME": lambda row: row["name"].lower()}
NOT_HERE = (
    "agentUserGroup",
    "checkpointStorageConfig",
    "clusterNamespaceMeta",
    "clusterQuotaPairs",
    "defaultAuxPool",
    "defaultAuxResourcePool",
    "defaultComputePool",
    "defaultComputeResourcePool",
)


def list_workspaces(call: Call) -> Json:
    rows = [row for row in call.master.workspaces.all() if _wanted(call, row)]
    if name := call.one("nameCaseSensitive"):
        rows = [row for row in rows if row["name"] == name]
    page, pagination = paginate(ordered(rows, call, KEYS, "ID"), call)
    return {"workspaces": [messages.workspace(row) for row in page], "pagination": pagination}


def get_workspace(call: Call) -> Json:
    return {"workspace": messages.workspace(call.master.workspaces.get(call.id()))}


def create_workspace(call: Call) -> Json:
    _refuse(call)
    row = call.master.workspaces.create(call.required("name"), call.user.user_id)
    return {"workspace": messages.workspace(row), "namespaceBindings": {}}


def update_workspace(call: Call) -> Json:
    _refuse(call)
    row = call.master.workspaces.get(call.id())
    if (name := call.body.get("name")) is not None:
        row = call.master.workspaces.rename(call.id(), name)
    return {"workspace": messages.workspace(row), "namespaceBindings": {}}


def delete_workspace(call: Call) -> Json:
    call.master.workspaces.delete(call.id())
    return {"completed": True}


def archive_workspace(call: Call) -> Json:
    call.master.workspaces.archive(call.id(), True)
    return {}


def unarchive_workspace(call: Call) -> Json:
    call.master.workspaces.archive(call.id(), False)
    return {}


def list_projects(call: Call) -> Json:
    rows = [row for row in call.master.workspaces.projects(call.id()) if _wanted(call, row)]
    page, pagination = paginate(ordered(rows, call, KEYS, "ID"), call)
    return {"projects": [messages.project(row) for row in page], "pagination": pagination}


def get_project(call: Call) -> Json:
    return {"project": messages.project(call.master.workspaces.project(call.id()))}


def get_project_by_key(call: Call) -> Json:
    return {"project": messages.project(call.master.workspaces.project_by_key(call.path["key"]))}


def create_project(call: Call) -> Json:
    row = call.master.workspaces.create_project(
        call.id(), call.required("name"), call.body.get("description") or "", call.body.get("key"), call.user.user_id
    )
    return {"project": messages.project(row)}


def update_project(call: Call) -> Json:
    changes = {field: call.body[field] for field in ("name", "description", "key") if call.body.get(field) is not None}
    return {"project": messages.project(call.master.workspaces.update_project(call.id(), changes))}


def delete_project(call: Call) -> Json:
    call.master.workspaces.delete_project(call.id())
    return {"completed": True}


def archive_project(call: Call) -> Json:
    call.master.workspaces.archive_project(call.id(), True)
    return {}


def unarchive_project(call: Call) -> Json:
    call.master.workspaces.archive_project(call.id(), False)
    return {}


def set_notes(call: Call) -> Json:
    notes = call.required("notes", list)
    row = call.master.workspaces.update_project(call.id(), {"notes": [_note(note) for note in notes]})
    return {"notes": messages.project(row)["notes"]}


def add_note(call: Call) -> Json:
    notes = messages.project(call.master.workspaces.project(call.id()))["notes"]
    row = call.master.workspaces.update_project(call.id(), {"notes": [*notes, _note(call.body)]})
    return {"notes": messages.project(row)["notes"]}


def _note(note: Any) -> Json:
    if not isinstance(note, dict) or not note.keys() <= {"name", "contents"}:
        raise InvalidArgumentError("a note has a name and contents")
    return {"name": note.get("name") or "", "contents": note.get("contents") or ""}


def _wanted(call: Call, row: Any) -> bool:
    name, archived, users = call.one("name"), call.flag("archived"), call.many("users")
    return (
        (not name or name.lower() in row["name"].lower())
        and (archived is None or bool(row["archived"]) == archived)
        and (not users or row["username"] in users)
    )


def _refuse(call: Call) -> None:
    for field in NOT_HERE:
        if call.body.get(field):
            raise UnsupportedError(f"workspace setting {field}")


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/workspaces", list_workspaces),
    ("POST", "/api/v1/workspaces", create_workspace),
    ("GET", "/api/v1/workspaces/{id}", get_workspace),
    ("PATCH", "/api/v1/workspaces/{id}", update_workspace),
    ("DELETE", "/api/v1/workspaces/{id}", delete_workspace),
    ("POST", "/api/v1/workspaces/{id}/archive", archive_workspace),
    ("POST", "/api/v1/workspaces/{id}/unarchive", unarchive_workspace),
    ("GET", "/api/v1/workspaces/{id}/projects", list_projects),
    ("POST", "/api/v1/workspaces/{id}/projects", create_project),
    ("GET", "/api/v1/projects/key/{key}", get_project_by_key),
    ("GET", "/api/v1/projects/{id}", get_project),
    ("PATCH", "/api/v1/projects/{id}", update_project),
    ("DELETE", "/api/v1/projects/{id}", delete_project),
    ("POST", "/api/v1/projects/{id}/archive", archive_project),
    ("POST", "/api/v1/projects/{id}/unarchive", unarchive_project),
    ("PUT", "/api/v1/projects/{id}/notes", set_notes),
    ("POST", "/api/v1/projects/{id}/notes", add_note),
]
