"""The pauses before a container starts again, as a kubelet makes them: none at first, then 10 seconds doubling to 300.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""

from __future__ import annotations

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
FORGIVEN_AFTER = 600.0
"""A container that ran this long starts over with the pauses."""


class BackOff:
    """One container's pauses, in seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def pause(self, ran: float = 0.0) -> float:
        """How long to wait now, after a run of ``ran`` seconds."""
        pause = 0.0 if ran >= FORGIVEN_AFTER else self._next
        self._next = min(2 * pause or FIRST_PAUSE, LONGEST_PAUSE)
        return pause
