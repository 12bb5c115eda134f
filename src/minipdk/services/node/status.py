"""A Pod's status while it runs, in Kubernetes' own shape (v1.PodStatus)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from minipdk.common.ports import HOST
from minipdk.controller.api import Object
from minipdk.controller.events import now

CONFIG_ERROR, CREATING = "CreateContainerConfigError", "ContainerCreating"
OOM_KILLED = "OOMKilled"
PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
ENDED = (SUCCEEDED, FAILED)


@dataclass
class ContainerStatus:
    """How one container is. ``note`` is the last thing that an init container said; ``done`` that it will not run again.

    ``ran``: it has run before, so its next start is a restart.
    """

    name: str
    image: str
    image_id: str = ""
    restarts: int = 0
    ran: bool = False
    ready: bool = False
    started: bool = False
    done: bool = False
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: Object = field(default_factory=dict)
    note: str = ""

    def waiting(self, reason: str, message: str = "") -> None:
        self.ready = self.started = False
        self._go_on({"waiting": {"reason": reason, **({"message": message} if message else {})}})

    def running(self) -> None:
        self.restarts += self.ran
        self.ran = True
        self._go_on({"running": {"startedAt": now()}})

    def _go_on(self, state: Object) -> None:
        """Enter ``state``; how the container ended before is its last state from now on."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = state

    def terminated(self, code: int, message: str, reason: str = "") -> None:
        started = self.state.get("running", {}).get("startedAt", now())
        reason = reason or ("Error" if code else "Completed")
        ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
        self.ready = self.started = False
        self.state = {"terminated": ended | ({"message": message} if message else {})}

    @property
    def exit_code(self) -> int:
        return int(self.state.get("terminated", {}).get("exitCode", 0))

    def as_json(self) -> Object:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id or f"minipdk://{self.image}",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }


class PodStatus:
    """The status of ``pod``, of its containers' statuses ``inits`` and ``mains``."""

    def __init__(self, pod: Object) -> None:
        known: Object = pod.get("status") or {}
        spec = pod["spec"]
        self.inits = [_known(one, known.get("initContainerStatuses")) for one in spec.get("initContainers") or ()]
        self.mains = [_known(one, known.get("containerStatuses"), again=True) for one in spec["containers"]]
        self._quality = known.get("qosClass", "BestEffort")
        self._started = known.get("startTime") or now()
        self._conditions: dict[str, Object] = {one["type"]: one for one in known.get("conditions") or ()}
        self._once_initialized = False
        self.unschedulable = ""
        """Why the Pod has no node yet."""

    @property
    def initialized(self) -> bool:
        return all(one.done for one in self.inits)

    @property
    def ready(self) -> bool:
        return self.initialized and all(one.ready for one in self.mains)

    @property
    def phase(self) -> str:
        """https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase"""
        if any(one.done and one.exit_code for one in self.inits):
            return FAILED
        if not self.initialized:
            return PENDING
        if all(one.done for one in self.mains):
            return FAILED if any(one.exit_code for one in self.mains) else SUCCEEDED
        if all(one.state.get("waiting", {}).get("reason") in ("PodInitializing", CREATING) for one in self.mains):
            return RUNNING if self._once_initialized else PENDING
        self._once_initialized = True
        return RUNNING

    def as_json(self) -> Object:
        waiting = [one for one in self.inits if not one.done]
        notes = "".join(f": {one.note}" for one in waiting if one.note)
        waits = self.unschedulable or f"containers with incomplete status: {_names(waiting)}{notes}"
        unready = f"containers with unready status: {_names([one for one in self.mains if not one.ready])}"
        phase = self.phase
        ended = "PodCompleted" if phase == SUCCEEDED else "PodFailed" if phase == FAILED else ""
        self._set("PodScheduled", not self.unschedulable, "Unschedulable", self.unschedulable)
        self._set("Initialized", self.initialized, ended or "ContainersNotInitialized", waits)
        for kind in ("ContainersReady", "Ready"):
            self._set(kind, self.ready, ended or "ContainersNotReady", unready)
        shown: Object = {"phase": phase, "conditions": list(self._conditions.values()), "qosClass": self._quality}
        if self.unschedulable:
            return shown
        statuses = {"initContainerStatuses": self.inits, "containerStatuses": self.mains}
        addresses = {"hostIP": HOST, "podIP": HOST, "podIPs": [{"ip": HOST}]}
        return {
            **shown,
            **addresses,
            "startTime": self._started,
            **{name: [one.as_json() for one in which] for name, which in statuses.items() if which},
        }

    def _set(self, kind: str, true: bool, reason: str = "", message: str = "") -> None:
        old = self._conditions.get(kind, {})
        since = old["lastTransitionTime"] if old.get("status") == str(true) else now()
        why = {} if true else {"reason": reason, "message": message}
        self._conditions[kind] = {
            "type": kind,
            "status": str(true),
            "lastProbeTime": None,
            "lastTransitionTime": since,
            **why,
        }


def _names(containers: Sequence[ContainerStatus]) -> str:
    return f"[{' '.join(one.name for one in containers)}]"


def _known(container: Object, statuses: Any, *, again: bool = False) -> ContainerStatus:
    """A container's status at the start of this service: it goes on counting the restarts that the API remembers."""
    status = ContainerStatus(container["name"], container["image"])
    for known in statuses or ():
        if known["name"] == status.name:
            state = known.get("state") or {"waiting": {}}
            status.restarts, status.last_state = known.get("restartCount", 0), known.get("lastState") or {}
            status.ran = "waiting" not in state or bool(status.last_state)
            if not again and "terminated" in state:
                status.state = state
    return status
