"""A command of a pipeline in its container: its start, its output in the log, its end, and restarts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minipdk import sandbox
from minipdk.common.backoff import BackOff
from minipdk.sandbox import ContainerSpec, Mount
from minipdk.sandbox.errors import SandboxError
from minipdk.services.pachyderm.pps.errors import FailedTryError
from minipdk.services.pachyderm.pps.logs import JobLog, OutputCopier
from minipdk.services.pachyderm.pps.model import Datum
from minipdk.services.pachyderm.pps.worker import pach_bin
from minipdk.services.pachyderm.pps.worker.plans import Plan

STOP_GRACE_S = 2.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


@dataclass(frozen=True)
class Command:
    """A command, with ``mounts`` beside the plan's and ``layers`` on top of the image's.

    ``output``: the folder that is uploaded when it has ended, and the folder whose files stay for its links.
    The output belongs to ``datum`` in the log; if it is None, the caller attributes it later.
    """

    argv: Sequence[str]
    stdin: Iterable[str]
    env: Mapping[str, str]
    datum: Datum | None = None
    mounts: tuple[Mount, ...] = ()
    layers: tuple[Path, ...] = ()
    output: tuple[str, str] | None = None


class UserCode:
    """A started command, whose output goes to the job's log."""

    def __init__(self, plan: Plan, command: Command, log: JobLog, worker: str) -> None:
        """Raises FailedTryError when the container cannot be made."""
        spec = ContainerSpec(
            image=replace(plan.image, layers=(*plan.image.layers, *command.layers)),
            argv=list(command.argv),
            env=pach_bin.on_path(command.env, plan.image.config.env),
            working_dir=plan.transform.working_dir or None,
            user=plan.transform.user or None,
            mounts=[*command.mounts, *plan.mounts, *pach_bin.mounts(plan.home)],
            output=command.output,
        )
        stdin = "".join(line + "\n" for line in command.stdin).encode()
        reading, writing = os.pipe()
        try:
            self._container = sandbox.start(plan.home, spec, stdin=stdin, stdout=writing, stderr=subprocess.STDOUT)
        except SandboxError as error:
            os.close(reading)
            raise FailedTryError(f"the container could not start: {error}") from error
        finally:
            os.close(writing)
        self.output = OutputCopier(log, reading, worker, command.datum)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended and its output is in the log. TimeoutError after ``timeout`` seconds."""
        status = self._container.wait(timeout)
        self.output.join()
        return status

    def stop(self) -> None:
        self._container.stop(grace=STOP_GRACE_S)

    def failure(self, status: int) -> str:
        """An exit status in words, with the last line of the output."""
        last = f"; its last line was: {self.output.last_line}" if self.output.last_line is not None else ""
        return f"{describe_exit(status)}{last}"


def describe_exit(code: int) -> str:
    """An exit status in words: "exit status 1", "killed by signal 9"."""
    return f"killed by signal {code - 128}" if code > 128 else f"exit status {code}"


def keep_running(run: Callable[[], str], ended: threading.Event, log: Callable[[str], None]) -> None:
    """Call ``run`` again and again until ``ended`` is set, for services and spouts; the pauses grow while it ends early.

    ``run`` returns how the code ended, in words, which go to ``log``.
    """
    pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, healthy_after=LONGEST_PAUSE_S)
    while not ended.is_set():
        began = time.monotonic()
        try:
            how = run()
        except FailedTryError as failure:
            how = str(failure)
        pause = pauses.pause(time.monotonic() - began)
        if not ended.is_set():
            log(f"user code has ended and starts again in {pause:g}s: {how}")
            ended.wait(pause)
