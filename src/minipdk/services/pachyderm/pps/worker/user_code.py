"""A command of a pipeline's in its container: how it is started, what it writes to the log, how it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.sandbox import ContainerSpec, Mount
from minipdk.sandbox.errors import SandboxError
from minipdk.services.pachyderm.pps.datums import Datum
from minipdk.services.pachyderm.pps.logs import JobLog, OutputCopier
from minipdk.services.pachyderm.pps.worker.environment import Worker

STOP_GRACE_S = 2.0


@dataclass(frozen=True)
class Plan:
    """How the containers of one job are made: everything but the datum. Timeouts are in seconds."""

    image: Any
    transform: Any
    worker: Worker
    mounts: tuple[Mount, ...]
    tries: int
    timeout: float | None
    keeps_output: bool = True
    """Whether what user code leaves in /pfs/out is the job's output."""
    s3_out: bool = False
    """Whether user code writes its output through S3: there is no /pfs/out then."""


class FailedTryError(Exception):
    """A try came to nothing, for the reason given."""


@dataclass(frozen=True)
class Command:
    """What to run where: ``mounts`` and the ``layers`` on top of the image's are those beyond the plan's.

    ``datum`` is whose output it writes to the log, None where that is to be said later.
    """

    argv: Sequence[str]
    stdin: Iterable[str]
    env: Mapping[str, str]
    datum: Datum | None = None
    mounts: tuple[Mount, ...] = ()
    layers: tuple[Path, ...] = ()


class UserCode:
    """A started command, whose output goes to the job's log."""

    def __init__(self, home: Home, plan: Plan, command: Command, log: JobLog, worker: str) -> None:
        """Raises FailedTryError when there is no command or the container cannot be made."""
        if not command.argv:
            raise FailedTryError('invalid pipeline transform, no command specified: give transform.cmd, such as ["python3"]')
        spec = ContainerSpec(
            image=replace(plan.image, layers=(*plan.image.layers, *command.layers)),
            argv=list(command.argv),
            env=command.env,
            working_dir=plan.transform.working_dir or None,
            user=plan.transform.user or None,
            mounts=[*command.mounts, *plan.mounts],
        )
        stdin = "".join(line + "\n" for line in command.stdin).encode()
        reading, writing = os.pipe()
        try:
            self._container = sandbox.start(home, spec, stdin=stdin, stdout=writing, stderr=subprocess.STDOUT)
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
        """What to say of an exit status: in words, with the last line of the output."""
        last = f"; its last line was: {self.output.last_line}" if self.output.last_line is not None else ""
        return f"{describe_exit(status)}{last}"


def describe_exit(code: int) -> str:
    """An exit status in words: "exit status 1", "killed by signal 9"."""
    return f"killed by signal {code - 128}" if code > 128 else f"exit status {code}"


def pfs_folder(home: Home) -> Path:
    """Where the private /pfs folders of running datums lie: on the store's own disk, so that files can be linked."""
    return home.folder("run") / "datums"


def new_folder(home: Home) -> Path:
    """A name below `pfs_folder` that nothing has yet."""
    return pfs_folder(home) / uuid.uuid4().hex


def remove_folder(folder: Path) -> None:
    """Remove a try's /pfs, also where user code took away its own permissions."""

    def unlock(function: Any, path: str, _error: Any) -> None:
        Path(path).parent.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)
