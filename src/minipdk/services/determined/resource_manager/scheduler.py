"""Which trials run: slots are CPU cores, the queue goes by priority and then by age.

Started trials keep their slot until they end; nothing is preempted for another's sake. Every resource pool names the same
slots, those of this machine.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from minipdk.services.determined import states
from minipdk.services.determined.store.schema import loads
from minipdk.services.determined.trials import Trials
from minipdk.storage import Database

log = logging.getLogger(__name__)
DEFAULT_PRIORITY = 42  # of 1, the first, to 99
WAITING = """
    SELECT trials.id, experiment_id, resource_pool, config_json FROM trials
    JOIN experiments ON experiments.id = experiment_id
    WHERE trials.state = 'ACTIVE' AND experiments.state = 'ACTIVE'
        AND NOT EXISTS (SELECT 1 FROM allocations WHERE trial_id = trials.id AND end_time IS NULL)
    ORDER BY priority, experiment_id, trials.id
"""


@dataclass
class Running:
    """A run that holds ``slots``, until it ends."""

    trial_id: int
    experiment_id: int
    slots: list[int]
    preemption_timeout: int
    preempted_at: float | None = None
    killed: bool = False
    overdue: bool = False


@dataclass
class Scheduler:
    """``start(trial_id, slots)`` begins a run and returns its allocation's id; ``kill(allocation_id)`` ends one."""

    database: Database
    trials: Trials
    start: Callable[[int, list[int]], str | None]
    kill: Callable[[str], None]
    slots: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        self.running: dict[str, Running] = {}
        self._wake = threading.Condition()
        self._due = True
        self._stopped = False

    def run(self) -> None:
        """Schedule until `stop`, each time something changed and every second while a run is to be preempted."""
        while True:
            with self._wake:
                waiting = any(one.preempted_at for one in self.running.values())
                self._wake.wait_for(lambda: self._due or self._stopped, timeout=1 if waiting else None)
                if self._stopped:
                    return
                self._due = False
            try:
                self._enforce()
                self._fill()
            except Exception:
                log.exception("scheduling failed")

    def wake(self) -> None:
        """Look at the queue and the running trials again: something has changed."""
        with self._wake:
            self._due = True
            self._wake.notify_all()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify_all()

    def released(self, allocation_id: str) -> Running | None:
        """The run has ended: its slots are free."""
        with self._wake:
            return self.running.pop(allocation_id, None)

    def queue(self) -> list[sqlite3.Row]:
        """The trials that wait for a slot, the next first."""
        return self.database.connection().execute(WAITING).fetchall()

    def slots_in_use(self) -> dict[int, str]:
        """The allocation on each slot in use."""
        return {slot: allocation for allocation, one in list(self.running.items()) for slot in one.slots}

    def _enforce(self) -> None:
        """Kill what is to be killed, and what has not exited within its preemption timeout."""
        for allocation_id, one in list(self.running.items()):
            allocation, trial = self.trials.allocation(allocation_id), self.trials.get(one.trial_id)
            if allocation["preempt"] and one.preempted_at is None:
                one.preempted_at = time.monotonic()
            if one.preempted_at and time.monotonic() - one.preempted_at > one.preemption_timeout:
                one.overdue = True
            if (trial["state"] == states.STOPPING_KILLED or one.overdue) and not one.killed:
                one.killed = True
                self.kill(allocation_id)

    def _fill(self) -> None:
        free = [slot for slot in range(self.slots) if slot not in self.slots_in_use()]
        for row in self.queue():
            config = loads(row["config_json"])
            needed = config["resources"]["slots_per_trial"]
            if needed > len(free) or not self._allowed(row["experiment_id"], config):
                continue
            slots, free = free[:needed], free[needed:]
            with self._wake:  # a run that ends at once is released only after it is entered here
                if allocation_id := self.start(row["id"], slots):
                    timeout = config["preemption_timeout"]
                    self.running[allocation_id] = Running(row["id"], row["experiment_id"], slots, timeout)
                else:
                    free = slots + free

    def _allowed(self, experiment_id: int, config: dict[str, dict[str, int | None]]) -> bool:
        """Whether the experiment may run one more trial at the same time."""
        own = [one for one in self.running.values() if one.experiment_id == experiment_id]
        limits = (config["searcher"]["max_concurrent_trials"], config["resources"]["max_slots"])
        return all(not limit or len(own) < limit for limit in limits)
