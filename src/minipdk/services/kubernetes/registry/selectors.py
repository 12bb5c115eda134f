"""Label and field selectors (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from minipdk.services.kubernetes.errors import BadRequestError
from minipdk.services.kubernetes.kinds.builtin.events import OLD_NAMES
from minipdk.services.kubernetes.kinds.table import NEW_EVENTS
from minipdk.services.kubernetes.model import Object, Resource

Predicate = Callable[[Object], bool]

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=|>|<)\s*({_VALUE})")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")

_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
FIELDS = {
    "pods": (
        *(f"spec.{name}" for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName")),
        "spec.hostNetwork",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
    ),
    "services": ("spec.clusterIP", "spec.type"),
    "events": (*(f"involvedObject.{name}" for name in _ABOUT), "reason", "reportingComponent", "source", "type"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
}
"""The fields each kind can be selected by, besides metadata.name and metadata.namespace."""


def label_selector(text: str) -> Predicate:
    """Whether an object's labels meet every requirement of ``text``, such as ``app=churn,tier in (a, b),!old``."""
    requirements = [_requirement(part.strip()) for part in _split(text)] if text.strip() else []

    def matches(found: Object) -> bool:
        labels: dict[str, str] = found["metadata"].get("labels") or {}
        return all(one(labels) for one in requirements)

    return matches


def field_selector(resource: Resource, text: str) -> Predicate:
    """Whether an object's fields meet every requirement of ``text``, such as ``metadata.name=a,status.phase!=Failed``."""
    tests: list[tuple[tuple[str, ...], bool, str]] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        found = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", part)
        if not found:
            raise BadRequestError(f"invalid field selector {part!r}: a field, = or !=, and a value are needed")
        field, operator, value = found.groups()
        if resource is NEW_EVENTS:
            first, dot, rest = field.partition(".")
            field = OLD_NAMES.get(first, first) + dot + rest
        if field not in ("metadata.name", "metadata.namespace", *FIELDS.get(resource.plural, ())):
            raise BadRequestError(_unknown_field(resource, field))
        tests.append((tuple(field.split(".")), operator != "!=", value))

    def matches(candidate: Object) -> bool:
        return all((_field(candidate, path) == value) == equal for path, equal, value in tests)

    return matches


def selected_name(text: str) -> str:
    """The one name that a field selector lets through; "" if it does not ask for one."""
    found = re.search(r"(?:^|,)\s*metadata\.name\s*==?\s*([^,=]+)", text)
    return found[1].strip() if found else ""


def _unknown_field(resource: Resource, field: str) -> str:
    if resource.custom or resource.plural in FIELDS:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field(found: Object, path: tuple[str, ...]) -> str:
    value: Any = found
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
    if found := _SET.fullmatch(part):
        key, operator, listed = found.groups()
        values = {one.strip() for one in listed.split(",")}
        wanted = operator == "in"
        return lambda labels: (labels[key] in values) == wanted if key in labels else not wanted
    if found := _EQUAL.fullmatch(part):
        key, operator, value = found.groups()
        if operator in "<>":
            return _comparison(key, operator, value)
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.fullmatch(part):
        absent, key = found.groups()
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
