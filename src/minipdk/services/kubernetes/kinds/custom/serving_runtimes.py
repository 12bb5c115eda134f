"""ServingRuntimes and ClusterServingRuntimes, and the rules by which KServe's admission webhooks deny them.

KServe must be able to choose one runtime for a model: for a format in a version, and a protocol, each priority occurs once.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, ForbiddenError, Subject, invalid_value, required
from minipdk.services.kubernetes.kinds.columns import CUSTOM_AGE, NAME, at, custom
from minipdk.services.kubernetes.kinds.custom.environment import blocked_variables
from minipdk.services.kubernetes.kinds.custom.inference_service_defaults import KSERVE_CONTAINER
from minipdk.services.kubernetes.kinds.custom.inference_service_validation import parallel_sizes, parallel_variables
from minipdk.services.kubernetes.kinds.custom.inference_services import SERVING
from minipdk.services.kubernetes.model import Cell, Column, Object, Peers, Resource, Strategy


def validate(runtime: Object) -> Iterator[Cause]:
    """The values that the CustomResourceDefinition refuses."""
    for index, entry in enumerate(runtime["spec"].get("supportedModelFormats") or ()):
        where = f"spec.supportedModelFormats[{index}]"
        if "name" not in entry:
            yield required(f"{where}.name")
        if (priority := entry.get("priority")) is not None and priority < 1:
            field = f"{where}.priority"
            yield invalid_value(field, priority, f"{field} in body should be greater than or equal to 1")


def admit(runtime: Object, peers: Peers, old: Object | None = None) -> None:
    """Raise ForbiddenError, worded as the webhook's denial; ``peers`` are the runtimes of its namespace."""
    metadata, kind = runtime["metadata"], runtime["kind"].lower()
    for reason in _faults(runtime, peers(), old):
        webhook = f'admission webhook "{kind}.kserve-webhook-server.validator" denied the request'
        raise ForbiddenError(f"{webhook}: {reason}", Subject(SERVING, f"{kind}s", metadata["name"]))


def _faults(runtime: Object, others: list[Object], old: Object | None) -> Iterator[str]:
    spec, name = runtime.get("spec") or {}, runtime["metadata"]["name"]
    if spec.get("disabled"):
        return
    yield from _priority_faults(runtime, others)
    for reason in _worker_faults(spec, ((old or {}).get("spec") or {})):
        yield f"the {runtime['kind']} {name} is invalid: {reason}"
    workers = spec.get("workerSpec") or {}
    for reason in blocked_variables([*(spec.get("containers") or ()), *(workers.get("containers") or ())]):
        yield f'the {runtime["kind"]} "{name}" is invalid: {reason}'


def _priority_faults(runtime: Object, others: list[Object]) -> Iterator[str]:
    """Each format has one priority in a runtime, and each priority for it one runtime."""
    spec, name, kind = runtime["spec"], runtime["metadata"]["name"], runtime["kind"].lower()
    offered = _offered(spec)
    priorities: dict[str, int] = {}
    for model_format, priority in ((entry["name"], entry.get("priority")) for entry in offered):
        if priority is not None and priorities.setdefault(model_format, priority) != priority:
            yield f"different priorities assigned for the model format {model_format} under the {kind} {name}"
    place = f" in namespace {runtime['metadata']['namespace']}" if "namespace" in runtime["metadata"] else ""
    for other in others:
        if other["metadata"]["name"] != name and (clash := _clash(spec, other.get("spec") or {})):
            both = f"{kind}s {other['metadata']['name']} and {name}{place}"
            yield f"same priority assigned for the model format {clash} in the {both}"


def _worker_faults(spec: Object, old: Object) -> Iterator[str]:
    """The rules for a runtime with several nodes."""
    worker = spec.get("workerSpec")
    if worker is None:
        if old.get("workerSpec") is not None:
            yield "removing workerSpec where it already exists is not allowed"
        return
    if len(worker.get("containers") or ()) > 1:
        yield "setting multiple containers in workerSpec is not allowed"
    for container in spec.get("containers") or ():
        if container.get("name") == KSERVE_CONTAINER:
            yield from parallel_variables(container)
    yield from (f"the WorkerSpec.{reason}" for reason in parallel_sizes(worker))


def _offered(spec: Object) -> list[Object]:
    """The model formats for which KServe may choose a runtime."""
    return [entry for entry in spec.get("supportedModelFormats") or () if entry.get("autoSelect")]


def _clash(spec: Object, other: Object) -> str:
    """The model format that both runtimes offer with the same priority over the same protocol; "" if there is none."""
    if other.get("disabled") or bool(spec.get("multiModel")) != bool(other.get("multiModel")):
        return ""
    if not set(spec.get("protocolVersions") or ()) & set(other.get("protocolVersions") or ()):
        return ""
    known = {(entry["name"].lower(), entry.get("version"), entry.get("priority")) for entry in _offered(other)}
    return next(
        (
            str(entry["name"])
            for entry in _offered(spec)
            if entry.get("priority") is not None
            and (entry["name"].lower(), entry.get("version"), entry["priority"]) in known
        ),
        "",
    )


def _first_format(runtime: Object) -> Cell:
    formats = at(runtime, "spec", "supportedModelFormats", default=())
    return formats[0].get("name") if formats else None


def _first_container(runtime: Object) -> Cell:
    containers = at(runtime, "spec", "containers", default=())
    return containers[0].get("name") if containers else None


_COLUMNS = (
    NAME,
    Column("Disabled", custom("spec", "disabled"), kind="boolean"),
    Column("ModelType", _first_format),
    Column("Containers", _first_container),
    CUSTOM_AGE,
)

SERVING_RUNTIMES = Resource(
    *(SERVING, "v1alpha1", "ServingRuntime", "servingruntimes"),
    model="V1alpha1ServingRuntime",
    custom=True,
    description="How the models of some formats are served in one namespace.",
    strategy=Strategy(validate=validate, admit=admit),
    columns=_COLUMNS,
)
CLUSTER_SERVING_RUNTIMES = Resource(
    *(SERVING, "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes"),
    namespaced=False,
    model="V1alpha1ClusterServingRuntime",
    custom=True,
    description="How the models of some formats are served in every namespace.",
    strategy=Strategy(validate=validate, admit=admit),
    columns=_COLUMNS,
)
