"""The one agent, this machine, and the resource pools, which are names for its slots."""

from __future__ import annotations

from minipdk.services.determined.errors import NotFoundError
from minipdk.services.determined.model import AGENT, Agent, ResourcePool, now
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.trials import Trials


class Agents:
    def __init__(self, resource_pools: list[str], trials: Trials, scheduler: Scheduler) -> None:
        self._resource_pools = resource_pools
        self._trials = trials
        self._scheduler = scheduler
        self._started_at = now()

    def all(self) -> list[Agent]:
        return [self.get(AGENT)]

    def get(self, agent_id: str) -> Agent:
        if agent_id != AGENT:
            raise NotFoundError(f"agent {agent_id!r} not found: this cluster's agent is {AGENT!r}")
        running = {allocation_id: self._trials.allocation(allocation_id) for allocation_id in list(self._scheduler.running)}
        in_use = self._scheduler.slots_in_use()
        return Agent(
            self._started_at,
            self._resource_pools,
            slots=[running.get(in_use.get(number, "")) for number in range(self._scheduler.slots)],
            allocations=list(running.values()),
        )

    def resource_pools(self) -> list[ResourcePool]:
        """The pools; the first is the default."""
        queued = [trial.resource_pool for trial in self._scheduler.queue()]
        return [
            ResourcePool(
                name,
                is_default=name == self._resource_pools[0],
                slots=self._scheduler.slots,
                slots_used=len(self._scheduler.slots_in_use()),
                queued=queued.count(name),
                running=len(self._scheduler.running),
            )
            for name in self._resource_pools
        ]
