"""A SeldonDeployment's spec: its predictors, and the fields that are refused.

Every field is used, or echoed because it has no meaning on one machine, or refused by name.
Spec: https://docs.seldon.io/projects/seldon-core/en/v1.17.1/reference/seldon-deployment.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from minipdk.controller.objects import Object
from minipdk.services.seldon.errors import NotSupportedError, SeldonError

MODEL, UNKNOWN = "MODEL", "UNKNOWN_IMPLEMENTATION"
SEPARATE_ENGINE = "seldon.io/engine-separate-pod"
SPEC_FIELDS = frozenset({"name", "predictors", "annotations", "protocol", "transport", "replicas", "serverType"})
ECHOED = frozenset({"name", "engineResources"})
"""Fields that say nothing, or only something about Seldon's executor, which minipdk does not run."""
PREDICTOR_FIELDS = frozenset(
    {"name", "graph", "componentSpecs", "replicas", "annotations", "labels", "traffic", "progressDeadlineSeconds"}
)
GRAPH_FIELDS = frozenset({"name", "type", "implementation", "endpoint", "parameters"})
COMPONENT_FIELDS = frozenset({"metadata", "spec", "replicas"})
ONLY = {"protocol": "seldon", "transport": "rest", "serverType": "rpc"}
"""Fields with one supported value, their default."""


@dataclass(frozen=True)
class Predictor:
    """One predictor: its spec, and its only component with the container that the graph names.

    ``path`` names it in messages. ``weight`` is its share of the requests in percent.
    """

    spec: Object
    component: Object
    path: str
    weight: int

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def graph(self) -> Object:
        graph: Object = self.spec["graph"]
        return graph

    @property
    def labels(self) -> dict[str, str]:
        """The predictor's labels; ``version`` is its name unless they have one."""
        return {"version": self.name, **(self.spec.get("labels") or {})}


def read(sdep: Object) -> list[Predictor]:
    """The predictors of ``sdep``, which the API server has validated. Raises NotSupportedError."""
    spec = sdep["spec"]
    _refuse_others(spec, SPEC_FIELDS | ECHOED, "spec")
    for field, only in ONLY.items():
        if spec.get(field) not in (None, "", only):
            raise NotSupportedError(f"spec.{field}: {spec[field]}", f"only {only} is")
    annotations = {**(sdep["metadata"].get("annotations") or {}), **(spec.get("annotations") or {})}
    if str(annotations.get(SEPARATE_ENGINE, "")).lower() == "true":
        raise NotSupportedError(f"annotation {SEPARATE_ENGINE}", "there is no engine: leave it out")
    single = len(spec["predictors"]) == 1
    return [
        _predictor(predictor, f"spec.predictors[{index}]", single=single)
        for index, predictor in enumerate(spec["predictors"])
    ]


def _predictor(spec: Object, path: str, *, single: bool) -> Predictor:
    _refuse_others(spec, PREDICTOR_FIELDS | ECHOED, path)
    graph = spec["graph"]
    _check_graph(graph, f"{path}.graph")
    components = spec.get("componentSpecs") or []
    if len(components) != 1:
        raise NotSupportedError(f"{path}.componentSpecs: {len(components)} of them", "list all containers in one")
    component = components[0]
    _refuse_others(component, COMPONENT_FIELDS, f"{path}.componentSpecs[0]")
    for name, container in _containers(component, f"{path}.componentSpecs[0].spec"):
        if _is_set(container.get("lifecycle")):
            raise NotSupportedError(f"{name}.lifecycle", "a Pod's requests are answered before it ends, without a pause")
    if all(container["name"] != graph["name"] for container in (component.get("spec") or {}).get("containers") or ()):
        raise SeldonError(f"{path}.graph: {graph['name']}: Can't find container for Predictive Unit")
    return Predictor(spec, component, path, 100 if single else spec.get("traffic") or 0)


def _check_graph(graph: Object, path: str) -> None:
    """Refuse every graph but one node that is a model in its own container."""
    if graph.get("children"):
        raise NotSupportedError(f"{path}.children", "a graph of one node is served")
    if graph.get("type") not in (None, "", MODEL):
        raise NotSupportedError(f"{path}.type: {graph['type']}", f"only {MODEL} is")
    if graph.get("implementation") not in (None, "", UNKNOWN):
        raise NotSupportedError(f"{path}.implementation: {graph['implementation']}", "name a container with your own server")
    endpoint = graph.get("endpoint") or {}
    if endpoint.get("type") not in (None, "", "REST"):
        raise NotSupportedError(f"{path}.endpoint.type: {endpoint['type']}", "only REST is")
    _refuse_others(graph, GRAPH_FIELDS | {"children"}, path)


def _containers(component: Object, path: str) -> Iterator[tuple[str, Object]]:
    """Each container of a component with its path."""
    for field in ("initContainers", "containers"):
        for index, container in enumerate((component.get("spec") or {}).get(field) or ()):
            yield f"{path}.{field}[{index}]", container


def _refuse_others(part: Object, known: Iterable[str], path: str) -> None:
    """Raise NotSupportedError for a field of ``part`` that is set and not ``known``."""
    for name, value in part.items():
        if name not in known and _is_set(value):
            raise NotSupportedError(f"{path}.{name}")


def _is_set(value: Any) -> bool:
    return value not in (None, "", [], {}) and value is not False
