"""Reads JSON and YAML from clients within bounds: depth, number of values, and numbers that every part can store.

A few kilobytes can ask for gigabytes: aliases of aliases in YAML, brackets within brackets, which overflow a recursive
parser's stack, and short values, of which each takes fifty times its size in memory. Each is found before anything is built.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

DEEPEST = 200
"""Levels of lists and objects. Kubernetes' schemas, the deepest documents here, have about forty."""
MOST_VALUES = 2_000_000
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class DocumentError(ValueError):
    """The document cannot be read, or is out of bounds; the message says how."""


Pairs = Callable[[list[tuple[str, Any]]], Any]


def read_json(body: bytes, *, pairs: Pairs | None = None) -> Any:
    """The value in ``body``, by RFC 8259: no NaN, no infinity, no half characters. ``pairs`` makes objects, else dicts.

    Raises DocumentError.
    """
    check_json(body)
    try:
        text = body.decode()
        document = json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=pairs)
        if "\\ud" in text or "\\uD" in text:  # an escape that may be half a character, which cannot be stored
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DocumentError(str(error)) from None
    return document


def check_json(body: bytes) -> None:
    """Raise DocumentError if the text is nested too deeply or has too many values."""
    brackets = body.count(b"[") + body.count(b"{")
    if brackets <= DEEPEST and brackets + body.count(b",") + body.count(b":") <= MOST_VALUES:
        return  # whatever is in its strings
    bare = _STRING.sub(b"", body)
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") + bare.count(b":") > MOST_VALUES:
        raise DocumentError(f"it has more than {MOST_VALUES} values")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            raise DocumentError(f"it is nested more than {DEEPEST} levels deep")


def check_yaml(text: str | bytes) -> None:
    """Raise DocumentError if the document is nested too deeply, or has too many values with every alias expanded.

    Errors of syntax are left to the parser.
    """
    import yaml

    bounds = _YamlBounds()
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            bounds.take(event)
    except yaml.YAMLError:
        return


class _YamlBounds:
    """Counts the values of a document, given its events."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}  # of the values that have anchors, with every alias in them expanded
        self._open: list[tuple[str | None, int]] = []  # the anchors of the values around, and the values before each
        self._values = 0

    def take(self, event: Any) -> None:
        """Count one event. Raises DocumentError beyond the bounds."""
        import yaml

        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            self._remember(anchor, before)
        elif isinstance(event, yaml.AliasEvent):
            self._expand(event.anchor)
        elif isinstance(event, yaml.NodeEvent):
            self._values += 1
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append((event.anchor, self._values - 1))
            else:
                self._remember(event.anchor, self._values - 1)
        if len(self._open) > DEEPEST:
            raise DocumentError(f"it is nested more than {DEEPEST} levels deep")
        if self._values > MOST_VALUES:
            raise DocumentError(f"it has more than {MOST_VALUES} values with every alias expanded: excessive aliasing")

    def _remember(self, anchor: str | None, before: int) -> None:
        if anchor:
            self._sizes[anchor] = self._values - before

    def _expand(self, alias: str | None) -> None:
        if any(anchor == alias for anchor, _ in self._open):
            raise DocumentError(f"found unconstructable recursive node &{alias}")
        self._values += self._sizes.get(alias or "", 1)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is out of the range of numbers")
    return value
