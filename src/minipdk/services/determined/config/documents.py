"""The text of a configuration, YAML or JSON, read as Determined's master reads it.

The master reads with Go's yaml.v2, which resolves plain words by YAML 1.1 with some rules of its own (``1e-5`` and ``0o17``
are numbers, ``y`` and ``n`` booleans, a date stays text), and passes the result on as JSON: keys are text, a whole number is
written without a fraction, and there is no NaN.
"""

from __future__ import annotations

import math
import re
from contextlib import closing
from typing import Any, ClassVar

import yaml

from minipdk.common.documents import check_yaml
from minipdk.services.determined.errors import ConfigError

TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
INTEGER = r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)"
FLOAT = r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
RESOLUTIONS = (  # in the order in which they are tried; a plain word that none fits is text
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", "|".join(TRUE + FALSE), list("yYnNtTfFoO")),
    ("tag:yaml.org,2002:int", INTEGER, list("-+0123456789")),
    ("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789")),
    ("tag:yaml.org,2002:merge", "<<", ["<"]),
)
LONGEST_WHOLE_NUMBER = 1e21
"""From here on JSON, as Go writes it, has numbers with an exponent."""
LONGEST_INTEGER = 66
"""The binary digits of a 64-bit number and their prefix."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """Reads the first document of a text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def close(self) -> None:
        self.dispose()


for _tag, _pattern, _first in RESOLUTIONS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)


def parse_yaml(text: str) -> dict[str, Any]:
    """The configuration as a mapping. Raises ConfigError, with line and column, when it is not YAML or not a mapping."""
    try:
        check_yaml(text)
        with closing(_Loader(text)) as loader:
            value = loader.get_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([f"not YAML: {where}{getattr(error, 'problem', error)}"]) from None
    if not isinstance(value, dict):
        raise ConfigError(["must be a mapping of settings, such as `name: my-experiment`"])
    return value


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    """A mapping with keys of text: as keys of a dict 1, 1.0 and true would be one."""
    loader.flatten_mapping(node)
    return {
        _key(loader.construct_object(key, deep=True)): loader.construct_object(value, deep=True) for key, value in node.value
    }


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, str | int | float):
        return str(key)
    raise ValueError(f"{key!r} cannot be a key")


def _boolean(loader: _Loader, node: yaml.ScalarNode) -> bool:
    text = loader.construct_scalar(node)
    if text not in TRUE + FALSE:
        raise ValueError(f"{text!r} is not a boolean")
    return text in TRUE


def _number(loader: _Loader, node: yaml.ScalarNode) -> int | float | str:
    """An integer with any of Go's prefixes, else a float; text that is too large for a float stays text."""
    text = loader.construct_scalar(node)
    plain = text.replace("_", "").lower()
    digits = plain.lstrip("+-")
    if re.fullmatch(INTEGER.lower(), plain) and len(digits) <= LONGEST_INTEGER:
        octal = digits[0] == "0" and digits.isdecimal()
        number = int(digits, 8 if octal else 0)
        return -number if plain[0] == "-" else number
    if re.fullmatch(r"[-+]?\.inf|\.nan", plain):
        raise ValueError(f"{text} is not a number in JSON")
    value = float(plain)
    if math.isinf(value):
        return str(text)
    return int(value) if value.is_integer() and abs(value) < LONGEST_WHOLE_NUMBER else value


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:set", _mapping)
