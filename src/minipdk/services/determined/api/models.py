"""The model registry."""

from __future__ import annotations

from typing import Any

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json, ordered, paginate
from minipdk.services.determined.store.schema import loads
from minipdk.services.determined.workspaces import UNCATEGORIZED


def list_(call: Call) -> Json:
    names = {row["id"]: row["name"] for row in call.master.workspaces.all()}
    rows = [row for row in call.master.registry.all() if _wanted(call, row, names[row["workspace_id"]])]
    keys: dict[str, Any] = {
        "ID": lambda row: row["id"],
        "NAME": lambda row: row["name"],
        "DESCRIPTION": lambda row: row["description"],
        "CREATION_TIME": lambda row: row["creation_time"],
        "LAST_UPDATED_TIME": lambda row: row["last_updated_time"],
        "NUM_VERSIONS": lambda row: row["num_versions"],
        "WORKSPACE": lambda row: names[row["workspace_id"]],
    }
    page, pagination = paginate(ordered(rows, call, keys, "LAST_UPDATED_TIME"), call)
    return {"models": [messages.model(row) for row in page], "pagination": pagination}


def get(call: Call) -> Json:
    return {"model": messages.model(call.master.registry.get(call.path["model"]))}


def create(call: Call) -> Json:
    workspace_id = _workspace(call) or UNCATEGORIZED
    row = call.master.registry.create(call.required("name"), call.body, call.user.user_id, workspace_id)
    return {"model": messages.model(row)}


def update(call: Call) -> Json:
    changes = {key: value for key, value in call.body.items() if key not in ("workspaceId", "workspaceName")}
    if workspace_id := _workspace(call):
        changes["workspace_id"] = workspace_id
    return {"model": messages.model(call.master.registry.update(call.path["model"], changes))}


def archive(call: Call) -> Json:
    call.master.registry.archive(call.path["model"], True)
    return {}


def unarchive(call: Call) -> Json:
    call.master.registry.archive(call.path["model"], False)
    return {}


def delete(call: Call) -> Json:
    call.master.registry.delete(call.path["model"])
    return {}


def move(call: Call) -> Json:
    workspace = call.master.workspaces.get(call.required("destinationWorkspaceId", int))
    call.master.registry.update(call.path["model"], {"workspace_id": workspace["id"]})
    return {}


def labels(call: Call) -> Json:
    found = call.master.registry.labels(call.number("workspaceId"))
    page, pagination = paginate(found, call)
    return {"labels": page, "pagination": pagination}


def versions(call: Call) -> Json:
    model = call.master.registry.get(call.path["model"])
    keys: dict[str, Any] = {"VERSION": lambda row: row["version"], "CREATION_TIME": lambda row: row["creation_time"]}
    rows = ordered(call.master.registry.versions(model["id"]), call, keys, "VERSION")
    page, pagination = paginate(rows, call)
    found = [messages.model_version(call.master, model, row) for row in page]
    return {"model": messages.model(model), "modelVersions": found, "pagination": pagination}


def version(call: Call) -> Json:
    model = call.master.registry.get(call.path["model"])
    row = call.master.registry.version(model, call.id("version"))
    return {"modelVersion": messages.model_version(call.master, model, row)}


def add_version(call: Call) -> Json:
    checkpoint = call.master.checkpoints.get(call.required("checkpointUuid"))
    row = call.master.registry.add_version(call.path["model"], checkpoint, call.body, call.user.user_id)
    model = call.master.registry.get(call.path["model"])
    return {"modelVersion": messages.model_version(call.master, model, row)}


def update_version(call: Call) -> Json:
    row = call.master.registry.update_version(call.path["model"], call.id("version"), call.body)
    model = call.master.registry.get(call.path["model"])
    return {"modelVersion": messages.model_version(call.master, model, row)}


def delete_version(call: Call) -> Json:
    call.master.registry.delete_version(call.path["model"], call.id("version"))
    return {}


def _workspace(call: Call) -> int:
    if name := call.body.get("workspaceName"):
        return int(call.master.workspaces.get_by_name(name)["id"])
    if workspace_id := call.body.get("workspaceId"):
        return int(call.master.workspaces.get(workspace_id)["id"])
    return 0


def _wanted(call: Call, row: Any, workspace: str) -> bool:
    name, description, archived = call.one("name"), call.one("description"), call.flag("archived")
    in_ids, in_names, users = call.many("workspaceIds"), call.many("workspaceNames"), call.many("users")
    return (
        (not name or name.lower() in row["name"].lower())
        and (not description or description.lower() in row["description"].lower())
        and (archived is None or bool(row["archived"]) == archived)
        and call.number("id") in (0, row["id"])
        and set(call.many("labels")) <= set(loads(row["labels_json"]))
        and (not in_ids or str(row["workspace_id"]) in in_ids)
        and (not in_names or workspace in in_names)
        and (not users or row["username"] in users)
        and (not (user_ids := call.many("userIds")) or str(row["user_id"]) in user_ids)
    )


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/models", list_),
    ("POST", "/api/v1/models", create),
    ("GET", "/api/v1/model/labels", labels),
    ("GET", "/api/v1/models/{model}", get),
    ("PATCH", "/api/v1/models/{model}", update),
    ("DELETE", "/api/v1/models/{model}", delete),
    ("POST", "/api/v1/models/{model}/archive", archive),
    ("POST", "/api/v1/models/{model}/unarchive", unarchive),
    ("POST", "/api/v1/models/{model}/move", move),
    ("GET", "/api/v1/models/{model}/versions", versions),
    ("POST", "/api/v1/models/{model}/versions", add_version),
    ("GET", "/api/v1/models/{model}/versions/{version}", version),
    ("PATCH", "/api/v1/models/{model}/versions/{version}", update_version),
    ("DELETE", "/api/v1/models/{model}/versions/{version}", delete_version),
]
