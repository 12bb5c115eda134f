"""The Pods that run on the node, as other controllers of the process see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from minipdk.controller.informer import Informer
from minipdk.controller.objects import Object
from minipdk.controller.routes import Backend

CRASH_LOOP, IMAGE_ERROR = "CrashLoopBackOff", "ErrImagePull"
"""Reasons for which a container waits, in its status."""


class RunningPod(Protocol):
    """A Pod that the node runs. ``backend`` is set while the Pod is ready for requests."""

    backend: Backend | None

    def status(self) -> Object:
        """The Pod's status now, which the API shows a moment later."""
        ...


class Pods(Protocol):
    """All Pods of the node. ``informer`` follows the API's Pods."""

    informer: Informer

    def subscribe(self, on_change: Callable[[Object], None]) -> None:
        """Call ``on_change`` with a Pod whenever its status has changed."""
        ...

    def running(self, pod: Object) -> RunningPod | None:
        """The worker of ``pod``; None once the Pod is being ended."""
        ...

    def admit(self, pod: Object) -> None:
        """Start a Pod that a controller has just created, before the watch reports it."""
        ...
