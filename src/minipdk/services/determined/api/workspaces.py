"""Workspaces and projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import archived, matches, owned
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.determined.model import Json, Project, Workspace
from minipdk.services.determined.permissions import Action, check
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
    listed = [workspace for workspace in listed if matches(call.text("nameCaseSensitive"), workspace.name, case=True)]
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
    workspace = workspaces.check_changeable(call.id())
    if (name := call.body.get("name")) is not None and name != workspace.name:
        check(call.user, Action.RENAME_WORKSPACE, workspace.user_id)
        workspace = workspaces.rename(call.id(), name)
    return {"workspace": messages.workspace(workspace), "namespaceBindings": {}}


def delete_workspace(call: Call, workspaces: Workspaces) -> Json:
    check(call.user, Action.DELETE_WORKSPACE, workspaces.get(call.id()).user_id)
    workspaces.delete(call.id())
    return {"completed": True}


def archive_workspace(call: Call, workspaces: Workspaces) -> Json:
    check(call.user, Action.ARCHIVE_WORKSPACE, workspaces.get(call.id()).user_id)
    workspaces.archive(call.id(), True)
    return {}


def unarchive_workspace(call: Call, workspaces: Workspaces) -> Json:
    check(call.user, Action.UNARCHIVE_WORKSPACE, workspaces.get(call.id()).user_id)
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
    project = workspaces.project(call.id())
    changes = {
        field: call.body[field]
        for field in ("name", "description", "key")
        if call.body.get(field) not in (None, getattr(project, field))
    }
    if changes:
        action = Action.SET_PROJECT_KEY if changes.keys() == {"key"} else Action.SET_PROJECT_NAME_OR_DESCRIPTION
        _check_owner(call, action, workspaces)
    return {"project": messages.project(workspaces.update_project(call.id(), changes))}


def move_project(call: Call, workspaces: Workspaces) -> Json:
    project, workspace = workspaces.project(call.id()), workspaces.get(call.required("destinationWorkspaceId", int))
    check(call.user, Action.MOVE_PROJECT, project.user_id)
    workspaces.move_project(project, workspace)
    return {}


def delete_project(call: Call, workspaces: Workspaces) -> Json:
    _check_owner(call, Action.DELETE_PROJECT, workspaces)
    workspaces.delete_project(call.id())
    return {"completed": True}


def archive_project(call: Call, workspaces: Workspaces) -> Json:
    _check_owner(call, Action.ARCHIVE_PROJECT, workspaces)
    workspaces.archive_project(call.id(), True)
    return {}


def unarchive_project(call: Call, workspaces: Workspaces) -> Json:
    _check_owner(call, Action.UNARCHIVE_PROJECT, workspaces)
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


def _check_owner(call: Call, action: Action, workspaces: Workspaces) -> None:
    """A project is changed by its owner and by the owner of its workspace."""
    project = workspaces.project(call.id())
    check(call.user, action, project.user_id, workspaces.get(project.workspace_id).user_id)


def _matches(call: Call, noun: Workspace | Project) -> bool:
    is_archived = archived(call)
    return (
        matches(call.text("name"), noun.name)
        and (is_archived is None or noun.archived == is_archived)
        and owned(call, noun.username, noun.user_id)
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
    ("POST", "/api/v1/projects/{id}/move", move_project),
    ("POST", "/api/v1/projects/{id}/archive", archive_project),
    ("POST", "/api/v1/projects/{id}/unarchive", unarchive_project),
    ("PUT", "/api/v1/projects/{id}/notes", set_notes),
    ("POST", "/api/v1/projects/{id}/notes", add_note),
]
