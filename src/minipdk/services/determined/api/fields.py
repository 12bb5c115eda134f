"""The types of the fields of request bodies, from Determined's protos, checked before a handler is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minipdk.services.determined.errors import InvalidArgumentError

Check = Callable[[Any], bool]


def check(body: dict[str, Any]) -> dict[str, Any]:
    """``body`` without its nulls, which mean "not given". Raises InvalidArgumentError naming a field of the wrong type."""
    for name, value in body.items():
        if value is not None and name in TYPES:
            described, fits = TYPES[name]
            if not fits(value):
                raise InvalidArgumentError(f"{name} must be {described}")
    return {name: value for name, value in body.items() if value is not None}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(fits(item) for item in value)


def _object_of(**fields: Check) -> Check:
    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(
            value.get(name) is None or fits_field(value[name]) for name, fits_field in fields.items()
        )

    return fits


def _text_or_notes(value: Any) -> bool:
    return _is_text(value) or _list_of(_object_of(name=_is_text, contents=_is_text))(value)


TEXT = ("text", _is_text)
NUMBER = ("a whole number", _is_number)
FLAG = ("true or false", _is_flag)
OBJECT = ("an object", _is_object)
TEXTS = ("a list of text", _list_of(_is_text))

TYPES: dict[str, tuple[str, Check]] = {
    **dict.fromkeys(("name", "username", "password", "displayName", "description", "comment", "config", "key"), TEXT),
    **dict.fromkeys(("overrideConfig", "template", "workspaceName", "checkpointUuid", "group", "state", "reason"), TEXT),
    **dict.fromkeys(("uuid", "allocationId", "taskId", "reportTime", "path", "contents"), TEXT),
    **dict.fromkeys(("id", "parentId", "projectId", "workspaceId", "destinationProjectId"), NUMBER),
    **dict.fromkeys(("destinationWorkspaceId", "runId"), NUMBER),
    **dict.fromkeys(("activate", "validateOnly", "unmanaged", "isHashed", "admin", "active", "remote"), FLAG),
    **dict.fromkeys(("labels", "checkpointUuids", "checkpointGlobs"), TEXTS),
    "runIds": ("a list of whole numbers", _list_of(_is_number)),
    "notes": ("text, or a list of notes", _text_or_notes),
    "metadata": OBJECT,
    "acceleratorData": OBJECT,
    "checkpointStorage": OBJECT,
    "user": (
        "a user",
        _object_of(username=_is_text, displayName=_is_text, admin=_is_flag, active=_is_flag, remote=_is_flag),
    ),
    "checkpoint": ("a checkpoint", _object_of(metadata=_is_object)),
    "checkpoints": (
        "a list of checkpoints",
        _list_of(_object_of(uuid=_is_text, resources=_object_of(resources=_is_object))),
    ),
    "updates": (
        "a list of changes to jobs",
        _list_of(
            _object_of(jobId=_is_text, priority=_is_number, aheadOf=_is_text, behindOf=_is_text, resourcePool=_is_text)
        ),
    ),
    "logs": (
        "a list of log entries",
        _list_of(
            _object_of(
                log=_is_text,
                taskId=_is_text,
                allocationId=_is_text,
                containerId=_is_text,
                timestamp=_is_text,
                level=_is_text,
                stdtype=_is_text,
                source=_is_text,
                rankId=_is_number,
            )
        ),
    ),
    "metrics": (
        "a report {trialRunId, stepsCompleted, metrics}",
        _object_of(
            trialRunId=_is_number,
            stepsCompleted=_is_number,
            reportTime=_is_text,
            metrics=_object_of(avgMetrics=_is_object, batchMetrics=_list_of(_is_object)),
        ),
    ),
    "modelDefinition": ("a list of files", _list_of(_object_of(path=_is_text, content=_is_text, type=_is_number))),
}
