"""The filters of lists, as Determined's queries have them."""

from __future__ import annotations

import functools
import re

from minipdk.services.determined.api.http import Call
from minipdk.services.determined.errors import InvalidArgumentError

_RUNNING = "UNSPECIFIED ACTIVE PAUSED STOPPING_COMPLETED STOPPING_CANCELED STOPPING_ERROR COMPLETED CANCELED ERROR DELETED"
_NAMES = {
    "experimentv1.State": f"{_RUNNING} DELETING DELETE_FAILED STOPPING_KILLED QUEUED PULLING STARTING RUNNING",
    "checkpointv1.State": "UNSPECIFIED ACTIVE COMPLETED ERROR DELETED PARTIALLY_DELETED",
    "jobv1.State": "UNSPECIFIED QUEUED SCHEDULED SCHEDULED_BACKFILLED",
}
STATES = {kind: [f"STATE_{name}" for name in names.split()] for kind, names in _NAMES.items()}
"""The states of each of Determined's messages, each at its number."""


def matches(pattern: str | None, text: str, *, case: bool = False) -> bool:
    """Whether the whole ``text`` fits an SQL pattern, as ILIKE (with ``case`` as LIKE) has it; any text fits no pattern."""
    return not pattern or _compiled(pattern, case).fullmatch(text) is not None


def contains(pattern: str | None, text: str) -> bool:
    """Whether a part of ``text`` fits an SQL pattern, in upper or lower case; any text fits no pattern."""
    return matches(f"%{pattern}%" if pattern else None, text)


def owned(call: Call, username: str, user_id: int) -> bool:
    """Whether a noun's owner is among the ``users`` and the ``userIds`` that the call names, if it names any."""
    users, user_ids = call.texts("users"), call.texts("userIds")
    return (not users or username in users) and (not user_ids or str(user_id) in user_ids)


def archived(call: Call) -> bool | None:
    """The filter ``archived``, None without one. Raises InvalidArgumentError for anything but true and false."""
    value = call.text("archived")
    if value not in (None, "true", "false"):
        raise InvalidArgumentError(f"archived: {value!r} is neither true nor false: bad BoolValue: {value}")
    return None if value is None else value == "true"


def states(call: Call, kind: str) -> set[str]:
    """The ``states`` that the call names, by name or by number, such as STATE_COMPLETED, of Determined's message ``kind``.

    Raises InvalidArgumentError for a state that the message does not have.
    """
    named = set()
    for text in call.texts("states"):
        number = int(text) if text.isdecimal() and len(text) < 3 else len(STATES[kind])
        name = STATES[kind][number] if number < len(STATES[kind]) else text
        if name not in STATES[kind]:
            known = ", ".join(state for state in STATES[kind] if state != "STATE_UNSPECIFIED")
            raise InvalidArgumentError(f"states: the states are {known}: {text} is not a valid {kind}")
        named.add(name)
    return named - {"STATE_UNSPECIFIED"}


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str, case: bool) -> re.Pattern[str]:
    words = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(words.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(expression, re.DOTALL | (0 if case else re.IGNORECASE))
