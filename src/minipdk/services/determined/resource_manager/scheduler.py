"""Which trials run: slots are CPU cores, and the queue is in the order of priority, then of age.

Started trials keep their slot until they end: no trial is preempted for another. Every resource pool names the same slots,
the slots of this machine.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field

from minipdk.services.determined.model import Json, State, WaitingTrial
from minipdk.services.determined.resource_manager.allocations import Allocations, Run
from minipdk.services.determined.store import Store
from minipdk.services.determined.trials import Trials

log = logging.getLogger(__name__)


@dataclass
class Scheduler:
    store: Store
    trials: Trials
    allocations: Allocations
    slots: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        self.running: dict[str, Run] = {}
        """The runs that occupy slots, by allocation."""
        self._wake = threading.Condition()
        self._due = True
        self._stopped = False

    def run(self) -> None:
        """Schedule until `stop`, each time something changed and every second while a run is to be preempted."""
        while True:
            with self._wake:
                preempting = any(run.preempted_at for run in self.running.values())
                self._wake.wait_for(lambda: self._due or self._stopped, timeout=1 if preempting else None)
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

    def queue(self) -> list[WaitingTrial]:
        """The trials that wait for a slot, the next first."""
        return self.store.trials.waiting()

    def slots_in_use(self) -> dict[int, str]:
        """The allocation on each slot in use."""
        return {slot: allocation_id for allocation_id, run in list(self.running.items()) for slot in run.slots}

    def _enforce(self) -> None:
        """Kill the runs of killed trials, and runs that have not exited within their preemption timeout."""
        for allocation_id, run in list(self.running.items()):
            allocation, trial = self.trials.allocation(allocation_id), self.trials.get(run.trial_id)
            if allocation.preempt and run.preempted_at is None:
                run.preempted_at = time.monotonic()
            if run.preempted_at and time.monotonic() - run.preempted_at > run.preemption_timeout:
                run.overdue = True
            if (trial.state == State.STOPPING_KILLED or run.overdue) and not run.killed:
                run.killed = True
                self.allocations.kill(allocation_id)

    def _fill(self) -> None:
        """Start waiting trials on the free slots."""
        in_use = self.slots_in_use()
        free = [slot for slot in range(self.slots) if slot not in in_use]
        for waiting in self.queue():
            needed: int = waiting.config["resources"]["slots_per_trial"]
            if needed > len(free) or not self._allowed(waiting.experiment_id, waiting.config):
                continue
            slots = free[:needed]
            with self._wake:  # a run that ends immediately is released only after it is entered here
                run = self.allocations.start(waiting.id, slots, self._released)
                if run:
                    self.running[run.allocation_id] = run
                    free = free[needed:]

    def _released(self, allocation_id: str) -> None:
        """Free the slots of a run that has ended."""
        with self._wake:
            self.running.pop(allocation_id, None)
        self.wake()

    def _allowed(self, experiment_id: int, config: Json) -> bool:
        """Whether the experiment may run one more trial at the same time."""
        count = sum(run.experiment_id == experiment_id for run in self.running.values())
        limits = (config["searcher"].get("max_concurrent_trials"), config["resources"]["max_slots"])
        return all(not limit or count < limit for limit in limits)
