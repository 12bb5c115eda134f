"""Label and field selectors (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from minipdk.services.kubernetes.errors import BadRequestError
from minipdk.services.kubernetes.model import Object, Resource

Predicate = Callable[[Object], bool]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=|>|<)\s*({_VALUE})")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")


def label_selector(text: str) -> Predicate:
    """Whether an object's labels meet every requirement of ``text``, such as ``app=churn,tier in (a, b),!old``."""
    requirements = [_requirement(part.strip()) for part in _split(text)] if text.strip() else []

    def matches(item: Object) -> bool:
        labels: dict[str, str] = item["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


def field_selector(resource: Resource, text: str) -> Predicate:
    """Whether an object's fields meet every requirement of ``text``, such as ``metadata.name=a,status.phase!=Failed``."""
    tests: list[tuple[tuple[str, ...], bool, str]] = []
    stored_names = {new: old for old, new in resource.renamed.items()}
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", part)
        if not match:
            raise BadRequestError(f"invalid field selector {part!r}: a field, = or !=, and a value are needed")
        field, operator, value = match.groups()
        first, dot, rest = field.partition(".")
        field = stored_names.get(first, first) + dot + rest
        if field not in ("metadata.name", "metadata.namespace", *resource.selectable):
            raise BadRequestError(_unknown_field(resource, field))
        tests.append((tuple(field.split(".")), operator != "!=", value))

    def matches(candidate: Object) -> bool:
        return all((_field(candidate, path) == value) == equal for path, equal, value in tests)

    return matches


def selected_name(text: str) -> str:
    """The only name that can match a field selector; "" if it names none."""
    match = re.search(r"(?:^|,)\s*metadata\.name\s*==?\s*([^,=]+)", text)
    return match[1].strip() if match else ""


def _unknown_field(resource: Resource, field: str) -> str:
    if resource.custom or resource.selectable:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field(item: Object, path: tuple[str, ...]) -> str:
    value: Any = item
    if path == ("source",):  # an event's source is selected by its component
        path = ("source", "component")
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if path == ("spec", "hostNetwork") or isinstance(value, bool):
        return str(bool(value)).lower()
    return "" if value is None else str(value)


def _split(text: str) -> list[str]:
    """Split at the commas that are not within brackets."""
    return re.split(r",(?![^()]*\))", text)


def _requirement(part: str) -> Callable[[dict[str, str]], bool]:
    if not part:
        raise BadRequestError("unable to parse requirement: found an empty one")
    if match := _SET.fullmatch(part):
        key, operator, listed = match.groups()
        values = {value.strip() for value in listed.split(",")}
        inside = operator == "in"
        return lambda labels: (labels[key] in values) == inside if key in labels else not inside
    if match := _EQUAL.fullmatch(part):
        key, operator, value = match.groups()
        if operator in "<>":
            return _comparison(key, operator, value)
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.fullmatch(part):
        absent, key = match.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise BadRequestError(f"unable to parse requirement: {part!r}")


def _comparison(key: str, operator: str, text: str) -> Callable[[dict[str, str]], bool]:
    if not text.lstrip("-").isdigit():
        raise BadRequestError(
            f"values[0][{key}]: Invalid value: {text!r}: for 'Gt', 'Lt' operators, the value must be an integer"
        )
    bound = int(text)

    def compare(labels: dict[str, str]) -> bool:
        try:
            value = int(labels[key])
        except (KeyError, ValueError):
            return False
        return value > bound if operator == ">" else value < bound

    return compare
