"""A Pod's progress, read from its status: the obstacle that keeps it from serving."""

from __future__ import annotations

from dataclasses import dataclass

from minipdk.controller.objects import Object
from minipdk.controller.pods import CRASH_LOOP, IMAGE_BACK_OFF, IMAGE_ERROR


@dataclass(frozen=True)
class Obstacle:
    """The obstacle that keeps a Pod from serving: a message, and the container that it is about, if any.

    ``failed``: it does not pass by itself. ``exit_code`` is that of a container that has ended, ``reason`` that of one that
    waits.
    """

    message: str = ""
    container: str = ""
    failed: bool = False
    exit_code: int | None = None
    reason: str = ""


def obstacle(pod: Object, server: str) -> Obstacle:
    """The obstacle that the status ``pod`` shows. ``server`` describes a container that must not end by itself."""
    inits, mains = pod.get("initContainerStatuses", []), pod.get("containerStatuses", [])
    failure: Obstacle | None = None
    for container in [*inits, *mains]:
        name = container["name"]
        waiting = container["state"].get("waiting", {})
        ended = container["state"].get("terminated") or container.get("lastState", {}).get("terminated") or {}
        reason = waiting.get("reason", "")
        if reason in (IMAGE_ERROR, IMAGE_BACK_OFF):
            return Obstacle(waiting["message"], name, failed=True, reason=reason)
        if ended and (ended["exitCode"] or container in mains):  # a server must not end at all
            message = ended.get("message") or f"ended with status {ended['exitCode']}: {server} has to go on"
            failure = Obstacle(message, name, failed=True, exit_code=ended["exitCode"])
            if "terminated" in container["state"] or reason == CRASH_LOOP:
                return failure
        if waiting.get("message"):
            return failure or Obstacle(waiting["message"], name, reason=reason)
    messages = {condition["type"]: condition.get("message") for condition in pod.get("conditions", [])}
    return failure or Obstacle(messages.get("PodScheduled") or messages.get("Initialized") or "")
