"""The model registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import archived, contains, owned
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.model import Json, Model, ModelVersion
from minipdk.services.determined.permissions import Action, check
from minipdk.services.determined.registry import Registry
from minipdk.services.determined.workspaces import UNCATEGORIZED, Workspaces


def list_(call: Call, registry: Registry, workspaces: Workspaces) -> Json:
    names = {workspace.id: workspace.name for workspace in workspaces.all()}
    models = [model for model in registry.all() if _matches(call, model, names[model.workspace_id])]
    keys: dict[str, Callable[[Model], Any]] = {
        "ID": lambda model: model.id,
        "NAME": lambda model: model.name,
        "DESCRIPTION": lambda model: model.description,
        "CREATION_TIME": lambda model: model.creation_time,
        "LAST_UPDATED_TIME": lambda model: model.last_updated_time,
        "NUM_VERSIONS": lambda model: model.num_versions,
        "WORKSPACE": lambda model: names[model.workspace_id],
    }
    page, pagination = paginate(ordered(models, call, keys, "LAST_UPDATED_TIME"), call)
    return {"models": [messages.model(model) for model in page], "pagination": pagination}


def get(call: Call, registry: Registry) -> Json:
    return {"model": messages.model(registry.get(call.path["model"]))}


def create(call: Call, registry: Registry, workspaces: Workspaces) -> Json:
    workspace_id = _workspace_id(call, workspaces) or UNCATEGORIZED
    model = registry.create(call.required("name", str), call.body, call.user.user_id, workspace_id)
    return {"model": messages.model(model)}


def update(call: Call, registry: Registry, workspaces: Workspaces) -> Json:
    changes = {key: value for key, value in call.body.items() if key not in ("workspaceId", "workspaceName")}
    if workspace_id := _workspace_id(call, workspaces):
        changes["workspace_id"] = workspace_id
    return {"model": messages.model(registry.update(call.path["model"], changes))}


def archive(call: Call, registry: Registry) -> Json:
    registry.archive(call.path["model"], True)
    return {}


def unarchive(call: Call, registry: Registry) -> Json:
    registry.archive(call.path["model"], False)
    return {}


def delete(call: Call, registry: Registry) -> Json:
    check(call.user, Action.DELETE_MODEL, registry.get(call.path["model"]).user_id)
    registry.delete(call.path["model"])
    return {}


def move(call: Call, registry: Registry, workspaces: Workspaces) -> Json:
    workspace = workspaces.get(call.required("destinationWorkspaceId", int))
    registry.update(call.path["model"], {"workspace_id": workspace.id})
    return {}


def list_labels(call: Call, registry: Registry) -> Json:
    page, pagination = paginate(registry.labels(call.number("workspaceId")), call)
    return {"labels": page, "pagination": pagination}


def list_versions(call: Call, registry: Registry) -> Json:
    model = registry.get(call.path["model"])
    keys: dict[str, Callable[[ModelVersion], Any]] = {
        "VERSION": lambda version: version.version,
        "CREATION_TIME": lambda version: version.creation_time,
    }
    page, pagination = paginate(ordered(registry.versions(model), call, keys, "VERSION"), call)
    versions = [messages.model_version(registry.details(model, version)) for version in page]
    return {"model": messages.model(model), "modelVersions": versions, "pagination": pagination}


def get_version(call: Call, registry: Registry) -> Json:
    model = registry.get(call.path["model"])
    return _version(registry, model, registry.version(model, call.id("version")))


def add_version(call: Call, registry: Registry, checkpoints: Checkpoints) -> Json:
    checkpoint = checkpoints.get(call.required("checkpointUuid", str))
    version = registry.add_version(call.path["model"], checkpoint, call.body, call.user.user_id)
    return _version(registry, registry.get(call.path["model"]), version)


def update_version(call: Call, registry: Registry) -> Json:
    version = registry.update_version(call.path["model"], call.id("version"), call.body)
    return _version(registry, registry.get(call.path["model"]), version)


def delete_version(call: Call, registry: Registry) -> Json:
    model = registry.get(call.path["model"])
    check(call.user, Action.DELETE_MODEL_VERSION, registry.version(model, call.id("version")).user_id, model.user_id)
    registry.delete_version(call.path["model"], call.id("version"))
    return {}


def _version(registry: Registry, model: Model, version: ModelVersion) -> Json:
    return {"modelVersion": messages.model_version(registry.details(model, version))}


def _workspace_id(call: Call, workspaces: Workspaces) -> int:
    """The workspace that the body names; 0 when it names none."""
    if name := call.body.get("workspaceName"):
        return workspaces.get_by_name(name).id
    if workspace_id := call.body.get("workspaceId"):
        return workspaces.get(workspace_id).id
    return 0


def _matches(call: Call, model: Model, workspace: str) -> bool:
    is_archived, in_ids, in_names = archived(call), call.texts("workspaceIds"), call.texts("workspaceNames")
    return (
        contains(call.text("name"), model.name)
        and contains(call.text("description"), model.description)
        and (is_archived is None or model.archived == is_archived)
        and call.number("id") in (0, model.id)
        and set(call.texts("labels")) <= set(model.labels)
        and (not in_ids or str(model.workspace_id) in in_ids)
        and (not in_names or workspace in in_names)
        and owned(call, model.username, model.user_id)
    )


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/models", list_),
    ("POST", "/api/v1/models", create),
    ("GET", "/api/v1/model/labels", list_labels),
    ("GET", "/api/v1/models/{model}", get),
    ("PATCH", "/api/v1/models/{model}", update),
    ("DELETE", "/api/v1/models/{model}", delete),
    ("POST", "/api/v1/models/{model}/archive", archive),
    ("POST", "/api/v1/models/{model}/unarchive", unarchive),
    ("POST", "/api/v1/models/{model}/move", move),
    ("GET", "/api/v1/models/{model}/versions", list_versions),
    ("POST", "/api/v1/models/{model}/versions", add_version),
    ("GET", "/api/v1/models/{model}/versions/{version}", get_version),
    ("PATCH", "/api/v1/models/{model}/versions/{version}", update_version),
    ("DELETE", "/api/v1/models/{model}/versions/{version}", delete_version),
]
