"""Times as the API writes them (RFC 3339, seconds, UTC) and ages as `kubectl get` prints them."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def now() -> str:
    return written(datetime.now(UTC))


def written(time: datetime) -> str:
    """``time``, which is in UTC, as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """The time that ``text`` gives in RFC 3339. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(parse(text))
    except ValueError:
        return False


def age(since: str | None) -> str:
    """How long ago ``since`` was, in at most two units, such as 45s, 3m20s, 5h or 12d."""
    if not since:
        return "<unknown>"
    try:
        return human_duration(int((datetime.now(UTC) - parse(since)).total_seconds()))
    except ValueError:
        return "<invalid>"


def human_duration(seconds: int) -> str:
    """The longer the duration, the less precise, as everywhere in kubectl."""
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    steps = (
        (2 * MINUTE, ((1, "s"),)),
        (10 * MINUTE, ((MINUTE, "m"), (1, "s"))),
        (3 * HOUR, ((MINUTE, "m"),)),
        (8 * HOUR, ((HOUR, "h"), (MINUTE, "m"))),
        (2 * DAY, ((HOUR, "h"),)),
        (8 * DAY, ((DAY, "d"), (HOUR, "h"))),
        (2 * YEAR, ((DAY, "d"),)),
        (8 * YEAR, ((YEAR, "y"), (DAY, "d"))),
    )
    units = next((pair for limit, pair in steps if seconds < limit), ((YEAR, "y"),))
    text = ""
    for size, unit in units:
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count or not text else ""
    return text
