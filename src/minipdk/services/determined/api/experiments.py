"""Experiments."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from minipdk.services.determined import messages, model_definition
from minipdk.services.determined.api.filters import archived, contains, owned, states
from minipdk.services.determined.api.http import Call, Endpoint, ordered, paginate
from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError
from minipdk.services.determined.experiments import Experiments, priority
from minipdk.services.determined.model import Experiment, Json
from minipdk.services.determined.numbers import as_json, sortable
from minipdk.services.determined.permissions import Action, check
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.submissions import Submissions
from minipdk.services.determined.workspaces import Workspaces

ACTIVE_STATES = {"STATE_QUEUED", "STATE_PULLING", "STATE_STARTING", "STATE_RUNNING"}
"""The states that a client means by STATE_ACTIVE."""
RESOURCES = {"maxSlots": "max_slots", "priority": "priority", "weight": "weight"}
STORAGE = {
    "saveExperimentBest": "save_experiment_best",
    "saveTrialBest": "save_trial_best",
    "saveTrialLatest": "save_trial_latest",
}


def create(call: Call, submissions: Submissions, experiments: Experiments, scheduler: Scheduler) -> Json:
    submission = submissions.check(call.body)
    if call.body.get("validateOnly"):
        return {"experiment": messages.UNCREATED_EXPERIMENT, "config": None, "warnings": []}
    activate = bool(call.body.get("activate"))
    experiment = submissions.create(submission, user_id=call.user.user_id, activate=activate)
    scheduler.wake()
    message = messages.experiment(experiments.details(experiment))
    return {"experiment": message, "config": experiment.config, "warnings": []}


def continue_(call: Call, submissions: Submissions, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiment = experiments.get(call.required("id", int))
    experiments.check_continuable(experiment)
    config = submissions.check_continuation(experiment, call.body.get("overrideConfig") or "")
    experiments.continue_(experiment.id, config)
    scheduler.wake()
    return {"experiment": _message(experiments, experiment.id), "warnings": []}


def get(call: Call, experiments: Experiments) -> Json:
    message = _message(experiments, call.id())
    return {"experiment": message, "config": message["config"]}


def list_(call: Call, experiments: Experiments, workspaces: Workspaces) -> Json:
    if project_id := call.number("projectId"):
        workspaces.project(project_id)
    listed = [experiment for experiment in experiments.all() if _matches(call, experiment)]
    shown = [messages.experiment(experiments.details(experiment)) for experiment in listed]
    if selected := states(call, "experimentv1.State"):
        selected |= ACTIVE_STATES if "STATE_ACTIVE" in selected else set()
        shown = [message for message in shown if message["state"] in selected]
    keys: dict[str, Callable[[Json], Any]] = {
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
        "CHECKPOINT_SIZE": lambda message: int(message["checkpointSize"]),
        "CHECKPOINT_COUNT": _by("checkpointCount"),
        "SEARCHER_METRIC_VAL": lambda message: sortable(message["bestTrialSearcherMetric"]),
    }
    page, pagination = paginate(ordered(shown, call, keys, "ID"), call)
    return {"experiments": page, "pagination": pagination}


def update(call: Call, submissions: Submissions, experiments: Experiments, scheduler: Scheduler) -> Json:
    body = call.body
    fields = ("name", "description", "notes", "labels")
    changes: Json = {field: body[field] for field in fields if body.get(field) is not None}
    if "name" in changes and not changes["name"].strip():
        raise InvalidArgumentError("`name` must not be an empty or whitespace string")
    experiment = experiments.get(call.id())
    resources, storage = body.get("resources") or {}, body.get("checkpointStorage") or {}
    if resources or storage:
        config = submissions.reconfigure(experiment, _renamed(resources, RESOURCES), _renamed(storage, STORAGE))
        changes |= {"config": config, "priority": priority(config)}
    experiments.update(experiment.id, changes)
    if storage:
        experiments.collect_garbage(experiment.id)
    scheduler.wake()
    return {"experiment": _message(experiments, experiment.id)}


def activate(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiments.set_paused(call.id(), False)
    scheduler.wake()
    return {}


def pause(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiments.set_paused(call.id(), True)
    scheduler.wake()
    return {}


def cancel(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiments.stop(call.id(), kill=False)
    scheduler.wake()
    return {}


def kill(call: Call, experiments: Experiments, scheduler: Scheduler) -> Json:
    experiments.stop(call.id(), kill=True)
    scheduler.wake()
    return {}


def archive(call: Call, experiments: Experiments) -> Json:
    experiments.set_archived(call.id(), True)
    return {}


def unarchive(call: Call, experiments: Experiments) -> Json:
    experiments.set_archived(call.id(), False)
    return {}


def delete(call: Call, experiments: Experiments) -> Json:
    check(call.user, Action.DELETE_EXPERIMENT, experiments.get(call.id()).user_id)
    experiments.delete(call.id())
    return {}


def delete_tensorboard_files(call: Call, experiments: Experiments) -> Json:
    experiments.delete_tensorboard_files(call.id())
    return {}


def move(call: Call, experiments: Experiments, workspaces: Workspaces) -> Json:
    project = workspaces.open_project(call.required("destinationProjectId", int))
    experiments.update(call.id(), {"project_id": project.id})
    return {}


def add_label(call: Call, experiments: Experiments) -> Json:
    return {"labels": experiments.add_label(call.id(), call.path["label"])}


def remove_label(call: Call, experiments: Experiments) -> Json:
    return {"labels": experiments.remove_label(call.id(), call.path["label"])}


def list_labels(call: Call, experiments: Experiments) -> Json:
    return {"labels": experiments.labels(call.number("projectId"))}


def get_definition(call: Call, experiments: Experiments) -> Json:
    return {"b64Tgz": base64.b64encode(experiments.definition(experiments.get(call.id()))).decode()}


def get_definition_tree(call: Call, experiments: Experiments) -> Json:
    return {"files": model_definition.tree(experiments.definition(experiments.get(call.id())))}


def get_definition_file(call: Call, experiments: Experiments) -> Json:
    archive = experiments.definition(experiments.get(call.id()))
    return {"file": base64.b64encode(model_definition.read(archive, call.required("path", str))).decode()}


def best_validation(call: Call, experiments: Experiments) -> Json:
    best = experiments.details(experiments.get(call.id())).best_metric
    if best is None:
        raise NotFoundError(f"experiment {call.id()} has no value of its searcher metric yet: no validations for experiment")
    return {"metric": as_json(best)}


def validation_history(call: Call, experiments: Experiments) -> Json:
    history = experiments.validation_history(experiments.get(call.id()))
    return {
        "validationHistory": [
            {"trialId": report.trial_id, "endTime": report.end_time, "searcherMetric": as_json(value)}
            for report, value in history
        ]
    }


def _message(experiments: Experiments, experiment_id: int) -> Json:
    return messages.experiment(experiments.details(experiments.get(experiment_id)))


def _renamed(body: Json, names: dict[str, str]) -> Json:
    """The fields of the body that ``names`` has, under its names."""
    return {names[field]: body[field] for field in names if field in body}


def _by(field: str) -> Callable[[Json], Any]:
    return lambda message: message[field]


def _matches(call: Call, experiment: Experiment) -> bool:
    is_archived, ids = archived(call), call.texts("experimentIdFilter.incl")
    return (
        contains(call.text("name"), experiment.name)
        and contains(call.text("description"), experiment.description)
        and (is_archived is None or experiment.archived == is_archived)
        and (not ids or str(experiment.id) in ids)
        and set(call.texts("labels")) <= set(experiment.labels)
        and owned(call, experiment.username, experiment.user_id)
        and call.number("projectId") in (0, experiment.project_id)
        and _within(call, experiment.id)
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
    ("GET", "/api/v1/experiment/labels", list_labels),
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
    ("GET", "/api/v1/experiments/{id}/model_def", get_definition),
    ("GET", "/api/v1/experiments/{id}/file_tree", get_definition_tree),
    ("POST", "/api/v1/experiments/{id}/file", get_definition_file),
    ("GET", "/api/v1/experiments/{id}/searcher/best_searcher_validation_metric", best_validation),
    ("GET", "/api/v1/experiments/{id}/validation-history", validation_history),
]
