"""The values of a query's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from minipdk.services.kubernetes.errors import BadRequestError, Cause, unsupported_value

LONGEST_NUMBER = 18


def is_set(query: Mapping[str, str], name: str) -> bool:
    """Whether a flag is true, in any of the spellings that clients use. Raises BadRequestError for another word."""
    text = query.get(name, "")
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0", ""):
        return False
    raise BadRequestError(f"{name}: Invalid value: {text!r}: must be true or false")


def number(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a count; None if it is left out. Raises BadRequestError for any other text."""
    text = query.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST_NUMBER:
        raise BadRequestError(f"{name}: Invalid value: {text!r}: must be a non-negative integer")
    return int(text)


def signed(query: Mapping[str, str], name: str) -> int | None:
    """As `number`, for a parameter that may be negative."""
    text = query.get(name, "")
    size = number({name: text.removeprefix("-")}, name)
    return -size if size and text.startswith("-") else size


def values(query: Mapping[str, str], name: str) -> list[str]:
    """A parameter that is a list of values, of which clients give one at most."""
    return [text] if (text := query.get(name)) else []


def check_dry_run(requested: Sequence[str]) -> Iterator[Cause]:
    """Check the values of dryRun."""
    if any(value != "All" for value in requested):
        yield unsupported_value("dryRun", requested, ("All",))
