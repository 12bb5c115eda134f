"""Experiments."""

from __future__ import annotations

import base64
from typing import Any

from minipdk.services.determined import messages, model_definition
from minipdk.services.determined.api.http import Call, Endpoint, Json, ordered, paginate
from minipdk.services.determined.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from minipdk.services.determined.metrics import number
from minipdk.services.determined.resource_manager.scheduler import DEFAULT_PRIORITY
from minipdk.services.determined.store.schema import loads
from minipdk.services.determined.submissions import Submission

UNCREATED: Json = {
    "id": 0,
    "name": "",
    "state": "STATE_UNSPECIFIED",
    "archived": False,
    "config": {},
    "originalConfig": "",
    "jobId": "",
    "numTrials": 0,
    "projectId": 0,
    "projectOwnerId": 0,
    "searcherType": "",
    "startTime": "1970-01-01T00:00:00Z",
    "username": "",
}
"""What a request that only validates is answered with in place of an experiment."""


def create(call: Call) -> Json:
    master = call.master
    checked: Submission = master.submissions.check(call.body)
    if call.body.get("validateOnly"):
        return {"experiment": UNCREATED, "config": checked.config, "warnings": []}
    row = master.experiments.create(
        checked.config,
        checked.original,
        checked.archive,
        project_id=checked.project["id"],
        parent_id=checked.parent_id,
        user_id=call.user.user_id,
        priority=checked.config["resources"]["priority"] or DEFAULT_PRIORITY,
        source=checked.source,
        activate=bool(call.body.get("activate")),
    )
    master.scheduler.wake()
    return {"experiment": messages.experiment(master, row), "config": loads(row["config_json"]), "warnings": []}


def continue_(call: Call) -> Json:
    master, experiment_id = call.master, call.required("id", int)
    config = master.submissions.check_continuation(
        master.experiments.get(experiment_id), call.body.get("overrideConfig") or ""
    )
    master.experiments.continue_(experiment_id, config)
    master.scheduler.wake()
    return {"experiment": _message(call, experiment_id), "warnings": []}


def get(call: Call) -> Json:
    message = _message(call, call.id())
    return {"experiment": message, "config": message["config"]}


def list_(call: Call) -> Json:
    rows = [row for row in call.master.experiments.all() if _wanted(call, row)]
    found = [messages.experiment(call.master, row) for row in rows]
    if wanted := call.many("states"):
        active = {"STATE_QUEUED", "STATE_PULLING", "STATE_STARTING", "STATE_RUNNING"} if "STATE_ACTIVE" in wanted else set()
        found = [one for one in found if one["state"] in active | set(wanted)]
    keys: dict[str, Any] = {
        "ID": _by("id"),
        "DESCRIPTION": _by("description"),
        "START_TIME": _by("startTime"),
        "END_TIME": _by("endTime"),
        "STATE": _by("state"),
        "NUM_TRIALS": _by("numTrials"),
        "PROGRESS": _by("progress"),
        "USER": _by("username"),
        "NAME": _by("name"),
        "FORKED_FROM": _by("forkedFrom"),
        "RESOURCE_POOL": _by("resourcePool"),
        "PROJECT_ID": _by("projectId"),
        "CHECKPOINT_SIZE": lambda one: int(one["checkpointSize"]),
        "CHECKPOINT_COUNT": _by("checkpointCount"),
        "SEARCHER_METRIC_VAL": _by("bestTrialSearcherMetric"),
    }
    page, pagination = paginate(ordered(found, call, keys, "ID"), call)
    return {"experiments": page, "pagination": pagination}


def update(call: Call) -> Json:
    experiment_id, body = call.id(), call.body
    changes: Json = {
        field: body[field] for field in ("name", "description", "notes", "labels") if body.get(field) is not None
    }
    if "name" in changes and not changes["name"].strip():
        raise InvalidArgumentError("name must not be blank")
    config = loads(call.master.experiments.get(experiment_id)["config_json"])
    resources, storage = body.get("resources") or {}, body.get("checkpointStorage") or {}
    if resources:
        columns = {"maxSlots": "max_slots", "priority": "priority", "weight": "weight"}
        config["resources"].update({columns[field]: resources[field] for field in columns if field in resources})
    if storage:
        names = ("saveExperimentBest", "saveTrialBest", "saveTrialLatest")
        snake = dict(zip(names, ("save_experiment_best", "save_trial_best", "save_trial_latest"), strict=True))
        config["checkpoint_storage"].update({snake[field]: storage[field] for field in names if field in storage})
    if resources or storage:
        config = call.master.submissions.complete(config)
        changes |= {"config": config, "priority": config["resources"]["priority"] or DEFAULT_PRIORITY}
    call.master.experiments.update(experiment_id, changes)
    if storage:
        call.master.experiments.collect_garbage(experiment_id)
    call.master.scheduler.wake()
    return {"experiment": _message(call, experiment_id)}


def activate(call: Call) -> Json:
    call.master.experiments.set_paused(call.id(), False)
    return _scheduled(call)


def pause(call: Call) -> Json:
    call.master.experiments.set_paused(call.id(), True)
    return _scheduled(call)


def cancel(call: Call) -> Json:
    call.master.experiments.stop(call.id(), kill=False)
    return _scheduled(call)


def kill(call: Call) -> Json:
    call.master.experiments.stop(call.id(), kill=True)
    return _scheduled(call)


def archive(call: Call) -> Json:
    call.master.experiments.set_archived(call.id(), True)
    return {}


def unarchive(call: Call) -> Json:
    call.master.experiments.set_archived(call.id(), False)
    return {}


def delete(call: Call) -> Json:
    call.master.experiments.delete(call.id())
    return {}


def delete_tensorboard_files(call: Call) -> Json:
    call.master.experiments.delete_tensorboard_files(call.id())
    return {}


def move(call: Call) -> Json:
    project = call.master.workspaces.project(call.required("destinationProjectId", int))
    if project["archived"]:
        raise FailedPreconditionError(f"project {project['name']!r} is archived: unarchive it first")
    call.master.experiments.update(call.id(), {"project_id": project["id"]})
    return {}


def add_label(call: Call) -> Json:
    labels = loads(call.master.experiments.get(call.id())["labels_json"])
    return _set_labels(call, [*labels, call.path["label"]] if call.path["label"] not in labels else labels)


def remove_label(call: Call) -> Json:
    labels = loads(call.master.experiments.get(call.id())["labels_json"])
    return _set_labels(call, [label for label in labels if label != call.path["label"]])


def labels(call: Call) -> Json:
    counts: dict[str, int] = {}
    for row in call.master.experiments.all():
        if call.number("projectId") in (0, row["project_id"]):
            for label in loads(row["labels_json"]):
                counts[label] = counts.get(label, 0) + 1
    return {"labels": sorted(counts, key=lambda label: (-counts[label], label))}


def definition(call: Call) -> Json:
    return {"b64Tgz": base64.b64encode(call.master.experiments.definition(call.id())).decode()}


def definition_tree(call: Call) -> Json:
    return {"files": model_definition.tree(call.master.experiments.definition(call.id()))}


def definition_file(call: Call) -> Json:
    content = model_definition.read(call.master.experiments.definition(call.id()), call.required("path"))
    return {"file": base64.b64encode(content).decode()}


def best_validation(call: Call) -> Json:
    best = _message(call, call.id())["bestTrialSearcherMetric"]
    if best is None:
        raise NotFoundError(f"experiment {call.id()} has no validation of its searcher metric yet")
    return {"metric": best}


def validation_history(call: Call) -> Json:
    """Each validation that was the experiment's best so far."""
    searcher = loads(call.master.experiments.get(call.id())["config_json"])["searcher"]
    reports = [
        row
        for trial in call.master.trials.of_experiment(call.id())
        for row in call.master.metrics.of_trial(trial["id"], "validation")
    ]
    sign = 1 if searcher["smaller_is_better"] else -1
    history: list[Json] = []
    for row in sorted(reports, key=lambda row: row["end_time"]):
        value = number(row, searcher["metric"])
        if value is not None and (not history or sign * value < sign * history[-1]["searcherMetric"]):
            history.append({"trialId": row["trial_id"], "endTime": row["end_time"], "searcherMetric": value})
    return {"validationHistory": history}


def _message(call: Call, experiment_id: int) -> Json:
    return messages.experiment(call.master, call.master.experiments.get(experiment_id))


def _scheduled(call: Call) -> Json:
    call.master.scheduler.wake()
    return {}


def _set_labels(call: Call, changed: list[str]) -> Json:
    call.master.experiments.update(call.id(), {"labels": changed})
    return {"labels": changed}


def _by(field: str) -> Any:
    return lambda message: message[field]


def _wanted(call: Call, row: Any) -> bool:
    name, description, archived = call.one("name"), call.one("description"), call.flag("archived")
    ids, wanted_labels, users = call.many("experimentIdFilter.incl"), call.many("labels"), call.many("users")
    return (
        (not name or name.lower() in row["name"].lower())
        and (not description or description.lower() in row["description"].lower())
        and (archived is None or bool(row["archived"]) == archived)
        and (not ids or str(row["id"]) in ids)
        and (not wanted_labels or set(wanted_labels) <= set(loads(row["labels_json"])))
        and (not users or row["username"] in users)
        and (not (user_ids := call.many("userIds")) or str(row["user_id"]) in user_ids)
        and call.number("projectId") in (0, row["project_id"])
        and _within(call, row["id"])
    )


def _within(call: Call, experiment_id: int) -> bool:
    bounds = {name: call.numbers(f"experimentIdFilter.{name}") for name in ("lt", "lte", "gt", "gte", "notIn")}
    return (
        all(experiment_id < bound for bound in bounds["lt"])
        and all(experiment_id <= bound for bound in bounds["lte"])
        and all(experiment_id > bound for bound in bounds["gt"])
        and all(experiment_id >= bound for bound in bounds["gte"])
        and experiment_id not in bounds["notIn"]
    )


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/experiments", list_),
    ("POST", "/api/v1/experiments", create),
    ("POST", "/api/v1/experiments/continue", continue_),
    ("GET", "/api/v1/experiment/labels", labels),
    ("GET", "/api/v1/experiments/{id}", get),
    ("PATCH", "/api/v1/experiments/{id}", update),
    ("DELETE", "/api/v1/experiments/{id}", delete),
    ("DELETE", "/api/v1/experiments/{id}/tensorboard-files", delete_tensorboard_files),
    ("POST", "/api/v1/experiments/{id}/activate", activate),
    ("POST", "/api/v1/experiments/{id}/pause", pause),
    ("POST", "/api/v1/experiments/{id}/cancel", cancel),
    ("POST", "/api/v1/experiments/{id}/kill", kill),
    ("POST", "/api/v1/experiments/{id}/archive", archive),
    ("POST", "/api/v1/experiments/{id}/unarchive", unarchive),
    ("POST", "/api/v1/experiments/{id}/move", move),
    ("PUT", "/api/v1/experiments/{id}/labels/{label}", add_label),
    ("DELETE", "/api/v1/experiments/{id}/labels/{label}", remove_label),
    ("GET", "/api/v1/experiments/{id}/model_def", definition),
    ("GET", "/api/v1/experiments/{id}/file_tree", definition_tree),
    ("POST", "/api/v1/experiments/{id}/file", definition_file),
    ("GET", "/api/v1/experiments/{id}/searcher/best_searcher_validation_metric", best_validation),
    ("GET", "/api/v1/experiments/{id}/validation-history", validation_history),
]
