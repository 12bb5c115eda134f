"""A revision's progress, read from its Pods: its obstacle or its failure, and the state of its model.

Rules: `PropagateModelStatus` in KServe's inference_service_status.go. The Pod made last speaks for the revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from minipdk.controller.objects import Object
from minipdk.controller.pods import CRASH_LOOP, IMAGE_ERROR
from minipdk.services.kserve.predictor import KSERVE_CONTAINER
from minipdk.services.kserve.storage import STORAGE_INITIALIZER

PENDING, LOADING, LOADED, FAILED = "Pending", "Loading", "Loaded", "FailedToLoad"
LOAD_FAILED = "ModelLoadFailed"
ERROR = "Error"
"""The reason of a container that has ended with a status other than 0."""


@dataclass(frozen=True)
class Revision:
    """A revision: its name, its Pods' statuses, the number of Pods that take requests, and whether that is enough."""

    name: str
    pods: tuple[Object, ...]
    ready_replicas: int
    ready: bool


@dataclass(frozen=True)
class Progress:
    """The obstacle of a revision, or its failure; ``exit_code`` if a container has ended."""

    message: str = ""
    failed: bool = False
    exit_code: int | None = None


class ModelState(NamedTuple):
    """The state of a model, and KServe's lastFailureInfo if a container has failed to load it."""

    state: str
    failure: Object | None = None


def progress(revision: Revision | None) -> Progress:
    """The progress of the Pod that is worst off. After any failure a revision counts as failed until it is ready."""
    if revision is None or revision.ready:
        return Progress()
    every = [_pod_progress(pod) for pod in revision.pods]
    return min(every, key=lambda progress: not progress.failed, default=Progress())


def _pod_progress(pod: Object) -> Progress:
    inits, mains = pod.get("initContainerStatuses", []), pod.get("containerStatuses", [])
    failure: Progress | None = None
    for container in [*inits, *mains]:
        waiting = container["state"].get("waiting", {})
        ended = container["state"].get("terminated") or container.get("lastState", {}).get("terminated") or {}
        if waiting.get("reason") == IMAGE_ERROR:
            return Progress(f"{container['name']}: {waiting['message']}", failed=True)
        if ended and (ended["exitCode"] or container in mains):  # a server must not end at all
            message = ended.get("message") or f"ended with status {ended['exitCode']}: a model server has to go on"
            failure = Progress(f"Container failed with: {message}", failed=True, exit_code=ended["exitCode"])
            if "terminated" in container["state"] or waiting.get("reason") == CRASH_LOOP:
                return failure
        if waiting.get("message"):
            return failure or Progress(f"{container['name']}: {waiting['message']}")
    messages = {condition["type"]: condition.get("message") for condition in pod.get("conditions", [])}
    return failure or Progress(messages.get("PodScheduled") or messages.get("Initialized") or "the model server is starting")


def load_state(revision: Revision, known: str) -> ModelState:
    """The state of the model while ``revision`` is not loaded. It stays ``known`` while no container says more."""
    if not revision.pods:
        return ModelState(PENDING)
    newest = revision.pods[-1]
    initializer = _named(newest.get("initContainerStatuses", []), STORAGE_INITIALIZER)
    if "running" in initializer.get("state", {}):
        return ModelState(known if initializer.get("lastState", {}).get("terminated") else LOADING)
    server = _named(newest.get("containerStatuses", []), KSERVE_CONTAINER)
    if ended := _failure(initializer) or _failure(server):
        return ModelState(FAILED, ended)
    return ModelState(PENDING if server else known)


def _named(containers: list[Object], name: str) -> Object:
    return next((container for container in containers if container["name"] == name), {})


def _failure(container: Object) -> Object | None:
    """KServe's lastFailureInfo for a container that has ended with an error, or waits to be started again."""
    state = container.get("state", {})
    ended = state.get("terminated") or {}
    if state.get("waiting", {}).get("reason") == CRASH_LOOP:
        ended = container.get("lastState", {}).get("terminated") or {}
    elif ended.get("reason") != ERROR:
        return None
    details = {"message": ended.get("message"), "exitCode": ended.get("exitCode")}
    return {"reason": LOAD_FAILED, **{name: value for name, value in details.items() if value}}
