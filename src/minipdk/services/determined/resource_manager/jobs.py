"""The job queue: the experiments that run or wait for slots, as the scheduler sees them."""

from __future__ import annotations

from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.model import TERMINAL, Allocation, Experiment, Job, State
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.trials import Trials


class Jobs:
    def __init__(self, experiments: Experiments, trials: Trials, scheduler: Scheduler) -> None:
        self._experiments = experiments
        self._trials = trials
        self._scheduler = scheduler

    def all(self) -> list[Job]:
        """The running jobs first, then the others in the order of the queue."""
        slots: dict[int, int] = {}
        for run in list(self._scheduler.running.values()):
            slots[run.experiment_id] = slots.get(run.experiment_id, 0) + len(run.slots)
        live = [
            experiment
            for experiment in self._experiments.all()
            if experiment.state not in TERMINAL and (experiment.state != State.PAUSED or experiment.id in slots)
        ]
        live.sort(key=lambda experiment: (experiment.id not in slots, experiment.priority, experiment.id))
        return [
            Job(
                experiment,
                ahead=ahead,
                running=experiment.id in slots,
                allocated_slots=slots.get(experiment.id, 0),
            )
            for ahead, experiment in enumerate(live)
        ]

    def set_priority(self, experiment: Experiment, priority: int) -> None:
        self._experiments.update(experiment.id, {"priority": priority})

    def queued_in(self) -> list[str]:
        """The resource pool of each waiting trial."""
        return [trial.resource_pool for trial in self._scheduler.queue()]

    def running_in(self) -> list[str]:
        """The resource pool of each running trial."""
        return [experiment.resource_pool for _, experiment in self.running()]

    def running(self) -> list[tuple[Allocation, Experiment]]:
        """The running allocations, each with its experiment."""
        return [
            (self._trials.allocation(allocation_id), self._experiments.get(run.experiment_id))
            for allocation_id, run in list(self._scheduler.running.items())
        ]
