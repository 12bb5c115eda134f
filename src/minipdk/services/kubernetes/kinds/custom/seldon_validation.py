"""The rules by which Seldon's validating webhook denies a SeldonDeployment, in its words.

Rules: operator/apis/machinelearning.seldon.io/v1/seldondeployment_webhook.go of
https://github.com/SeldonIO/seldon-core/tree/v1.17.1. What passes may still not be served by this cluster: the state says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, invalid_value
from minipdk.services.kubernetes.model import Object

PROTOCOLS = ("seldon", "tensorflow", "kfserving", "v2")
TRANSPORTS = ("rest", "grpc")
SERVER_TYPES = ("rpc", "kafka")
UNKNOWN_IMPLEMENTATION, UNKNOWN_TYPE = "UNKNOWN_IMPLEMENTATION", "UNKNOWN_TYPE"
BUILT_IN = ("SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER")
"""Implementations that are part of the executor and have no server."""
HUGGING_FACE = "HUGGINGFACE_SERVER"
PYTHON_SERVERS = ("SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", HUGGING_FACE)
SERVERS = (*PYTHON_SERVERS, "TENSORFLOW_SERVER", "TRITON_SERVER", "TEMPO_SERVER")
"""The servers that Seldon's Helm chart configures."""
KAFKA_VARIABLES = ("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC")
NO_METHODS = "Predictive Unit has no implementation methods defined. Change to a known type or add what methods it defines"
NO_ENGINE, SERVICE_NAME = "seldon.io/no-engine", "seldon.io/svc-name"


def faults(sdep: Object) -> Iterator[Cause]:
    """Every reason for which the webhook denies ``sdep``, in its order."""
    spec: Object = sdep.get("spec") or {}
    predictors: list[Object] = spec.get("predictors") or []
    for field, allowed in (("protocol", PROTOCOLS), ("transport", TRANSPORTS), ("serverType", SERVER_TYPES)):
        if spec.get(field) and spec[field] not in allowed:
            yield invalid_value("spec", spec[field], f"Invalid {field}")
    if spec.get("serverType") == "kafka":
        yield from _kafka_faults(predictors)
    if len(predictors) == 1 and predictors[0].get("shadow"):
        yield invalid_value("spec.predictors[0]", predictors[0]["name"], "Shadow can not exist as only predictor")
    yield from _service_name_faults(predictors)
    if not predictors:
        yield invalid_value("spec", spec.get("transport", ""), "Graph contains no predictors")
    names: set[str] = set()
    for index, predictor in enumerate(predictors):
        where = f"spec.predictors[{index}]"
        if NO_ENGINE in (predictor.get("annotations") or {}) and len(list(_units(predictor["graph"]))) > 1:
            yield invalid_value(where, predictor["name"], "Running without engine only valid for single element graphs")
        if predictor["name"] in names:
            yield invalid_value(where, predictor["name"], "Duplicate predictor name")
        names.add(predictor["name"])
        yield from _unit_faults(predictor["graph"], predictor, f"{where}.graph", spec)
    yield from _transport_faults(spec, predictors)
    yield from _traffic_faults(predictors)


def _units(unit: Object) -> Iterator[Object]:
    """The nodes of a graph."""
    yield unit
    for child in unit.get("children") or ():
        yield from _units(child)


def _kafka_faults(predictors: list[Object]) -> Iterator[Cause]:
    for index, predictor in enumerate(predictors):
        env = (predictor.get("svcOrchSpec") or {}).get("env") or ()
        if sum(variable["name"] in KAFKA_VARIABLES for variable in env) < len(KAFKA_VARIABLES):
            why = f"For kafka please supply svcOrchSpec envs {', '.join(KAFKA_VARIABLES)}"
            yield invalid_value(f"spec.predictors[{index}]", predictor["name"], why)


def _service_name_faults(predictors: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, predictor in enumerate(predictors):
        if (name := (predictor.get("annotations") or {}).get(SERVICE_NAME)) is not None:
            if name in seen:
                why = f"Found duplicate service name in {SERVICE_NAME} with value {name}"
                yield invalid_value(f"spec.predictors[{index}]", predictor["name"], why)
            seen.add(name)


def _unit_faults(unit: Object, predictor: Object, where: str, spec: Object) -> Iterator[Cause]:
    implementation = unit.get("implementation") or UNKNOWN_IMPLEMENTATION
    container = _container(predictor, unit["name"])
    if implementation == UNKNOWN_IMPLEMENTATION:
        if container is None:
            yield invalid_value(where, unit["name"], "Can't find container for Predictive Unit")
        if unit.get("type") == UNKNOWN_TYPE and not unit.get("methods"):
            yield invalid_value(where, unit["name"], NO_METHODS)
    elif implementation not in BUILT_IN:
        if not unit.get("modelUri") and implementation != HUGGING_FACE:
            yield invalid_value(where, unit["name"], "Predictive unit modelUri required when using standalone servers")
        if spec.get("protocol") == "tensorflow" and implementation in PYTHON_SERVERS:
            why = f"Prepackaged server does not handle tensorflow protocol {implementation}"
            yield invalid_value(where, unit["name"], why)
        if not (container or {}).get("image") and implementation not in SERVERS:
            yield invalid_value(where, unit["name"], f"No entry in predictors map for {implementation}")
    if unit.get("logger") is not None and not unit["logger"].get("mode"):
        yield invalid_value(where, "", "No logger mode specified")
    for index, child in enumerate(unit.get("children") or ()):
        yield from _unit_faults(child, predictor, f"{where}[{index}]", spec)


def _container(predictor: Object, name: str) -> Object | None:
    for component in predictor.get("componentSpecs") or ():
        for container in (component.get("spec") or {}).get("containers") or ():
            if container["name"] == name:
                match: Object = container
                return match
    return None


def _transport_faults(spec: Object, predictors: list[Object]) -> Iterator[Cause]:
    units = (unit for predictor in predictors for unit in _units(predictor["graph"]))
    kinds = {kind for unit in units if (kind := (unit.get("endpoint") or {}).get("type"))}
    if len(kinds) > 1:
        why = "Multiple endpoint.types found - can only have 1 type in graph. Please use spec.transport"
        yield invalid_value("spec", "", why)
    elif spec.get("transport") and kinds & {"REST", "GRPC"} - {spec["transport"].upper()}:
        why = "Mixed transport types found. Remove graph endpoint.types if transport set at deployment level"
        yield invalid_value("spec", "", why)


def _traffic_faults(predictors: list[Object]) -> Iterator[Cause]:
    shadows = [predictor for predictor in predictors if predictor.get("shadow")]
    for number, shadow in enumerate(shadows):
        if number:
            yield invalid_value("spec", shadow["name"], "Multiple shadows are not allowed")
        if not 0 <= (shadow.get("traffic") or 0) <= 100:
            why = "shadow traffic is illegal, the traffic number should be between [0, 100]"
            yield invalid_value("spec", shadow["name"], why)
    total = sum(predictor.get("traffic") or 0 for predictor in predictors if not predictor.get("shadow"))
    if total != 100 and len(predictors) - len(shadows) > 1:
        yield invalid_value("spec", predictors[0]["name"], "Traffic must sum to 100 for multiple predictors")
    if 0 < total < 100 and len(predictors) == 1:
        yield invalid_value("spec", predictors[0]["name"], "Traffic must sum be 100 for a single predictor when set")
