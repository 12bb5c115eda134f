"""The Node object and its Lease: they describe this machine and show that the node is alive."""

from __future__ import annotations

import asyncio
import platform
from datetime import UTC, datetime
from importlib import metadata

from minipdk.common.ports import HOST
from minipdk.controller.api import Api, until_accepted
from minipdk.controller.events import now
from minipdk.controller.objects import LEASES, NODES, Object
from minipdk.services.node.scheduler import NODE, capacity, labels

HEARTBEAT_SECONDS = 60.0
LEASE_NAMESPACE, LEASE_SECONDS = "kube-node-lease", 120  # two heartbeats
PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


async def register(api: Api) -> None:
    """Keep the Node and its Lease in the API with a regular heartbeat until cancelled, even if they are deleted."""
    since = now()

    async def beat() -> None:
        node = await api.apply(NODES, _node())
        await api.patch(NODES, "", NODE, {"status": _status(since)}, "status")
        await api.apply(LEASES, _lease(node), force=True)

    while True:
        await until_accepted(f"node {NODE}", beat, final=())
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _node() -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels()}}


def _lease(node: Object) -> Object:
    """The heartbeat's Lease, which is deleted together with ``node``."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": node["metadata"]["uid"]}
    renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NODE, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
        "spec": {"holderIdentity": NODE, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": renewed},
    }


def _status(since: str) -> Object:
    amounts = {name: str(amount) for name, amount in capacity().items()}
    version = f"minipdk-{metadata.version('pdk-course')}"
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [{"type": "InternalIP", "address": HOST}, {"type": "Hostname", "address": NODE}],
        "conditions": [
            *(_condition(kind, "False", *reason, since) for kind, reason in PRESSURES.items()),
            _condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", since),
        ],
        "nodeInfo": {
            **dict.fromkeys(("machineID", "systemUUID", "bootID"), ""),
            "kernelVersion": platform.release(),
            "osImage": platform.platform(terse=True),
            "operatingSystem": "linux",
            "architecture": labels()["kubernetes.io/arch"],
            "containerRuntimeVersion": f"minipdk://{metadata.version('pdk-course')}",
            **dict.fromkeys(("kubeletVersion", "kubeProxyVersion"), version),
        },
    }


def _condition(kind: str, status: str, reason: str, message: str, since: str) -> Object:
    times = {"lastHeartbeatTime": now(), "lastTransitionTime": since}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}
