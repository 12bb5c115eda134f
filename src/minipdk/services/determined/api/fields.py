"""The types of the fields of requests, from Determined's protos, checked before a handler is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from minipdk.services.determined.errors import InvalidArgumentError

Check = Callable[[Any], bool]


INT32 = 1 << 31
"""The ids and the limits of Determined's requests are less than this."""
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,4000}")


def whole_number(name: str, text: str, bound: int) -> int:
    """The parameter ``name`` of a path or a query, less than ``bound`` on either side of 0.

    Raises InvalidArgumentError, in the words of grpc-gateway.
    """
    if _WHOLE_NUMBER.fullmatch(text) is None:
        fault = "invalid syntax"
    elif -bound <= int(text) < bound:
        return int(text)
    else:
        fault = "value out of range"
    raise InvalidArgumentError(f'type mismatch, parameter: {name}, error: strconv.ParseInt: parsing "{text}": {fault}')


def check(body: dict[str, Any], path: str = "") -> dict[str, Any]:
    """``body`` without its nulls, which mean "not given". Raises InvalidArgumentError naming a field of the wrong type.

    ``path`` is the endpoint's, because a few names have another type there.
    """
    types = {**TYPES, **OTHER_TYPES.get(path, {})}
    for name, value in body.items():
        if value is not None and name in types:
            described, fits = types[name]
            if not fits(value):
                raise InvalidArgumentError(f"{name} must be {described}")
    return {name: value for name, value in body.items() if value is not None}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number_or_fraction(value: Any) -> bool:
    return isinstance(value, float) or _is_number(value)


def _is_size(value: Any) -> bool:
    """A 64-bit number, which JSON messages carry as text."""
    return _is_number(value) or (_is_text(value) and re.fullmatch(r"[0-9]{1,18}", value) is not None)


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


def _map_of(fits: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(fits(item) for item in value.values())


TEXT = ("text", _is_text)
NUMBER = ("a whole number", _is_number)
FLAG = ("true or false", _is_flag)
FRACTION = ("a number", _is_number_or_fraction)
OBJECT = ("an object", _is_object)
TEXTS = ("a list of text", _list_of(_is_text))

AGENT_USER_GROUP = _object_of(agentUid=_is_number, agentGid=_is_number, agentUser=_is_text, agentGroup=_is_text)

TYPES: dict[str, tuple[str, Check]] = {
    **dict.fromkeys(("name", "username", "password", "displayName", "description", "comment", "config", "key"), TEXT),
    **dict.fromkeys(("overrideConfig", "template", "workspaceName", "checkpointUuid", "group", "state", "reason"), TEXT),
    **dict.fromkeys(("uuid", "allocationId", "taskId", "reportTime", "path", "contents", "notes", "filter"), TEXT),
    **dict.fromkeys(("id", "parentId", "projectId", "workspaceId", "destinationProjectId"), NUMBER),
    **dict.fromkeys(("destinationWorkspaceId", "runId"), NUMBER),
    **dict.fromkeys(("activate", "validateOnly", "unmanaged", "isHashed", "admin", "active", "remote"), FLAG),
    **dict.fromkeys(("labels", "checkpointUuids", "checkpointGlobs"), TEXTS),
    "runIds": ("a list of whole numbers", _list_of(_is_number)),
    "progress": FRACTION,
    "metadata": OBJECT,
    "acceleratorData": OBJECT,
    "resources": ("the sizes of files", _map_of(_is_size)),
    "checkpointStorage": OBJECT,
    "user": (
        "a user",
        _object_of(
            username=_is_text,
            displayName=_is_text,
            admin=_is_flag,
            active=_is_flag,
            remote=_is_flag,
            agentUserGroup=AGENT_USER_GROUP,
        ),
    ),
    "agentUserGroup": ("an agent's user and group", AGENT_USER_GROUP),
    "settings": ("a list of settings", _list_of(_object_of(key=_is_text, storagePath=_is_text, value=_is_text))),
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
    "modelDefinition": (
        "a list of files",
        _list_of(
            _object_of(
                path=_is_text,
                content=_is_text,
                type=_is_number,
                mode=_is_size,
                mtime=_is_size,
                uid=_is_number,
                gid=_is_number,
            )
        ),
    ),
}

OTHER_TYPES: dict[str, dict[str, tuple[str, Check]]] = {
    "/api/v1/experiments/{id}": {
        "resources": (
            "settings of resources",
            _object_of(maxSlots=_is_number, priority=_is_number, weight=_is_number_or_fraction),
        ),
        "checkpointStorage": (
            "settings of checkpoints",
            _object_of(saveExperimentBest=_is_number, saveTrialBest=_is_number, saveTrialLatest=_is_number),
        ),
    },
    "/api/v1/projects/{id}/notes": {
        "notes": ("a list of notes", _list_of(_object_of(name=_is_text, contents=_is_text))),
    },
}
"""The fields that have another type at an endpoint, by its path."""
