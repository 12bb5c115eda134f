"""One run of one of a Pod's containers: its process in a sandbox, its log file, its end."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.home import HOST, Home
from minipdk.serving.api import Object
from minipdk.serving.runtimes import images

if TYPE_CHECKING:
    from minipdk.images import Image
    from minipdk.sandbox import Container

SIGNALLED = 128
LOG_TAIL = 16 << 10
MAX_MESSAGE = 2048


@dataclass(frozen=True)
class Ended:
    """How a run ended: the exit status, and the last line of the log unless it ended well."""

    code: int
    message: str


class Process:
    """A container that runs. ``ended`` is done when it has ended."""

    def __init__(self, container: Container, log: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._container, self._log = container, log
        self.ended: asyncio.Future[Ended] = loop.create_future()
        threading.Thread(target=self._wait, args=(loop,), daemon=True, name=f"wait {log.parent.name}").start()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._container.wait()
        ended = Ended(code, _message(code, self._log))
        try:
            loop.call_soon_threadsafe(self.ended.set_result, ended)
        except RuntimeError:  # the service has ended meanwhile, and its loop with it
            return

    async def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds."""
        await asyncio.to_thread(self._container.stop, grace=grace)


def find_image(home: Home, name: str) -> Image:
    """The image called ``name``; a serving image that is not there yet is built. Raises minipdk.images' ImageError."""
    from minipdk.images import ImageStore

    return images.build(home, name) if name in images.FOLDERS else ImageStore(home).resolve(name)


def start(
    home: Home,
    image: Image,
    container: Object,
    *,
    namespace: str,
    environment: dict[str, str],
    models: Path,
    log: Path,
    loop: asyncio.AbstractEventLoop,
) -> Process:
    """Start a container of a Pod's spec, its model volume at ``models``; its output is appended to ``log``. It blocks."""
    from minipdk.sandbox import ContainerSpec, Mount
    from minipdk.sandbox import start as start_container

    mounts = [
        Mount(source=models, target=mount["mountPath"], read_only=mount.get("readOnly", False))
        for mount in container.get("volumeMounts", [])
    ]
    spec = ContainerSpec(
        image=image,
        argv=[*(container.get("command") or image.config.entrypoint), *container.get("args", [])],
        env=environment,
        mounts=mounts,
        namespace=namespace,
    )
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        return Process(start_container(home, spec, stdin=b"", stdout=output, stderr=subprocess.STDOUT), log, loop)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _message(code: int, log: Path) -> str:
    if code > SIGNALLED:
        number = code - SIGNALLED
        return f"ended by signal {number}" + (", perhaps for want of memory" if number == signal.SIGKILL else "")
    return last_line(log) if code else ""


def last_line(log: Path) -> str:
    """The last line of ``log`` that is not empty: what a failed program said why (FallbackToLogsOnError)."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip()[:MAX_MESSAGE] for line in reversed(lines) if line.strip()), "")
