"""The fields of each kind, read from the vendors' installed Python clients (`kubernetes`, `kserve`).

Their model classes are generated from Kubernetes' and KServe's own OpenAPI documents, so field names, types, required
fields and descriptions are the vendor's. Only the model files a kind needs are read, as text: importing the packages
takes seconds. A kind without a model (SeldonDeployment) takes any field.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from minipdk.common.quantities import is_quantity
from minipdk.services.kubernetes.errors import Cause, duplicate, invalid_value, required, wrong_type
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
CUSTOM_QUANTITY_RULE = (
    r"in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'"
)
_QUANTITIES = {"V1ResourceRequirements": ("limits", "requests"), "V1VolumeResourceRequirements": ("limits", "requests")}
"""Fields that the models declare as strings although they are quantities."""
_NEWER_IN_COMPONENTS = {"autoScaling": "object", "scaleMetricType": "str", "storageUris": "list[object]"}
_NEWER: dict[str, dict[str, str]] = {
    "V1beta1InferenceServiceSpec": {"canary": "list[object]"},
    "V1beta1PredictorSpec": {"name": "str", "storageContainerName": "str", **_NEWER_IN_COMPONENTS},
    "V1beta1TransformerSpec": _NEWER_IN_COMPONENTS,
    "V1beta1ExplainerSpec": _NEWER_IN_COMPONENTS,
    "V1beta1WorkerSpec": {"pipelineParallelSize": "int", "tensorParallelSize": "int"},
    "V1beta1LoggerSpec": {"metadataHeaders": "list[str]", "metadataAnnotations": "list[str]", "storage": "object"},
    "V1beta1InferenceServiceStatus": {
        "deploymentMode": "str",
        "servingRuntimeName": "str",
        "clusterServingRuntimeName": "str",
        "canaryStatuses": "list[object]",
    },
}
"""Fields that KServe has added between its installed client and 0.21, and their types."""
INT_OR_STRING = "int-or-string"
_INT_OR_STRINGS = {
    "V1HTTPGetAction": ("port",),
    "V1TCPSocketAction": ("port",),
    "V1ServicePort": ("targetPort",),
    "V1RollingUpdateDeployment": ("maxSurge", "maxUnavailable"),
}
"""Fields that the models declare as any object although they are whole numbers or text."""
LIST_KEYS = {
    **dict.fromkeys(("containers", "initContainers", "env", "volumes", "imagePullSecrets", "resourceClaims"), ("name",)),
    "claims": ("name",),
    "ports": ("containerPort", "protocol"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""The lists of custom kinds whose items have keys (x-kubernetes-list-type: map), by the name of their field.

KServe's CustomResourceDefinitions take them from core/v1's Go types.
"""
KEY_DEFAULTS = {"protocol": "TCP"}
"""The default values of fields that are such keys."""
VALIDATED = ("spec.", "status.")
"""The parts of a custom object that its schema validates."""
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
class Faults:
    """The faults of an object: fields that its kind does not have, and values that are missing or of a wrong type.

    ``custom``: the schema is that of a CustomResourceDefinition, which is stricter.
    """

    custom: bool = False
    unknown: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


def check(resource: Resource, body: Object) -> tuple[Object, Faults]:
    """``body`` without the fields that its kind does not have, and its faults."""
    faults = Faults(custom=resource.custom)
    if not resource.model:
        metadata = _check(Type("V1ObjectMeta"), body.get("metadata"), "metadata", faults)
        return {**body, "metadata": metadata}, faults
    pruned: Object = _check(Type(resource.model), body, "", faults)
    return pruned, faults


def check_model(name: str, body: Object) -> Faults:
    """The faults of ``body`` as an instance of the vendor's model ``name``."""
    faults = Faults()
    _check(Type(name), body, "", faults)
    return faults


def model(name: str) -> Model | None:
    """The vendor's model class ``name``; None when there is none."""
    return _read_model(name)


def _check(kind: Type, value: Any, path: str, faults: Faults) -> Any:
    """``value`` without unknown fields; adds its faults to ``faults``."""
    if value is None or kind.name == "object":
        return value
    if kind.name in ("list", "dict"):
        return _check_many(kind, value, path, faults)
    if kind.name in _SCALARS or kind.name in ("datetime", "quantity", INT_OR_STRING):
        _check_scalar(kind.name, value, path, faults)
        return value
    known = _read_model(kind.name)
    if known is None or not known.fields:
        return value
    if not isinstance(value, dict):
        faults.causes.append(_wrong_type(path, value, "object"))
        return value
    return _check_fields(known, value, path, faults)


def _check_fields(known: Model, value: Object, path: str, faults: Faults) -> Object:
    kept: Object = {}
    for name, content in value.items():
        inner = f"{path}.{name}" if path else name
        if content is None:
            if faults.custom and name in known.fields and inner.startswith(VALIDATED):
                faults.causes.append(wrong_type(inner, "null", _expected(known.fields[name])))
            continue  # for a kind that is not custom, an unset field
        if name in known.fields:
            kept[name] = _check(known.fields[name], content, inner, faults)
        else:
            faults.unknown.append(inner)
    for name in sorted(known.required - kept.keys()):
        if path != "status" and not path.startswith("status."):
            faults.causes.append(required(f"{path}.{name}" if path else name))
    return kept


def _check_many(kind: Type, value: Any, path: str, faults: Faults) -> Any:
    assert kind.item is not None
    if kind.name == "list":
        if not isinstance(value, list):
            faults.causes.append(_wrong_type(path, value, "array"))
            return value
        if None in value:
            faults.causes.append(invalid_value(f"{path}[{value.index(None)}]", None, f"{path} must not hold null"))
        if faults.custom and not path.startswith("status."):
            faults.causes += _duplicates(value, path)
        return [_check(kind.item, entry, f"{path}[{index}]", faults) for index, entry in enumerate(value)]
    if not isinstance(value, dict):
        faults.causes.append(_wrong_type(path, value, "object"))
        return value
    return {key: _check(kind.item, entry, f"{path}.{key}", faults) for key, entry in value.items() if entry is not None}


def _duplicates(items: list[Any], path: str) -> Iterator[Cause]:
    """A cause for each item of a list with keys whose keys an earlier item has."""
    seen: list[Object] = []
    for index, item in enumerate(items):
        if keys := identity(path.rpartition(".")[2], item):
            if keys in seen:
                yield duplicate(f"{path}[{index}]", keys)
            seen.append(keys)


def identity(field: str, item: Any) -> Object:
    """The keys of an item of the list ``field`` of a custom kind; empty if it has none."""
    if not isinstance(item, dict):
        return {}
    keys = {name: item.get(name, KEY_DEFAULTS.get(name)) for name in LIST_KEYS.get(field, ())}
    return {} if None in keys.values() else keys


_ACCEPTED: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "quantity": (str, int, float),
    INT_OR_STRING: (str, int),
}


def _check_scalar(name: str, value: Any, path: str, faults: Faults) -> None:
    accepted, expected = _ACCEPTED.get(name, (str,)), _SCALARS.get(name, "string")
    if name == INT_OR_STRING or (name == "quantity" and faults.custom):
        accepted, expected = (str, int), "integer,string"
    if not isinstance(value, accepted) or (isinstance(value, bool) and name != "bool"):
        faults.causes.append(_wrong_type(path, value, expected))
    elif name == "int" and isinstance(value, int) and not -LARGEST <= value < LARGEST:
        faults.causes.append(invalid_value(path, value, f"{path} in body must be of type int64"))
    elif name == "datetime" and not is_time(value):
        faults.causes.append(invalid_value(path, value, f"{path} in body must be of type date-time"))
    elif name == "quantity" and not is_quantity(value):
        rule = f"{path} {CUSTOM_QUANTITY_RULE}" if faults.custom else QUANTITY_RULE
        faults.causes.append(invalid_value(path, value, rule))


def _expected(kind: Type) -> str:
    """The JSON type that a value of ``kind`` has."""
    if kind.name in ("quantity", INT_OR_STRING):
        return "integer,string"
    return {"list": "array", "datetime": "string"}.get(kind.name, _SCALARS.get(kind.name, "object"))


def _wrong_type(path: str, value: Any, expected: str) -> Cause:
    kind = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}[type(value)]
    return wrong_type(path, kind, expected)


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
    types |= {key: INT_OR_STRING for key in types if names[key] in _INT_OR_STRINGS.get(name, ())}
    return Model(
        name,
        {names[key]: _parse(kind) for key, kind in types.items()}
        | {key: _parse(kind) for key, kind in _NEWER.get(name, {}).items()},
        frozenset(names[key] for key in _REQUIRED.findall(text) if key in names),
        {names[key]: _description(text) for key, text in _DOCUMENTED.findall(text) if key in names},
    )


def _parse(text: str) -> Type:
    if match := _GENERIC.fullmatch(text):
        return Type(match[1], _parse(match[2]))
    return Type(_ALIASES.get(text, text))


def _description(text: str) -> str:
    return " ".join(text.replace("# noqa: E501", "").split())


@cache
def _model_files() -> dict[str, Path]:
    """The file of each model by its name in lower case. Kubernetes' own models take precedence."""
    files: dict[str, Path] = {}
    for package, folder in (("kserve", "models"), ("kubernetes", "client/models")):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            files |= {path.stem.replace("_", ""): path for path in (Path(root) / folder).glob("*.py")}
    return files
