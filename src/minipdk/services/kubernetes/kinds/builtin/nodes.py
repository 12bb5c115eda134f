"""The Node and the Lease by which it shows that it is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from minipdk.services.kubernetes.errors import Cause, forbidden
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at, condition, text
from minipdk.services.kubernetes.model import Cell, Column, Object, Resource, Strategy, status_of

ROLE_LABEL = "node-role.kubernetes.io/"


def validate_node(node: Object) -> Iterator[Cause]:
    spec = node.get("spec") or {}
    for field in ("unschedulable", "taints"):
        if spec.get(field):
            yield forbidden(f"spec.{field}", "is not supported by minipdk: there is no other node")


def _status(node: Object) -> Cell:
    ready = condition("Ready")(node)
    status = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown")
    return f"{status},SchedulingDisabled" if at(node, "spec", "unschedulable") else status


def _roles(node: Object) -> Cell:
    labels = at(node, "metadata", "labels", default={})
    roles = {label.removeprefix(ROLE_LABEL) for label in labels if label.startswith(ROLE_LABEL)} - {""}
    return ",".join(sorted(roles)) or "<none>"


def _address(kind: str) -> Callable[[Object], Cell]:
    def cell(node: Object) -> Cell:
        addresses: list[dict[str, str]] = at(node, "status", "addresses", default=[])
        return next((address["address"] for address in addresses if address["type"] == kind), "<none>")

    return cell


NODES = Resource(
    *("", "v1", "Node", "nodes", ("no",)),
    namespaced=False,
    subresources=(status_of("Node"),),
    model="V1Node",
    description="A machine that runs pods. minipdk has one, which registers itself.",
    strategy=Strategy(validate=validate_node),
    columns=(
        NAME,
        Column("Status", _status),
        Column("Roles", _roles),
        AGE,
        Column("Version", text("status", "nodeInfo", "kubeletVersion", default="")),
        Column("Internal-IP", _address("InternalIP"), wide=True),
        Column("External-IP", _address("ExternalIP"), wide=True),
        Column("OS-Image", text("status", "nodeInfo", "osImage", default="<unknown>"), wide=True),
        Column("Kernel-Version", text("status", "nodeInfo", "kernelVersion", default="<unknown>"), wide=True),
        Column("Container-Runtime", text("status", "nodeInfo", "containerRuntimeVersion", default="<unknown>"), wide=True),
    ),
    unsupported=("proxy",),
)
LEASES = Resource(
    *("coordination.k8s.io", "v1", "Lease", "leases"),
    model="V1Lease",
    description="A claim on something until some time. A node renews its Lease to show that it is alive.",
    columns=(NAME, Column("Holder", text("spec", "holderIdentity", default="")), AGE),
)
