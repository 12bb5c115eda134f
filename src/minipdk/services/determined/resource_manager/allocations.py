"""Runs trials: starts them through the launcher, keeps what they print, and records how they ended."""

from __future__ import annotations

import fcntl
import logging
import os
import selectors
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from minipdk.services.determined import states
from minipdk.services.determined.errors import MasterError
from minipdk.services.determined.resource_manager.scheduler import Scheduler
from minipdk.services.determined.trial.environment import Run
from minipdk.services.determined.trial.launcher import LOST, Launcher
from minipdk.services.determined.trials import Ending

if TYPE_CHECKING:
    from minipdk.services.determined.master import Master

log = logging.getLogger(__name__)
GATHER = 0.05
"""Seconds of output that are kept in one transaction."""
DRAIN = 5
"""Seconds to wait for the last output of a trial that has ended."""


PIPE_SIZE = 1 << 20
LONGEST_LINE = 1 << 20


@dataclass
class _Exit:
    """How a process ended, once it has."""

    status: int | None = None
    happened: threading.Event = field(default_factory=threading.Event)


class Allocations:
    def __init__(self, master: Master) -> None:
        self._master = master
        self._exits: dict[str, _Exit] = {}
        self.launcher = Launcher(master.home, self._started, self._ended)
        self.scheduler = Scheduler(master.database, master.trials, self._start, self.launcher.kill)

    def _start(self, trial_id: int, slots: list[int]) -> str | None:
        """Begin a run of the trial; None when it cannot be, and the trial has failed for that."""
        master = self._master
        trial = master.trials.get(trial_id)
        experiment = master.experiments.get(trial["experiment_id"])
        latest = master.checkpoints.latest(trial_id)
        allocation, token = master.trials.start_allocation(trial_id, experiment["user_id"], slots)
        checkpoint = latest["uuid"] if latest else trial["warm_start_checkpoint"]
        steps = latest["steps"] if latest else 0
        run = Run(master.home, experiment, master.trials.get(trial_id), allocation, token, checkpoint, steps)
        try:
            master.submissions.complete(run.config)  # pools, images and folders come and go
            self._launch(run)
        except (MasterError, OSError) as error:
            self._give_up(allocation["id"], trial_id, str(error))
            return None
        return str(allocation["id"])

    def _launch(self, run: Run) -> None:
        archive = self._master.experiments.definition(run.experiment["id"])
        self._exits[run.allocation["id"]] = _Exit()
        (out_reader, out), (err_reader, err) = _wide_pipe(), _wide_pipe()
        try:
            self.launcher.start(run.job(run.config), archive, out, err)
        finally:
            os.close(out)
            os.close(err)
        threading.Thread(target=self._follow, args=(run, out_reader, err_reader), daemon=True, name="trial").start()

    def _give_up(self, allocation_id: str, trial_id: int, reason: str) -> None:
        master = self._master
        with master.database.transaction() as rows:
            master.logs.say(trial_id, allocation_id, "ERROR", f"the trial cannot be started: {reason}")
            master.trials.allocation_ended(allocation_id, LOST, reason)
            master.trials.fail(trial_id)
            master.experiments.settle(rows, master.trials.get(trial_id)["experiment_id"])

    def _started(self, allocation_id: str) -> None:
        self._master.trials.mark_running(allocation_id)

    def _ended(self, allocation_id: str, status: int) -> None:
        end = self._exits[allocation_id]
        end.status = status
        end.happened.set()

    def _follow(self, run: Run, stdout: int, stderr: int) -> None:
        """Keep the run's output until it ends, then record its end."""
        allocation_id = run.allocation["id"]
        try:
            self._keep_output(run, {stdout: "stdout", stderr: "stderr"})
            end = self._exits[allocation_id]
            end.happened.wait()
            assert end.status is not None
            self._record(run, end.status)
        except Exception:
            log.exception("allocation %s", allocation_id)
        finally:
            self._exits.pop(allocation_id, None)
            self.scheduler.released(allocation_id)
            self.scheduler.wake()

    def _keep_output(self, run: Run, pipes: dict[int, str]) -> None:
        end = self._exits[run.allocation["id"]]
        partial = dict.fromkeys(pipes, b"")
        deadline: float | None = None
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map() and (deadline is None or time.monotonic() < deadline):
                if deadline is None and end.happened.is_set():
                    deadline = time.monotonic() + DRAIN
                for key, _ in sorted(selector.select(timeout=1), key=lambda ready: ready[0].fd):
                    data = os.read(key.fd, PIPE_SIZE)
                    *lines, partial[key.fd] = (partial[key.fd] + data).split(b"\n")
                    if len(partial[key.fd]) > LONGEST_LINE:
                        lines, partial[key.fd] = [*lines, partial[key.fd]], b""
                    if not data:
                        selector.unregister(key.fd)
                        lines += [partial[key.fd]] if partial[key.fd] else []
                    self._keep(run, pipes[key.fd], lines)
                time.sleep(GATHER)
        for pipe in pipes:
            os.close(pipe)

    def _keep(self, run: Run, stdtype: str, lines: list[bytes]) -> None:
        # A carriage return repaints the line, as progress bars do: what stays is what follows the last one.
        texts = [line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode(errors="replace") for line in lines]
        if texts:
            ids = run.trial["id"], run.allocation["id"], run.allocation["container_id"]
            self._master.logs.append(*ids, stdtype, texts)

    def _record(self, run: Run, status: int) -> None:
        master, allocation_id, trial_id = self._master, run.allocation["id"], run.trial["id"]
        running = self.scheduler.running.get(allocation_id)
        if running and running.overdue:
            status = LOST
        with master.database.transaction() as rows:
            ending = master.trials.allocation_ended(allocation_id, status, _reason(status))
            if sentence := _sentence(ending):
                master.logs.say(trial_id, allocation_id, "ERROR", sentence)
            master.experiments.settle(rows, ending.experiment_id)
        master.checkpoints.remove_deleted_files()


def _wide_pipe() -> tuple[int, int]:
    """A pipe that takes a burst of output without making the trial wait: (reading end, writing end)."""
    reader, writer = os.pipe()
    with suppress(PermissionError):  # beyond the user's allowance for pipes; the usual size will do
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    return reader, writer


def _reason(status: int) -> str:
    if status == LOST:
        return "the run was ended by the cluster"
    return "" if status == 0 else f"the entrypoint exited with code {status}"


def _sentence(ending: Ending) -> str:
    """What to add to the log of a trial that failed."""
    if not ending.failed:
        return ""
    failed = f"trial {ending.trial_id} of experiment {ending.experiment_id} failed: exit code {ending.exit_code}"
    if ending.state == states.ERROR:
        return f"{failed}; no restart is left (max_restarts: {ending.max_restarts})"
    return f"{failed}; restart {ending.restarts} of {ending.max_restarts} from its latest checkpoint"
