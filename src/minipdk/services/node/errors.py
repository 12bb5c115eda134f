"""Every way in which the node fails to run a Pod.

    ContainerError    a container cannot be started yet; its Pod's status has reason and message

Images and sandboxes fail with `minipdk.images.errors` and `minipdk.sandbox.errors`.
"""

from __future__ import annotations


class ContainerError(Exception):
    """A Secret, a ConfigMap or the image of a container is missing. ``reason`` is the waiting state's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
