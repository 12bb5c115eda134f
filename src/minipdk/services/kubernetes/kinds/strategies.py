"""What each kind adds to the common rules: defaults on creation, and what its fields must be.

Named after the API server's registry strategies. InferenceService's rules are KServe's admission webhook: `inference`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from minipdk.services.kubernetes.errors import (
    BadRequestError,
    Cause,
    duplicate,
    forbidden,
    invalid_value,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds.builtin import claims, events, pods
from minipdk.services.kubernetes.kinds.custom import inference_services as inference
from minipdk.services.kubernetes.kinds.custom import serving_runtimes as servingruntimes
from minipdk.services.kubernetes.kinds.validation import MAX_DATA, data_keys, dns_label, port_number, protocol, unchanged
from minipdk.services.kubernetes.model import Object, Resource

Others = Callable[[], list[Object]]
"""The objects of a kind in a namespace."""


def _no_default(_: Object) -> None:
    return None


def _no_rule(_: Object) -> Iterable[Cause]:
    return ()


def _no_webhook(_found: Object, _others: Others) -> None:
    return None


def _no_update_rule(_old: Object, _new: Object) -> Iterable[Cause]:
    return ()


@dataclass(frozen=True)
class Strategy:
    """``default`` fills in what a new or changed object leaves out; ``admit`` may raise ForbiddenError, as a webhook does,
    and is given a look at the kind's other objects.

    ``generation``: whether a changed spec counts metadata.generation up. ``returns_deleted``: whether a deletion is
    answered with the object, not with a Status.
    """

    default: Callable[[Object], None] = _no_default
    validate: Callable[[Object], Iterable[Cause]] = _no_rule
    validate_update: Callable[[Object, Object], Iterable[Cause]] = _no_update_rule
    admit: Callable[[Object, Others], None] = _no_webhook
    generation: bool = False
    returns_deleted: bool = False


def strategy(resource: Resource) -> Strategy:
    return _STRATEGIES.get(resource.kind) or Strategy(generation=resource.custom)


def _default_secret(secret: Object) -> None:
    secret.setdefault("type", "Opaque")
    if plain := secret.pop("stringData", None):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        secret["data"] = {**secret.get("data", {}), **encoded}


TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105  # a type's name
BASIC_AUTH, BASIC_AUTH_KEYS = "kubernetes.io/basic-auth", ("username", "password")
_SECRET_KEYS = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _validate_secret(secret: Object) -> Iterator[Cause]:
    data: dict[str, str] = secret.get("data") or {}
    if secret["type"] == TOKEN_SECRET:
        yield forbidden("type", f"{TOKEN_SECRET} is not supported by minipdk: use `kubectl create token`")
    yield from data_keys("data", list(data))
    _check_base64("Secret", "data", data)
    if sum(len(value) * 3 // 4 for value in data.values()) > MAX_DATA:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_DATA} bytes", "data")
    for key in _SECRET_KEYS.get(secret["type"], ()):
        if key not in data:
            yield required(f"data[{key}]")
        elif key.startswith(".docker"):
            yield from _docker_config(key, data[key])
    if secret["type"] == BASIC_AUTH and not data.keys() & set(BASIC_AUTH_KEYS):
        yield from (required(f"data[{key}]") for key in BASIC_AUTH_KEYS)


def _docker_config(key: str, encoded: str) -> Iterator[Cause]:
    try:
        json.loads(base64.b64decode(encoded))
    except ValueError as error:
        yield invalid_value(f"data[{key}]", "<secret contents redacted>", str(error))


def _update_secret(old: Object, new: Object) -> Iterator[Cause]:
    yield from unchanged("type", old.get("type"), new.get("type"))
    yield from _immutable_data(old, new)


def _immutable_data(old: Object, new: Object) -> Iterator[Cause]:
    """``immutable: true`` of a ConfigMap or Secret can neither be taken back nor got around."""
    if not old.get("immutable"):
        return
    for field in ("immutable", "data", "binaryData"):
        if (old.get(field) or None) != (new.get(field) or None):
            yield forbidden(field, "field is immutable when `immutable` is set")


def _validate_config_map(config: Object) -> Iterator[Cause]:
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    yield from data_keys("data", list(data))
    yield from data_keys("binaryData", list(binary))
    _check_base64("ConfigMap", "binaryData", binary)
    for key in sorted(data.keys() & binary.keys()):
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    if (
        sum(len(value.encode()) for value in data.values()) + sum(len(value) * 3 // 4 for value in binary.values())
        > MAX_DATA
    ):
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_DATA} bytes", "")


def _check_base64(kind: str, field: str, data: dict[str, str]) -> None:
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            told = f"{field}[{key}] is not base64 ({error}): encode it, or use stringData in a Secret"
            raise BadRequestError(f'{kind} in version "v1" cannot be handled as a {kind}: {told}') from error


def _default_namespace(namespace: Object) -> None:
    namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    labels = namespace["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = namespace["metadata"]["name"]


def _default_service(service: Object) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] == "ClusterIP":
        spec["clusterIP"] = spec.get("clusterIP") or "None"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    else:
        for field in ("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(field, None)
    for port in spec.get("ports") or ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))


def _validate_service(service: Object) -> Iterator[Cause]:
    spec = service["spec"]
    if spec["type"] not in ("ClusterIP", "ExternalName"):  # there are no nodes to open ports on
        yield unsupported_value("spec.type", spec["type"], ("ClusterIP", "ExternalName"))
    if spec["type"] == "ClusterIP" and spec["clusterIP"] != "None":
        yield invalid_value(
            "spec.clusterIP", spec["clusterIP"], "virtual addresses are not supported by minipdk: leave it out"
        )
    if spec["type"] == "ClusterIP" and spec["clusterIPs"] != [spec["clusterIP"]]:
        yield invalid_value("spec.clusterIPs", spec["clusterIPs"], "first value must match `clusterIP`")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")
    ports = spec.get("ports") or []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        elif name in seen:
            yield duplicate(f"{where}.name", name)
        elif name:
            yield from dns_label(f"{where}.name", name)
        seen.add(name)
        yield from port_number(f"{where}.port", port.get("port", 0))
        yield from protocol(f"{where}.protocol", port["protocol"])


def _default_deployment(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%"} | (strategy.get("rollingUpdate") or {})
    pods.default_pod_spec((spec.get("template") or {}).get("spec") or {})


def _validate_deployment(deployment: Object) -> Iterator[Cause]:
    spec = deployment["spec"]
    if spec["replicas"] < 0:
        yield invalid_value("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    if not spec.get("template"):
        yield required("spec.template")
        return
    wanted: dict[str, Any] = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not wanted and not (spec.get("selector") or {}).get("matchExpressions"):
        yield invalid_value("spec.selector", {}, "empty selector is invalid for deployment")
    elif any(labels.get(key) != value for key, value in wanted.items()):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if "spec" in spec["template"]:
        yield from pods.validate_pod_spec(spec["template"]["spec"], "spec.template.spec")


def _update_deployment(old: Object, new: Object) -> Iterator[Cause]:
    yield from unchanged("spec.selector", old["spec"].get("selector"), new["spec"].get("selector"))


def _validate_node(node: Object) -> Iterator[Cause]:
    spec = node.get("spec") or {}
    for field in ("unschedulable", "taints"):
        if spec.get(field):
            yield forbidden(f"spec.{field}", "is not supported by minipdk: there is no other node")


def _validate_seldon(deployment: Object) -> Iterator[Cause]:
    spec = deployment.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("predictors"), list) or not spec["predictors"]:
        yield required("spec.predictors")
        return
    for index, predictor in enumerate(spec["predictors"]):
        for field in ("name", "graph"):
            if not isinstance(predictor, dict) or not predictor.get(field):
                yield required(f"spec.predictors[{index}].{field}")


_STRATEGIES = {
    "ConfigMap": Strategy(validate=_validate_config_map, validate_update=_immutable_data),
    "Secret": Strategy(_default_secret, _validate_secret, _update_secret),
    "Namespace": Strategy(_default_namespace),
    "Node": Strategy(validate=_validate_node),
    "Service": Strategy(_default_service, _validate_service, returns_deleted=True),
    "ServiceAccount": Strategy(returns_deleted=True),
    "Event": Strategy(events.default_event, events.validate_event),
    "Pod": Strategy(pods.default_pod, pods.validate_pod, pods.validate_pod_update, returns_deleted=True),
    "PersistentVolumeClaim": Strategy(
        claims.default_claim, claims.validate_claim, claims.validate_claim_update, returns_deleted=True
    ),
    "Deployment": Strategy(_default_deployment, _validate_deployment, _update_deployment, generation=True),
    "InferenceService": Strategy(admit=inference.admit, generation=True),
    "ServingRuntime": Strategy(admit=servingruntimes.admit, generation=True),
    "ClusterServingRuntime": Strategy(admit=servingruntimes.admit, generation=True),
    "SeldonDeployment": Strategy(validate=_validate_seldon, generation=True),
}
