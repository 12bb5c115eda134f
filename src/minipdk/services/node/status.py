"""A Pod's status while it runs, in Kubernetes' own shape (v1.PodStatus)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from minipdk.common.ports import HOST
from minipdk.controller.events import now
from minipdk.controller.objects import Object

CONFIG_ERROR, CREATING = "CreateContainerConfigError", "ContainerCreating"
OOM_KILLED = "OOMKilled"
PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
ENDED = (SUCCEEDED, FAILED)


@dataclass
class ContainerStatus:
    """The status of one container.

    ``note`` is the last line that an init container logged. ``done``: it will not run again. ``ran``: it has run before, so
    its next start is a restart.
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
        self._enter({"waiting": {"reason": reason, **({"message": message} if message else {})}})

    def running(self) -> None:
        self.restarts += self.ran
        self.ran = True
        self._enter({"running": {"startedAt": now()}})

    def _enter(self, state: Object) -> None:
        """Enter ``state``; the end of the previous run becomes the last state."""
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
    """The status of ``pod``, from its containers' statuses ``inits`` and ``mains``."""

    def __init__(self, pod: Object) -> None:
        known: Object = pod.get("status") or {}
        spec = pod["spec"]
        self.inits = [_known(init, known.get("initContainerStatuses")) for init in spec.get("initContainers") or ()]
        self.mains = [_known(main, known.get("containerStatuses"), again=True) for main in spec["containers"]]
        self._quality = known.get("qosClass", "BestEffort")
        self._started = known.get("startTime") or now()
        self._conditions: dict[str, Object] = {condition["type"]: condition for condition in known.get("conditions") or ()}
        self._once_initialized = False
        self.unschedulable = ""
        """The reason for which the Pod has no node yet."""

    @property
    def initialized(self) -> bool:
        return all(init.done for init in self.inits)

    @property
    def ready(self) -> bool:
        return self.initialized and all(main.ready for main in self.mains)

    @property
    def phase(self) -> str:
        """https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase"""
        if any(init.done and init.exit_code for init in self.inits):
            return FAILED
        if not self.initialized:
            return PENDING
        if all(main.done for main in self.mains):
            return FAILED if any(main.exit_code for main in self.mains) else SUCCEEDED
        if all(main.state.get("waiting", {}).get("reason") in ("PodInitializing", CREATING) for main in self.mains):
            return RUNNING if self._once_initialized else PENDING
        self._once_initialized = True
        return RUNNING

    def as_json(self) -> Object:
        waiting = [init for init in self.inits if not init.done]
        notes = "".join(f": {init.note}" for init in waiting if init.note)
        incomplete = self.unschedulable or f"containers with incomplete status: {_names(waiting)}{notes}"
        unready = f"containers with unready status: {_names([main for main in self.mains if not main.ready])}"
        phase = self.phase
        ended = "PodCompleted" if phase == SUCCEEDED else "PodFailed" if phase == FAILED else ""
        self._set("PodScheduled", not self.unschedulable, "Unschedulable", self.unschedulable)
        self._set("Initialized", self.initialized, ended or "ContainersNotInitialized", incomplete)
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
            **{name: [status.as_json() for status in group] for name, group in statuses.items() if group},
        }

    def _set(self, kind: str, true: bool, reason: str = "", message: str = "") -> None:
        old = self._conditions.get(kind, {})
        since = old["lastTransitionTime"] if old.get("status") == str(true) else now()
        explanation = {} if true else {"reason": reason, "message": message}
        self._conditions[kind] = {
            "type": kind,
            "status": str(true),
            "lastProbeTime": None,
            "lastTransitionTime": since,
            **explanation,
        }


def _names(containers: Sequence[ContainerStatus]) -> str:
    return f"[{' '.join(status.name for status in containers)}]"


def _known(container: Object, statuses: Any, *, again: bool = False) -> ContainerStatus:
    """A container's status when this service starts: it continues the API's count of restarts."""
    status = ContainerStatus(container["name"], container["image"])
    for known in statuses or ():
        if known["name"] == status.name:
            state = known.get("state") or {"waiting": {}}
            status.restarts, status.last_state = known.get("restartCount", 0), known.get("lastState") or {}
            status.ran = "waiting" not in state or bool(status.last_state)
            if not again and "terminated" in state:
                status.state = state
    return status
