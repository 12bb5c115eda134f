"""Workspaces and projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.determined.model import Json, Project, Workspace
from minipdk.services.determined.workspaces import Workspaces

KEYS: dict[str, Callable[[Workspace | Project], Any]] = {
    "ID": lambda noun: noun.id,
    "NAME": lambda noun: noun.name.lower(),
}
UNSUPPORTED_SETTINGS = (
    "agentUserGroup",
    "checkpointStorageConfig",
    "clusterNamespaceMeta",
    "clusterQuotaPairs",
    "defaultAuxPool",
    "defaultAuxResourcePool",
    "defaultComputePool",
    "defaultComputeResourcePool",
)


def list_workspaces(call: Call, workspaces: Workspaces) -> Json:
    listed = [workspace for workspace in workspaces.all() if _matches(call, workspace)]
    if name := call.text("nameCaseSensitive"):
        listed = [workspace for workspace in listed if workspace.name == name]
    page, pagination = paginate(ordered(listed, call, {**KEYS}, "ID"), call)
    return {"workspaces": [messages.workspace(workspace) for workspace in page], "pagination": pagination}


def get_workspace(call: Call, workspaces: Workspaces) -> Json:
    return {"workspace": messages.workspace(workspaces.get(call.id()))}


def create_workspace(call: Call, workspaces: Workspaces) -> Json:
    _refuse_unsupported(call)
    workspace = workspaces.create(call.required("name", str), call.user.user_id)
    return {"workspace": messages.workspace(workspace), "namespaceBindings": {}}


def update_workspace(call: Call, workspaces: Workspaces) -> Json:
    _refuse_unsupported(call)
    workspace = workspaces.get(call.id())
    if (name := call.body.get("name")) is not None:
        workspace = workspaces.rename(call.id(), name)
    return {"workspace": messages.workspace(workspace), "namespaceBindings": {}}


def delete_workspace(call: Call, workspaces: Workspaces) -> Json:
    workspaces.delete(call.id())
    return {"completed": True}


def archive_workspace(call: Call, workspaces: Workspaces) -> Json:
    workspaces.archive(call.id(), True)
    return {}


def unarchive_workspace(call: Call, workspaces: Workspaces) -> Json:
    workspaces.archive(call.id(), False)
    return {}


def list_projects(call: Call, workspaces: Workspaces) -> Json:
    listed = [project for project in workspaces.projects(call.id()) if _matches(call, project)]
    page, pagination = paginate(ordered(listed, call, {**KEYS}, "ID"), call)
    return {"projects": [messages.project(project) for project in page], "pagination": pagination}


def get_project(call: Call, workspaces: Workspaces) -> Json:
    return {"project": messages.project(workspaces.project(call.id()))}


def get_project_by_key(call: Call, workspaces: Workspaces) -> Json:
    return {"project": messages.project(workspaces.project_by_key(call.path["key"]))}


def create_project(call: Call, workspaces: Workspaces) -> Json:
    name, description = call.required("name", str), call.body.get("description") or ""
    project = workspaces.create_project(call.id(), name, description, call.body.get("key"), call.user.user_id)
    return {"project": messages.project(project)}


def update_project(call: Call, workspaces: Workspaces) -> Json:
    changes = {field: call.body[field] for field in ("name", "description", "key") if call.body.get(field) is not None}
    return {"project": messages.project(workspaces.update_project(call.id(), changes))}


def delete_project(call: Call, workspaces: Workspaces) -> Json:
    workspaces.delete_project(call.id())
    return {"completed": True}


def archive_project(call: Call, workspaces: Workspaces) -> Json:
    workspaces.archive_project(call.id(), True)
    return {}


def unarchive_project(call: Call, workspaces: Workspaces) -> Json:
    workspaces.archive_project(call.id(), False)
    return {}


def set_notes(call: Call, workspaces: Workspaces) -> Json:
    notes = [_note(note) for note in call.required("notes", list)]
    return {"notes": workspaces.update_project(call.id(), {"notes": notes}).notes}


def add_note(call: Call, workspaces: Workspaces) -> Json:
    notes = [*workspaces.project(call.id()).notes, _note(call.body)]
    return {"notes": workspaces.update_project(call.id(), {"notes": notes}).notes}


def _note(note: Any) -> Json:
    if not isinstance(note, dict) or not note.keys() <= {"name", "contents"}:
        raise InvalidArgumentError("a note has a name and contents")
    return {"name": note.get("name") or "", "contents": note.get("contents") or ""}


def _matches(call: Call, noun: Workspace | Project) -> bool:
    name, archived, users = call.text("name"), call.flag("archived"), call.texts("users")
    return (
        (not name or name.lower() in noun.name.lower())
        and (archived is None or noun.archived == archived)
        and (not users or noun.username in users)
    )


def _refuse_unsupported(call: Call) -> None:
    for field in UNSUPPORTED_SETTINGS:
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
