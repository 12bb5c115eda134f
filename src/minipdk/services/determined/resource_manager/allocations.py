"""Runs trials: starts them through the launcher, stores their output, and records how they ended."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from minipdk.common.home import Home
from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import MasterError
from minipdk.services.determined.experiments import Experiments
from minipdk.services.determined.logs import Logs
from minipdk.services.determined.model import State
from minipdk.services.determined.resource_manager.output import PIPE_SIZE, Output
from minipdk.services.determined.resource_manager.ports import TrialPorts
from minipdk.services.determined.store import Store
from minipdk.services.determined.submissions import Submissions
from minipdk.services.determined.trial.environment import Environment
from minipdk.services.determined.trial.launcher import LOST, Launcher
from minipdk.services.determined.trials import Ending, Trials

log = logging.getLogger(__name__)


@dataclass
class Run:
    """A run of a trial on ``slots``. The scheduler notes when it was asked to exit, and whether it did so in time."""

    allocation_id: str
    trial_id: int
    experiment_id: int
    slots: list[int]
    preemption_timeout: int
    preempted_at: float | None = None
    killed: bool = False
    overdue: bool = False
    exit_status: int | None = None
    exited: threading.Event = field(default_factory=threading.Event)


class Allocations:
    def __init__(
        self,
        home: Home,
        store: Store,
        *,
        logs: Logs,
        trials: Trials,
        experiments: Experiments,
        checkpoints: Checkpoints,
        submissions: Submissions,
    ) -> None:
        self._home = home
        self._store = store
        self._logs = logs
        self._trials = trials
        self._experiments = experiments
        self._checkpoints = checkpoints
        self._submissions = submissions
        self._runs: dict[str, Run] = {}
        self._ports = TrialPorts()
        self._launcher = Launcher(home, trials.mark_running, self._exited)

    def warm_up(self) -> None:
        """Prepare to start trials, without waiting until that is done."""
        self._launcher.warm_up()

    def stop(self) -> None:
        """End every run."""
        self._launcher.stop()

    def kill(self, allocation_id: str) -> None:
        self._launcher.kill(allocation_id)

    def start(self, trial_id: int, slots: list[int], on_end: Callable[[str], None]) -> Run | None:
        """Begin a run of the trial; ``on_end`` gets its allocation's id, in another thread, when its end is recorded.

        Returns None when the trial cannot be started, and has failed for that reason.
        """
        environment = self._environment(trial_id, slots)
        allocation_id, config = environment.allocation.id, environment.experiment.config
        run = Run(allocation_id, trial_id, environment.experiment.id, slots, config["preemption_timeout"])
        try:
            self._submissions.complete(config)  # pools, images and folders come and go
            self._launch(run, environment, on_end)
        except (MasterError, OSError) as error:
            self._give_up(run, str(error))
            return None
        return run

    def _environment(self, trial_id: int, slots: list[int]) -> Environment:
        """Begin an allocation of the trial and describe everything that it needs."""
        experiment = self._experiments.get(self._trials.get(trial_id).experiment_id)
        latest = self._checkpoints.latest(trial_id)
        allocation, token = self._trials.start_allocation(trial_id, experiment.user_id, slots)
        trial = self._trials.get(trial_id)
        return Environment(
            self._home,
            experiment,
            trial,
            allocation,
            token,
            latest_checkpoint=latest.uuid if latest else trial.warm_start_checkpoint,
            steps_completed=latest.steps if latest else 0,
        )

    def _launch(self, run: Run, environment: Environment, on_end: Callable[[str], None]) -> None:
        archive = self._experiments.definition(environment.experiment)
        with ExitStack() as failed, ExitStack() as handed_over:
            self._runs[run.allocation_id] = run
            failed.callback(self._forget, run)
            (out_reader, out), (err_reader, err) = (_wide_pipe(failed, handed_over) for _ in range(2))
            self._launcher.start(environment.job(self._ports.take(run.allocation_id)), archive, out, err)
            failed.pop_all()
        output = Output(self._logs, environment.allocation, run.exited)
        follow = (run, output, {out_reader: "stdout", err_reader: "stderr"}, on_end)
        threading.Thread(target=self._follow, args=follow, daemon=True, name="trial").start()

    def _forget(self, run: Run) -> None:
        self._runs.pop(run.allocation_id, None)
        self._ports.release(run.allocation_id)

    def _give_up(self, run: Run, reason: str) -> None:
        with self._store.transaction():
            self._logs.add_line(run.trial_id, run.allocation_id, "ERROR", f"the trial cannot be started: {reason}")
            self._trials.allocation_ended(run.allocation_id, LOST, reason)
            self._trials.fail(run.trial_id)
            self._experiments.settle(run.experiment_id)

    def _exited(self, allocation_id: str, status: int) -> None:
        run = self._runs[allocation_id]
        run.exit_status = status
        run.exited.set()

    def _follow(self, run: Run, output: Output, pipes: dict[int, str], on_end: Callable[[str], None]) -> None:
        """Store the run's output until it ends, then record its end."""
        try:
            output.store(pipes)
            run.exited.wait()
            self._record(run)
        except Exception:
            log.exception("allocation %s", run.allocation_id)
        finally:
            self._forget(run)
            on_end(run.allocation_id)

    def _record(self, run: Run) -> None:
        assert run.exit_status is not None
        status = LOST if run.overdue else run.exit_status
        with self._store.transaction():
            ending = self._trials.allocation_ended(run.allocation_id, status, _reason(status))
            if sentence := _sentence(ending):
                self._logs.add_line(run.trial_id, run.allocation_id, "ERROR", sentence)
            self._experiments.settle(ending.experiment_id)
        self._checkpoints.remove_deleted_files()


def _wide_pipe(failed: ExitStack, handed_over: ExitStack) -> tuple[int, int]:
    """A pipe that takes a burst of output without making the trial wait: (reading end, writing end).

    The reading end is closed with ``failed``, the writing end with ``handed_over``.
    """
    reader, writer = os.pipe()
    failed.callback(os.close, reader)
    handed_over.callback(os.close, writer)
    with suppress(PermissionError):  # beyond the user's allowance for pipes; the usual size will do
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return reader, writer


def _reason(status: int) -> str:
    if status == LOST:
        return "the run was ended by the cluster"
    return "" if status == 0 else f"the entrypoint exited with code {status}"


def _sentence(ending: Ending) -> str:
    """A line for the log of a trial that failed; empty for another."""
    if not ending.failed:
        return ""
    failed = f"trial {ending.trial_id} of experiment {ending.experiment_id} failed: exit code {ending.exit_code}"
    if ending.state == State.ERROR:
        return f"{failed}; no restart is left (max_restarts: {ending.max_restarts})"
    return f"{failed}; restart {ending.restarts} of {ending.max_restarts} from its latest checkpoint"
