"""The ports on which the processes of one trial meet each other: another set for each allocation."""

from __future__ import annotations

import random
import threading

from minipdk.common.ports import is_free

NAMES = ("C10D_PORT", "DTRAIN_SSH_PORT", "INTER_TRAIN_PROCESS_COMM_PORT_1", "INTER_TRAIN_PROCESS_COMM_PORT_2")
"""The variables in which Determined's launchers read them (``master/pkg/tasks/task.go`` in its sources)."""
CANDIDATES = range(10_000, 32_768)
"""Below the range from which the kernel gives outgoing connections their ports, so that none takes a port meanwhile."""


class TrialPorts:
    """The ports of the running allocations."""

    def __init__(self) -> None:
        self._taken: dict[str, set[int]] = {}
        self._lock = threading.Lock()

    def take(self, allocation_id: str) -> dict[str, int]:
        """Ports that nothing listens on and no other allocation has, by `NAMES`, until `release`."""
        with self._lock:
            taken = set().union(*self._taken.values())
            free = (port for port in random.sample(CANDIDATES, len(CANDIDATES)) if port not in taken and is_free(port))
            ports = dict(zip(NAMES, free, strict=False))
            self._taken[allocation_id] = set(ports.values())
        return ports

    def release(self, allocation_id: str) -> None:
        with self._lock:
            self._taken.pop(allocation_id, None)
