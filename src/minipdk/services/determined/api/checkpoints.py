"""Checkpoints, and their download through the master."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import StreamingResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.filters import states
from minipdk.services.determined.api.http import Call, Endpoint, paginate, sort
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.model import Checkpoint, Json, Searcher
from minipdk.services.determined.numbers import sortable
from minipdk.services.determined.trials import Trials


def of_experiment(call: Call, checkpoints: Checkpoints, experiments: Experiments) -> Json:
    searcher = experiments.get(call.id()).searcher
    return _page(call, checkpoints, checkpoints.of_experiment(call.id()), searcher)


def of_trial(call: Call, checkpoints: Checkpoints, experiments: Experiments, trials: Trials) -> Json:
    trial = trials.get(call.id())
    searcher = experiments.get(trial.experiment_id).searcher
    return _page(call, checkpoints, checkpoints.of_trial(trial.id), searcher)


def get(call: Call, checkpoints: Checkpoints) -> Json:
    return _message(checkpoints, checkpoints.get(call.path["uuid"]))


def set_metadata(call: Call, checkpoints: Checkpoints) -> Json:
    metadata = call.required("checkpoint", dict).get("metadata") or {}
    return _message(checkpoints, checkpoints.set_metadata(call.path["uuid"], metadata))


def delete(call: Call, checkpoints: Checkpoints) -> Json:
    checkpoints.delete(call.required("checkpointUuids", list))
    checkpoints.remove_deleted_files()
    return {}


def remove_files(call: Call, checkpoints: Checkpoints) -> Json:
    checkpoints.remove_files(call.required("checkpointUuids", list), call.required("checkpointGlobs", list))
    return {}


def report_removed_files(call: Call, checkpoints: Checkpoints) -> Json:
    remaining: list[tuple[str, Json | None]] = []
    for checkpoint in call.required("checkpoints", list):
        resources = checkpoint.get("resources")
        remaining.append((str(checkpoint.get("uuid")), None if resources is None else resources.get("resources") or {}))
    checkpoints.report_remaining(remaining)
    return {}


def download(call: Call, checkpoints: Checkpoints) -> StreamingResponse:
    """``Accept`` chooses application/gzip (a tar.gz, also for */*) or application/zip."""
    accepted = call.request.headers.get("accept", "*/*")
    if "zip" in accepted.replace("gzip", ""):
        kind, media = "zip", "application/zip"
    elif any(name in accepted for name in ("gzip", "x-tar", "*/*")):
        kind, media = "tgz", "application/gzip"
    else:
        raise InvalidArgumentError(f"Accept: {accepted!r} is not application/gzip or application/zip")
    uuid = call.path["uuid"]
    headers = {"Content-Disposition": f'attachment; filename="{uuid}.{kind}"'}
    return StreamingResponse(checkpoints.archive(uuid, kind), media_type=media, headers=headers)


def _message(checkpoints: Checkpoints, checkpoint: Checkpoint) -> Json:
    return {"checkpoint": messages.checkpoint(checkpoints.details(checkpoint))}


def _page(call: Call, checkpoints: Checkpoints, listed: list[Checkpoint], searcher: Searcher) -> Json:
    if selected := states(call, "checkpointv1.State"):
        listed = [checkpoint for checkpoint in listed if f"STATE_{checkpoint.state}" in selected]
    page, pagination = paginate(_sorted(call, checkpoints, listed, searcher), call)
    shown = [messages.checkpoint(checkpoints.details(checkpoint)) for checkpoint in page]
    return {"checkpoints": shown, "pagination": pagination}


def _sorted(call: Call, checkpoints: Checkpoints, listed: list[Checkpoint], searcher: Searcher) -> list[Checkpoint]:
    """By a metric or an attribute. Sorted by the searcher's metric without an order, the best comes first."""
    metric, attribute = call.text("sortByMetric"), call.text("sortByAttr") or "SORT_BY_UNSPECIFIED"
    descending = call.descending
    if not metric and attribute in ("SORT_BY_UNSPECIFIED", "SORT_BY_SEARCHER_METRIC"):
        metric = searcher.metric
        if call.text("orderBy") in (None, "ORDER_BY_UNSPECIFIED"):
            descending = not searcher.smaller_is_better
    if metric:
        name = metric
        return sort(listed, lambda checkpoint: sortable(checkpoints.metric(checkpoint, name)), reverse=descending)
    keys: dict[str, Callable[[Checkpoint], Any]] = {
        "SORT_BY_UUID": lambda checkpoint: checkpoint.uuid,
        "SORT_BY_TRIAL_ID": lambda checkpoint: checkpoint.trial_id,
        "SORT_BY_BATCH_NUMBER": lambda checkpoint: checkpoint.steps,
        "SORT_BY_END_TIME": lambda checkpoint: checkpoint.report_time,
        "SORT_BY_STATE": lambda checkpoint: checkpoint.state,
    }
    if attribute not in keys:
        raise UnsupportedError(f"sortByAttr {attribute}")
    return sort(listed, keys[attribute], reverse=descending)


ENDPOINTS: list[Endpoint] = [
    ("GET", "/api/v1/experiments/{id}/checkpoints", of_experiment),
    ("GET", "/api/v1/trials/{id}/checkpoints", of_trial),
    ("GET", "/api/v1/checkpoints/{uuid}", get),
    ("POST", "/api/v1/checkpoints/{uuid}/metadata", set_metadata),
    ("DELETE", "/api/v1/checkpoints", delete),
    ("PATCH", "/api/v1/checkpoints", report_removed_files),
    ("POST", "/api/v1/checkpoints/rm", remove_files),
    ("GET", "/checkpoints/{uuid}", download),
]
