"""The filters of lists, as Determined's queries have them."""

from __future__ import annotations

import functools
import re

from minipdk.services.determined.api.http import Call


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


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str, case: bool) -> re.Pattern[str]:
    words = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join(words.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(expression, re.DOTALL | (0 if case else re.IGNORECASE))
