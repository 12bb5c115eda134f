"""Builds of images: jobs of kaniko's image, whose work the cluster's own builder does.

A build is a separate process, which ends with this service. Its context is in the storage, where the client has uploaded it.
https://github.com/GoogleContainerTools/kaniko#additional-flags
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import re
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from minipdk.common.home import Home
from minipdk.images.registry import stored_name
from minipdk.services.neuro.errors import InvalidArgumentError, PlatformError, UnsupportedError
from minipdk.services.neuro.jobs.logs import JobLog
from minipdk.services.neuro.model import Job
from minipdk.services.neuro.names import ORGANIZATION, PROJECT
from minipdk.services.neuro.storage import Place, Storage

IMAGE = re.compile(r"gcr\.io/kaniko-project/executor(?::.*)?")
BUILDS_FOLDER = ".builds"
CONTEXT, CONFIG_PATH = "/kaniko_context", "/kaniko/.docker/config.json"
"""The paths of the context and of the registry's credentials in kaniko's container."""
OLDEST_SECONDS = 86400.0
MOST_BUILDS = 2
USED = ("context", "dockerfile", "destination", "build-arg")
ECHOED = ("cache", "cache-repo", "verbosity", "image-fs-extract-retry", "push-retry", "use-new-run", "snapshot-mode")
"""Flags without an effect here: every layer is cached, and images are not pushed anywhere."""
LAST_LINES = 4096
LINE = 1 << 16


@dataclass(frozen=True)
class Build:
    """The arguments of a build: paths in the container's terms, below which ``volumes`` are mounted."""

    context: str
    dockerfile: str
    destination: str
    arguments: dict[str, str]


@dataclass(frozen=True)
class Result:
    """How a build ended: its exit status and, if it failed, its last output."""

    exit_code: int
    message: str = ""


def is_build(job: Job) -> bool:
    return IMAGE.fullmatch(job.container.image) is not None


def parse(job: Job) -> Build:
    """The build that the command of ``job`` describes. Raises PlatformError."""
    container = job.container
    if container.entrypoint:
        raise UnsupportedError("an entrypoint for kaniko, with which credentials for other registries are merged,")
    flags: dict[str, list[str]] = {}
    words = list(container.command)
    while words:
        name, equals, value = words.pop(0).partition("=")
        flag = name.removeprefix("--")
        if not name.startswith("--") or flag not in (*USED, *ECHOED):
            raise UnsupportedError(f"kaniko's argument {name}")
        if not equals:
            if not words:
                raise InvalidArgumentError(f"kaniko's argument {name} needs a value")
            value = words.pop(0)
        flags.setdefault(flag, []).append(value)
    for flag in ("context", "dockerfile", "destination"):
        if len(flags.get(flag, ())) != 1:
            raise InvalidArgumentError(f"a build needs --{flag} once")
    destination = flags["destination"][0]
    stored = stored_name(destination) or ""
    if not stored.partition("/")[2].startswith(f"{ORGANIZATION}/{PROJECT}/"):
        raise InvalidArgumentError(f"--destination {destination} is not an image of this registry's project")
    arguments = _arguments(flags.get("build-arg", ()), container.env)
    return Build(flags["context"][0], flags["dockerfile"][0], stored, arguments)


def _arguments(options: Iterable[str], env: dict[str, str]) -> dict[str, str]:
    """``NAME=VALUE``, or ``NAME`` for its value among the job's variables."""
    arguments = {}
    for option in options:
        name, equals, value = option.partition("=")
        if equals or name in env:
            arguments[name] = value if equals else env[name]
    return arguments


def check(job: Job) -> None:
    """Raise PlatformError for a build that cannot be carried out."""
    build = parse(job)
    _context(job, build)
    for volume in job.container.volumes:
        if volume.target not in (CONFIG_PATH, posixpath.normpath(build.context)):
            raise UnsupportedError(f"the volume {volume.target} of a build")


def _context(job: Job, build: Build) -> Place:
    """The context's place in the storage. Raises InvalidArgumentError if it is not among the volumes."""
    context = posixpath.normpath(build.context)
    volume = next((volume for volume in job.container.volumes if volume.target == context), None)
    if volume is None:
        raise InvalidArgumentError(f"--context {build.context} is not the path of one of the job's volumes")
    return Place(tuple(part for part in volume.path.split("/") if part))


class Builds:
    """Carries out builds; ``slots`` are the places of builds that run at the same time."""

    def __init__(self, home: Home, storage: Storage) -> None:
        self._home, self._storage = home, storage
        self.slots = asyncio.Semaphore(MOST_BUILDS)

    async def run(self, job: Job, log: JobLog) -> Result:
        """Build the image of ``job``; cancelled, end the build."""
        try:
            command = self._command(job)
        except PlatformError as error:
            log.write_now(str(error).encode())
            return Result(1, str(error))
        context = command[command.index("--context") + 1]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                limit=LINE,
            )
        except OSError as error:  # arguments that are too long
            message = f"the builder cannot be started: {(error.strerror or str(error)).lower()}"
            log.write_now(message.encode())
            return Result(1, message)
        try:
            tail = await _copy(process, log, context.encode(), CONTEXT.encode())
            code = await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return Result(0) if code == 0 else Result(1, tail.strip() or f"the builder ended with status {code}")

    def _command(self, job: Job) -> list[str]:
        build = parse(job)
        place = _context(job, build)
        context = self._storage.resolve(place)
        inner = posixpath.relpath(posixpath.normpath(build.dockerfile), posixpath.normpath(build.context))
        if inner.split("/")[0] == "..":
            raise InvalidArgumentError(f"the Dockerfile {build.dockerfile} is outside of the context {build.context}")
        try:
            dockerfile = self._storage.resolve(Place((*place.parts, *inner.split("/"))))
        except PlatformError:
            raise InvalidArgumentError(f"the Dockerfile {inner} does not exist in the context") from None
        if not dockerfile.is_relative_to(context):
            raise InvalidArgumentError(f"the Dockerfile {inner} is outside of the context")
        options = [f"--build-arg={name}={value}" for name, value in build.arguments.items()]
        return [
            *(sys.executable, "-m", "minipdk.services.neuro.jobs.builder"),
            *("--home", str(self._home.path), "--parent", str(os.getpid())),
            *("--context", str(context), "--dockerfile", str(dockerfile), "--name", build.destination, *options),
        ]

    def remove_context(self, job: Job) -> None:
        """Remove the folder below `.builds` that the client uploaded for this build, with its token for the registry."""
        for volume in job.container.volumes:
            parts = volume.path.split("/")
            if parts[0] == BUILDS_FOLDER and len(parts) > 2:
                with contextlib.suppress(PlatformError):
                    self._storage.delete(Place(tuple(parts[:2])), recursive=True)

    def sweep(self, jobs: Iterable[Job]) -> None:
        """Remove contexts of builds that have ended, and of builds that were never asked for, after a day."""
        known = [job for job in jobs if is_build(job)]
        for job in known:
            if job.status.is_final:
                self.remove_context(job)
        used = {volume.path.split("/")[1] for job in known for volume in job.container.volumes if "/" in volume.path}
        folder: Path = self._storage.project / BUILDS_FOLDER
        for entry in os.scandir(folder) if folder.is_dir() and not folder.is_symlink() else ():
            if entry.name not in used and time.time() - entry.stat(follow_symlinks=False).st_mtime > OLDEST_SECONDS:
                with contextlib.suppress(PlatformError):
                    self._storage.delete(Place((BUILDS_FOLDER, entry.name)), recursive=True)


async def _copy(process: asyncio.subprocess.Process, log: JobLog, folder: bytes, name: bytes) -> str:
    """Copy the output to the log, with paths relative to ``folder``, which has the ``name``; returns its end."""
    assert process.stdout
    tail = b""
    while True:
        try:
            line = await process.stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            line = end.partial
        except asyncio.LimitOverrunError as error:
            line = await process.stdout.readexactly(error.consumed)
        if not line:
            return tail.decode(errors="replace")
        line = line.replace(folder + b"/", b"").replace(folder, name)
        log.write_now(line.rstrip(b"\n"))
        tail = (tail + line)[-LAST_LINES:]
