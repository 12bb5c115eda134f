"""Rules for single values (names, labels, ports, numbers), worded as Kubernetes words them.

Each yields a cause, which names ``field``, for every rule that the value breaks.
Rules: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minipdk.services.kubernetes.errors import Cause, invalid_value, unsupported_value

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_DATA_KEY = "[-._a-zA-Z0-9]+"
MAX_DATA = 1024 * 1024
LONGEST_PORT_NAME = 15
PROTOCOLS = ("SCTP", "TCP", "UDP")

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    f"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_DNS_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
    f"end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_DNS_1035}')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE}')"
)
_DATA_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    f"'key-name', regex used for validation is '{_DATA_KEY}')"
)


def validate_labels(field: str, labels: dict[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        yield from qualified_name(field, key)
        if len(value) > 63:
            yield invalid_value(field, value, "must be no more than 63 characters")
        elif not re.fullmatch(_LABEL_VALUE, value):
            yield invalid_value(field, value, _LABEL_VALUE_RULE)


def dns_label(field: str, name: str) -> Iterator[Cause]:
    yield from _pattern(field, name, _LABEL, _LABEL_RULE, 63)


def dns_1035_label(field: str, name: str) -> Iterator[Cause]:
    yield from _pattern(field, name, _DNS_1035, _DNS_1035_RULE, 63)


def dns_subdomain(field: str, name: str) -> Iterator[Cause]:
    yield from _pattern(field, name, _SUBDOMAIN, _SUBDOMAIN_RULE, 253)


def data_keys(field: str, keys: list[str]) -> Iterator[Cause]:
    """The keys of a ConfigMap's or Secret's data."""
    for key in keys:
        if key in (".", "..") or key.startswith("..") or len(key) > 253 or not re.fullmatch(_DATA_KEY, key):
            yield invalid_value(f"{field}[{key}]", key, _DATA_KEY_RULE)


def port_number(field: str, port: int) -> Iterator[Cause]:
    yield from within(field, port, 1, 65535)


def port_name(field: str, name: str) -> Iterator[Cause]:
    """RFC 6335."""
    if len(name) > LONGEST_PORT_NAME:
        yield invalid_value(field, name, f"must be no more than {LONGEST_PORT_NAME} characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        yield invalid_value(field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        yield invalid_value(field, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield invalid_value(field, name, "must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        yield invalid_value(field, name, "must not begin or end with a hyphen")


def not_negative(field: str, number: int | None) -> Iterator[Cause]:
    if number is not None and number < 0:
        yield invalid_value(field, number, "must be greater than or equal to 0")


def within(field: str, number: int | None, least: int, most: int) -> Iterator[Cause]:
    if number is not None and not least <= number <= most:
        yield invalid_value(field, number, f"must be between {least} and {most}, inclusive")


def no_backsteps(field: str, path: str) -> Iterator[Cause]:
    if ".." in path.split("/"):
        yield invalid_value(field, path, "must not contain '..'")


def path_below(field: str, path: str) -> Iterator[Cause]:
    """Check a path, which must not lead out of its volume."""
    if path.startswith("/"):
        yield invalid_value(field, path, "must be a relative path")
    yield from no_backsteps(field, path)


def protocol(field: str, name: str) -> Iterator[Cause]:
    if name not in PROTOCOLS:
        yield unsupported_value(field, name, PROTOCOLS)


def unchanged(field: str, old: Any, new: Any, why: str = "field is immutable") -> Iterator[Cause]:
    if old != new:
        yield invalid_value(field, new, why)


def _pattern(field: str, value: str, pattern: str, rule: str, longest: int) -> Iterator[Cause]:
    if len(value) > longest:
        yield invalid_value(field, value, f"must be no more than {longest} characters")
    if not re.fullmatch(pattern, value):
        yield invalid_value(field, value, rule)


def qualified_name(field: str, key: str) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and (not re.fullmatch(_SUBDOMAIN, prefix) or len(prefix) > 253):
        yield invalid_value(field, key, f"prefix part {_SUBDOMAIN_RULE}")
    if len(name) > 63:
        yield invalid_value(field, key, "name part must be no more than 63 characters")
    elif not re.fullmatch(_QUALIFIED, name):
        yield invalid_value(field, key, _QUALIFIED_RULE)
