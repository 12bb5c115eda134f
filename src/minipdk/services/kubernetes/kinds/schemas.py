"""What each kind's fields are, read from the vendors' installed Python clients (`kubernetes`, `kserve`).

Their model classes are generated from Kubernetes' and KServe's own OpenAPI documents, so field names, types, required
fields and descriptions are the vendor's. Only the model files a kind needs are read, as text: importing the packages
takes seconds. A kind without a model (SeldonDeployment) takes any field.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from minipdk.common.quantities import is_quantity
from minipdk.services.kubernetes.errors import Cause, invalid_value, required
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.times import is_time

_TABLES = re.compile(r"^    (openapi_types|attribute_map) = (\{.*?^    \})", re.M | re.S)
_REQUIRED = re.compile(r"Invalid value for `(\w+)`, must not be `None`")
_DOCUMENTED = re.compile(
    r'    @(\w+)\.setter\n    def \w+\(self, \w+\):\n        """Sets the [^\n]*\n\n(?!\s*:param)(.*?)\n\n\s+:param', re.S
)
_GENERIC = re.compile(r"(list|dict)[\[(](?:str, )?(.*)[\])]")
_ALIASES = {"ResourceQuantity": "quantity", "V1Time": "datetime", "KnativeVolatileTime": "datetime", "KnativeURL": "str"}
"""Models whose JSON is a string."""
QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_QUANTITIES = {"V1ResourceRequirements": ("limits", "requests"), "V1VolumeResourceRequirements": ("limits", "requests")}
"""Fields that the models call strings, and that are amounts."""
LARGEST = 1 << 63
_SCALARS = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


@dataclass(frozen=True)
class Type:
    """A field's type: ``name`` is a scalar, "object" (anything), "datetime", "quantity", "list", "dict" or a model."""

    name: str
    item: Type | None = None


@dataclass(frozen=True)
class Model:
    """The fields of one object: JSON name to type. ``descriptions`` are the vendor's."""

    name: str
    fields: dict[str, Type]
    required: frozenset[str] = frozenset()
    descriptions: dict[str, str] = field(default_factory=dict)


@dataclass
class Findings:
    """What is wrong with an object: fields it should not have, and values of a wrong type or missing."""

    unknown: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


def check(resource: Resource, found: Object) -> tuple[Object, Findings]:
    """``found`` without the fields its kind does not have, and what was wrong with it."""
    findings = Findings()
    if not resource.model:
        metadata = _check(Type("V1ObjectMeta"), found.get("metadata"), "metadata", findings)
        return {**found, "metadata": metadata}, findings
    pruned: Object = _check(Type(resource.model), found, "", findings)
    return pruned, findings


def check_model(name: str, found: Object) -> Findings:
    """What is wrong with ``found`` as one of the vendor's model ``name``."""
    findings = Findings()
    _check(Type(name), found, "", findings)
    return findings


def model(name: str) -> Model | None:
    """The vendor's model class ``name``; None when there is none."""
    return _read_model(name)


def _check(kind: Type, value: Any, path: str, findings: Findings) -> Any:
    """``value`` without unknown fields; notes in ``findings`` what is wrong with it."""
    if value is None or kind.name == "object":
        return value
    if kind.name in ("list", "dict"):
        return _check_many(kind, value, path, findings)
    if kind.name in _SCALARS or kind.name in ("datetime", "quantity"):
        _check_scalar(kind.name, value, path, findings)
        return value
    known = _read_model(kind.name)
    if known is None or not known.fields:
        return value
    if not isinstance(value, dict):
        findings.causes.append(_wrong_type(path, value, "object"))
        return value
    return _check_fields(known, value, path, findings)


def _check_fields(known: Model, value: Object, path: str, findings: Findings) -> Object:
    kept: Object = {}
    for name, content in value.items():
        inner = f"{path}.{name}" if path else name
        if content is None:  # null is how clients spell an unset field
            continue
        if name in known.fields:
            kept[name] = _check(known.fields[name], content, inner, findings)
        else:
            findings.unknown.append(inner)
    for name in sorted(known.required - kept.keys()):
        if path != "status" and not path.startswith("status."):
            findings.causes.append(required(f"{path}.{name}" if path else name))
    return kept


def _check_many(kind: Type, value: Any, path: str, findings: Findings) -> Any:
    assert kind.item is not None
    if kind.name == "list":
        if not isinstance(value, list):
            findings.causes.append(_wrong_type(path, value, "array"))
            return value
        if None in value:
            findings.causes.append(invalid_value(f"{path}[{value.index(None)}]", None, f"{path} must not hold null"))
        return [_check(kind.item, one, f"{path}[{index}]", findings) for index, one in enumerate(value)]
    if not isinstance(value, dict):
        findings.causes.append(_wrong_type(path, value, "object"))
        return value
    return {key: _check(kind.item, one, f"{path}.{key}", findings) for key, one in value.items() if one is not None}


def _check_scalar(name: str, value: Any, path: str, findings: Findings) -> None:
    accepted: tuple[type, ...] = {"int": (int,), "float": (int, float), "bool": (bool,), "quantity": (str, int, float)}.get(
        name, (str,)
    )
    if not isinstance(value, accepted) or (isinstance(value, bool) and name != "bool"):
        findings.causes.append(_wrong_type(path, value, _SCALARS.get(name, "string")))
    elif name == "int" and isinstance(value, int) and not -LARGEST <= value < LARGEST:
        findings.causes.append(invalid_value(path, value, f"{path} in body must be of type int64"))
    elif name == "datetime" and not is_time(value):
        findings.causes.append(invalid_value(path, value, f"{path} in body must be of type date-time"))
    elif name == "quantity" and not is_quantity(value):
        findings.causes.append(invalid_value(path, value, QUANTITY_RULE))


def _wrong_type(path: str, value: Any, wanted: str) -> Cause:
    kind = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}[type(value)]
    where = path or "the object"
    return invalid_value(where, kind, f'{where} in body must be of type {wanted}: "{kind}"')


@cache
def _read_model(name: str) -> Model | None:
    if name in _ALIASES:
        return None
    path = _model_files().get(name.lower())
    if path is None:
        return None
    text = path.read_text()
    tables = {key: ast.literal_eval(table) for key, table in _TABLES.findall(text)}
    names: dict[str, str] = tables["attribute_map"]
    types = tables["openapi_types"] | dict.fromkeys(_QUANTITIES.get(name, ()), "dict(str, quantity)")
    return Model(
        name,
        {names[key]: _parse(kind) for key, kind in types.items()},
        frozenset(names[key] for key in _REQUIRED.findall(text) if key in names),
        {names[key]: _description(text) for key, text in _DOCUMENTED.findall(text) if key in names},
    )


def _parse(text: str) -> Type:
    if found := _GENERIC.fullmatch(text):
        return Type(found[1], _parse(found[2]))
    return Type(_ALIASES.get(text, text))


def _description(text: str) -> str:
    return " ".join(text.replace("# noqa: E501", "").split())


@cache
def _model_files() -> dict[str, Path]:
    """Where each model is defined: its name in lower case to its file. Kubernetes' own models come first."""
    found: dict[str, Path] = {}
    for package, folder in (("kserve", "models"), ("kubernetes", "client/models")):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            found |= {path.stem.replace("_", ""): path for path in (Path(root) / folder).glob("*.py")}
    return found
