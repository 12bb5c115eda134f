"""A Pod's status while it runs, in Kubernetes' own shape (v1.PodStatus)."""

from __future__ import annotations

from dataclasses import dataclass, field

from minipdk.home import HOST
from minipdk.serving.api import Object
from minipdk.serving.events import now

CRASH_LOOP, CONFIG_ERROR, IMAGE_ERROR = "CrashLoopBackOff", "CreateContainerConfigError", "ErrImagePull"


@dataclass
class ContainerStatus:
    """How one container is. ``note`` is the last thing that an init container said."""

    name: str
    image: str
    image_id: str = ""
    restarts: int = 0
    ready: bool = False
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last_state: Object = field(default_factory=dict)
    note: str = ""

    def waiting(self, reason: str, message: str = "") -> None:
        self.ready = False
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def running(self) -> None:
        self.state = {"running": {"startedAt": now()}}

    def terminated(self, code: int, message: str) -> None:
        started = self.state.get("running", {}).get("startedAt", now())
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": started, "finishedAt": now()}
        self.ready = False
        self.state = {"terminated": ended | ({"message": message} if message else {})}

    def restarting(self) -> None:
        """The container will run again: what it was is now its last state."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.restarts += 1

    def as_json(self) -> Object:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id or f"minipdk://{self.image}",
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }


def pod_status(init: ContainerStatus, main: ContainerStatus, *, started: str, initialized: bool) -> Object:
    """The v1.PodStatus of a Pod with one init container and one container."""
    waits = f"containers with incomplete status: [{init.name}]" + (f": {init.note}" if init.note else "")
    unready = f"containers with unready status: [{main.name}]"
    conditions = [
        _condition("PodScheduled", True, started),
        _condition("Initialized", initialized, started, "ContainersNotInitialized", waits),
        _condition("ContainersReady", main.ready, started, "ContainersNotReady", unready),
        _condition("Ready", main.ready, started, "ContainersNotReady", unready),
    ]
    return {
        "phase": "Running" if initialized else "Pending",
        "conditions": conditions,
        "hostIP": HOST,
        "podIP": HOST,
        "podIPs": [{"ip": HOST}],
        "startTime": started,
        "qosClass": "BestEffort",
        "initContainerStatuses": [init.as_json()],
        "containerStatuses": [main.as_json()],
    }


def _condition(kind: str, true: bool, since: str, reason: str = "", message: str = "") -> Object:
    why = {} if true else {"reason": reason, "message": message}
    return {"type": kind, "status": str(true), "lastProbeTime": None, "lastTransitionTime": since, **why}
