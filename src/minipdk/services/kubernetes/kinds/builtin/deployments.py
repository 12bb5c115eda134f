"""Deployments. minipdk stores them and runs no pods for them, and their status says so.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minipdk.services.kubernetes.errors import Cause, invalid_value, required
from minipdk.services.kubernetes.kinds.builtin.pods import default_pod_spec, validate_pod_spec
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at, pairs_of
from minipdk.services.kubernetes.kinds.validation import unchanged
from minipdk.services.kubernetes.model import Cell, Column, Object, Resource, Strategy, Unserved, status_of
from minipdk.services.kubernetes.times import now


def default_deployment(deployment: Object) -> None:
    spec = deployment.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%"} | (strategy.get("rollingUpdate") or {})
    default_pod_spec((spec.get("template") or {}).get("spec") or {})


def validate_deployment(deployment: Object) -> Iterator[Cause]:
    spec = deployment["spec"]
    if spec["replicas"] < 0:
        yield invalid_value("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    if not spec.get("template"):
        yield required("spec.template")
        return
    selected: dict[str, Any] = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selected and not (spec.get("selector") or {}).get("matchExpressions"):
        yield invalid_value("spec.selector", {}, "empty selector is invalid for deployment")
    elif any(labels.get(key) != value for key, value in selected.items()):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if "spec" in spec["template"]:
        yield from validate_pod_spec(spec["template"]["spec"], "spec.template.spec")


def validate_deployment_update(old: Object, new: Object) -> Iterator[Cause]:
    yield from unchanged("spec.selector", old["spec"].get("selector"), new["spec"].get("selector"))


def unserved_status(deployment: Object, message: str) -> Object:
    times = {"lastUpdateTime": now(), "lastTransitionTime": now()}
    # ProgressDeadlineExceeded ends `kubectl rollout status`, which would otherwise never return
    conditions = [
        {"type": "Available", "status": "False", "reason": "NotSupported", "message": message, **times},
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message, **times},
    ]
    return {"observedGeneration": deployment["metadata"]["generation"], "conditions": conditions}


def _replicas(deployment: Object) -> Cell:
    return f"{at(deployment, 'status', 'readyReplicas', default=0)}/{at(deployment, 'spec', 'replicas', default=1)}"


def _containers(field: str) -> Callable[[Object], Cell]:
    return lambda deployment: ",".join(
        container.get(field, "") for container in at(deployment, "spec", "template", "spec", "containers", default=())
    )


DEPLOYMENTS = Resource(
    *("apps", "v1", "Deployment", "deployments", ("deploy",)),
    categories=("all",),
    subresources=(status_of("Deployment"),),
    model="V1Deployment",
    description="Pods that are kept at a number and replaced in turn. minipdk keeps Deployments but does not run them.",
    strategy=Strategy(
        default_deployment,
        validate_deployment,
        validate_deployment_update,
        unserved=Unserved("minipdk keeps Deployments but does not run them", unserved_status),
        generation=True,
    ),
    columns=(
        NAME,
        Column("Ready", _replicas),
        Column("Up-to-date", lambda item: at(item, "status", "updatedReplicas", default=0), kind="integer"),
        Column("Available", lambda item: at(item, "status", "availableReplicas", default=0), kind="integer"),
        AGE,
        Column("Containers", _containers("name"), wide=True),
        Column("Images", _containers("image"), wide=True),
        Column("Selector", pairs_of("spec", "selector", "matchLabels"), wide=True),
    ),
    unsupported=("scale",),
)
