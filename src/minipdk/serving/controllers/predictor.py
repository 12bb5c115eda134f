"""An InferenceService's predictor: what its spec asks for, or why it is refused.

Every field is either used, or echoed because it has no meaning on one machine (ECHOED), or refused by name.
Spec: https://kserve.github.io/website/0.14/reference/api/
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from minipdk.serving.api import Object
from minipdk.serving.errors import InvalidSpecError, NotSupportedError
from minipdk.serving.runtimes import RUNTIMES, ServingRuntime

STORAGE_SCHEME = "s3://"
PREDICTOR_FIELDS = frozenset({"serviceAccountName", "minReplicas", "maxReplicas", "timeout", "annotations", "labels"})
MODEL_FIELDS = frozenset({"storageUri", "protocolVersion", "args", "env", "image"})
ECHOED = frozenset({"tolerations", "resources"})
"""Scheduling has no meaning on one machine: these reach the Pod and change nothing."""
NOT_PROPAGATED = ("kubectl.kubernetes.io/", "autoscaling.knative.dev/")
DEFAULT_TIMEOUT = 300.0
JSON_NAMES: dict[type, str] = {dict: "object", list: "list", str: "string"}
T = TypeVar("T")


@dataclass(frozen=True)
class Predictor:
    """What a revision is made from. Two equal ones are the same revision."""

    format: str
    storage_uri: str
    protocol: str
    args: tuple[str, ...] = ()
    env: list[Object] = field(default_factory=list)
    image: str = ""
    resources: Object = field(default_factory=dict)
    tolerations: list[Object] = field(default_factory=list)
    service_account: str = "default"
    timeout: float = DEFAULT_TIMEOUT
    annotations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> ServingRuntime:
        return RUNTIMES[self.format]

    def template_hash(self) -> str:
        """Ten hexadecimal digits that differ for predictors that differ, like a Deployment's pod-template-hash."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:10]


def read_predictor(isvc: Object) -> Predictor:
    """The predictor that ``isvc`` asks for. Raises InvalidSpecError, NotSupportedError for what minipdk lacks."""
    for component in isvc.get("spec", {}):
        if component != "predictor":
            raise NotSupportedError(f"spec.{component}")
    spec = _set_fields(isvc.get("spec", {}).get("predictor"), where="spec.predictor")
    model_format, model, where = _model(spec)
    _refuse_unknown(model, MODEL_FIELDS, where)
    runtime = RUNTIMES[model_format]
    annotations = {**isvc["metadata"].get("annotations", {}), **_typed(spec, "annotations", dict, "spec.predictor")}
    return Predictor(
        format=model_format,
        storage_uri=_storage_uri(model, where),
        protocol=_choice(model.get("protocolVersion", "v1"), runtime.protocol_versions, f"{where}.protocolVersion"),
        args=_arguments(_typed(model, "args", list, where), runtime, where),
        env=_environment(_typed(model, "env", list, where), where),
        image=_typed(model, "image", str, where),
        resources=_typed(model, "resources", dict, where),
        tolerations=_typed(spec, "tolerations", list, "spec.predictor"),
        service_account=_typed(spec, "serviceAccountName", str, "spec.predictor") or "default",
        timeout=_timeout(spec),
        annotations={key: value for key, value in annotations.items() if not key.startswith(NOT_PROPAGATED)},
        labels=_typed(spec, "labels", dict, "spec.predictor"),
    )


def _model(spec: Object) -> tuple[str, Object, str]:
    """The model format, the model's fields, and where they stand: `pytorch: {...}` or `model: {modelFormat: ...}`."""
    _check_replicas(spec)
    formats = {name: value for name, value in spec.items() if name not in PREDICTOR_FIELDS | ECHOED}
    for name in formats:
        if name not in RUNTIMES and name != "model":
            raise NotSupportedError(f"spec.predictor.{name}", f"use one of {', '.join(sorted(RUNTIMES))}")
    if len(formats) != 1:
        raise InvalidSpecError(
            f"spec.predictor must have exactly one of {', '.join(sorted(RUNTIMES))}, model; it has {len(formats)}"
        )
    [name] = formats
    where = f"spec.predictor.{name}"
    model = _set_fields(formats[name], where=where)
    if name != "model":
        return name, model, where
    model_format = _typed(model, "modelFormat", dict, where).get("name", "")
    model.pop("modelFormat", None)
    runtime = model.pop("runtime", "")
    if not isinstance(model_format, str) or model_format not in RUNTIMES:
        raise NotSupportedError(f"{where}.modelFormat {model_format!r:.100}", f"use one of {', '.join(sorted(RUNTIMES))}")
    if runtime not in ("", RUNTIMES[model_format].name):
        raise NotSupportedError(f"{where}.runtime {runtime!r}", f"use {RUNTIMES[model_format].name}")
    return model_format, model, where


def _set_fields(value: Any, *, where: str) -> Object:
    """The fields that are set: clients send some empty ones that nobody asked for."""
    if not isinstance(value, dict):
        raise InvalidSpecError(f"{where} must be an object")
    return {key: one for key, one in value.items() if one not in (None, "", [], {})}


def _typed(fields: Object, name: str, kind: type[T], where: str) -> T:
    """The field ``name``, which must be of ``kind``; empty where it is not set."""
    value = fields.get(name, kind())
    if not isinstance(value, kind):
        raise InvalidSpecError(f"{where}.{name} must be a JSON {JSON_NAMES[kind]}, not {value!r:.100}")
    return value


def _refuse_unknown(model: Object, known: frozenset[str], where: str) -> None:
    for name in model:
        if name not in known | ECHOED | {"name"}:
            raise NotSupportedError(f"{where}.{name}")
    if model.get("name", "kserve-container") != "kserve-container":
        raise InvalidSpecError(f"{where}.name must be kserve-container")


def _check_replicas(spec: Object) -> None:
    for name in ("minReplicas", "maxReplicas"):
        if spec.get(name, 1) != 1:
            raise NotSupportedError(f"spec.predictor.{name} {spec[name]}", "a predictor has one replica")


def _storage_uri(model: Object, where: str) -> str:
    uri = str(model.get("storageUri", ""))
    if not uri:
        raise InvalidSpecError(f"{where}.storageUri is required")
    scheme, separator, rest = uri.partition("://")
    if not separator:
        raise InvalidSpecError(f"{where}.storageUri {uri!r} has no scheme: it is s3://<bucket>/<path>")
    if f"{scheme}://" != STORAGE_SCHEME:
        raise NotSupportedError(
            f"{where}.storageUri {scheme}://", "put the model where s3:// reaches it, such as a Pachyderm repo"
        )
    if not rest.partition("/")[0]:
        raise InvalidSpecError(f"{where}.storageUri {uri!r} names no bucket")
    return uri


def _choice(value: Any, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        raise NotSupportedError(f"{where} {value!r}", f"use one of {', '.join(choices)}")
    return str(value)


def _arguments(args: list[Any], runtime: ServingRuntime, where: str) -> tuple[str, ...]:
    for one in args:
        if not isinstance(one, str):
            raise InvalidSpecError(f"{where}.args must be strings, not {one!r:.100}")
        if one.partition("=")[0] not in runtime.arguments or "=" not in one:
            raise NotSupportedError(f"{where}.args {one!r}", f"{runtime.name} takes {', '.join(runtime.arguments)}=...")
    return tuple(args)


def _environment(env: list[Any], where: str) -> list[Object]:
    for index, variable in enumerate(env):
        at = f"{where}.env[{index}]"
        if not isinstance(variable, dict) or not isinstance(variable.get("name"), str) or not variable["name"]:
            raise InvalidSpecError(f"{at} must have a name")
        for source, reference in _typed(variable, "valueFrom", dict, at).items():
            if source not in ("secretKeyRef", "configMapKeyRef"):
                raise NotSupportedError(f"{at}.valueFrom.{source}")
            if not isinstance(reference, dict) or not {"name", "key"} <= reference.keys():
                raise InvalidSpecError(f"{at}.valueFrom.{source} must have a name and a key")
    return env


def _timeout(spec: Object) -> float:
    timeout = spec.get("timeout", DEFAULT_TIMEOUT)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        raise InvalidSpecError(f"spec.predictor.timeout must be a number of seconds, not {timeout!r}")
    return float(timeout)
