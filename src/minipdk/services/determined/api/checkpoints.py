"""Checkpoints, and their download through the master."""

from __future__ import annotations

import sqlite3
from typing import Any

from starlette.responses import StreamingResponse

from minipdk.services.determined import messages
from minipdk.services.determined.api.http import Call, Endpoint, Json, paginate
from minipdk.services.determined.errors import InvalidArgumentError, UnsupportedError
from minipdk.services.determined.metrics import VALIDATION, number
from minipdk.services.determined.store.schema import loads


def of_experiment(call: Call) -> Json:
    config = loads(call.master.experiments.get(call.id())["config_json"])
    return _page(call, call.master.checkpoints.of_experiment(call.id()), config)


def of_trial(call: Call) -> Json:
    trial = call.master.trials.get(call.id())
    config = loads(call.master.experiments.get(trial["experiment_id"])["config_json"])
    return _page(call, call.master.checkpoints.of_trial(trial["id"]), config)


def get(call: Call) -> Json:
    return {"checkpoint": messages.checkpoint(call.master, call.master.checkpoints.get(call.path["uuid"]))}


def set_metadata(call: Call) -> Json:
    metadata = call.required("checkpoint", dict).get("metadata") or {}
    return {
        "checkpoint": messages.checkpoint(call.master, call.master.checkpoints.set_metadata(call.path["uuid"], metadata))
    }


def delete(call: Call) -> Json:
    call.master.checkpoints.delete(call.required("checkpointUuids", list))
    call.master.checkpoints.remove_deleted_files()
    return {}


def remove_files(call: Call) -> Json:
    call.master.checkpoints.remove_files(call.required("checkpointUuids", list), call.required("checkpointGlobs", list))
    return {}


def report_removed_files(call: Call) -> Json:
    for one in call.required("checkpoints", list):
        if one.get("resources") is not None:
            call.master.checkpoints.set_resources(str(one.get("uuid")), one["resources"].get("resources") or {})
    return {}


def download(call: Call) -> StreamingResponse:
    """``Accept`` chooses application/gzip (a tar.gz, also for */*) or application/zip."""
    accepted = call.request.headers.get("accept", "*/*")
    if "zip" in accepted.replace("gzip", ""):
        kind, media = "zip", "application/zip"
    elif any(one in accepted for one in ("gzip", "x-tar", "*/*")):
        kind, media = "tgz", "application/gzip"
    else:
        raise InvalidArgumentError(f"Accept: {accepted!r} is not application/gzip or application/zip")
    uuid = call.path["uuid"]
    headers = {"Content-Disposition": f'attachment; filename="{uuid}.{kind}"'}
    return StreamingResponse(call.master.checkpoints.archive(uuid, kind), media_type=media, headers=headers)


def _page(call: Call, rows: list[sqlite3.Row], config: Json) -> Json:
    if wanted := call.many("states"):
        rows = [row for row in rows if f"STATE_{row['state']}" in wanted]
    rows = _sorted(call, rows, config)
    page, pagination = paginate(rows, call)
    return {"checkpoints": [messages.checkpoint(call.master, row) for row in page], "pagination": pagination}


def _sorted(call: Call, rows: list[sqlite3.Row], config: Json) -> list[sqlite3.Row]:
    """By a metric or an attribute; those without it come last. The searcher's metric alone means the best first."""
    searcher = config["searcher"]
    name, attribute, order = call.one("sortByMetric"), call.one("sortByAttr") or "SORT_BY_UNSPECIFIED", call.one("orderBy")
    descending = order == "ORDER_BY_DESC"
    if not name and attribute in ("SORT_BY_UNSPECIFIED", "SORT_BY_SEARCHER_METRIC"):
        name = searcher["metric"]
        if order in (None, "ORDER_BY_UNSPECIFIED"):
            descending = not searcher["smaller_is_better"]
    keys: dict[str, Any] = {
        "SORT_BY_UUID": lambda row: row["uuid"],
        "SORT_BY_TRIAL_ID": lambda row: row["trial_id"],
        "SORT_BY_BATCH_NUMBER": lambda row: row["steps"],
        "SORT_BY_END_TIME": lambda row: row["report_time"],
        "SORT_BY_STATE": lambda row: row["state"],
    }
    if not name and attribute not in keys:
        raise UnsupportedError(f"sortByAttr {attribute}")

    def by_metric(row: sqlite3.Row) -> float | None:
        return number(call.master.metrics.at(row["trial_id"], VALIDATION, row["steps"]), str(name))

    key: Any = by_metric if name else keys[attribute]
    values = [(key(row), row) for row in rows]
    known = sorted((one for one in values if one[0] is not None), key=lambda one: one[0], reverse=descending)
    return [row for _, row in known] + [row for value, row in values if value is None]


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
