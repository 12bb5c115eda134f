"""Start containers and control them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from minipdk.common.home import Home
from minipdk.sandbox import bare_interpreter, diagnosis, executor, folders, launcher, runtime_config
from minipdk.sandbox.bare_interpreter import Stream
from minipdk.sandbox.errors import ContainerSpecError, LaunchError
from minipdk.sandbox.private_layer import changed
from minipdk.sandbox.rootfs import SetupError
from minipdk.sandbox.spec import ContainerSpec


class Container:
    """A started container. Its status is that of its command, 128 + n when signal n ended it."""

    def __init__(
        self, home: Home, process: subprocess.Popen[bytes], config: dict[str, Any], folder: Path, lock: int | None
    ) -> None:
        self._home, self._process, self.folder, self._lock = home, process, folder, lock
        self._config = {key: config[key] for key in ("env", "working_dir", "user")}
        self._network: list[int] = config["network"]

    @property
    def pid(self) -> int:
        """The launcher's process id, on the host. SIGTERM sent to it reaches the command."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        return self._process.stderr

    def poll(self) -> int | None:
        """The exit status, or None while the container runs."""
        return _status(self._process.poll())

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once the container has ended. Raises TimeoutError after ``timeout`` seconds."""
        try:
            status = _status(self._process.wait(timeout))
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the container still runs after {timeout} s") from None
        assert status is not None
        return status

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """The output of the command on stdout and stderr up to its end, if they are PIPE."""
        try:
            return self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the container still runs after {timeout} s") from None

    def send_signal(self, number: int) -> None:
        """Send SIGTERM, SIGINT or SIGHUP to the command."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM to the command."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End everything inside immediately. The status will be 137."""
        self._process.send_signal(launcher.KILL_REQUEST)

    def stop(self, grace: float = 5) -> int:
        """Ask the command to end; kill everything inside after ``grace`` seconds. Returns the exit status."""
        self.terminate()
        try:
            return self.wait(grace)
        except TimeoutError:
            self.kill()
            return self.wait()

    def run(self, argv: Sequence[str], timeout: float) -> tuple[int, bytes]:
        """Run one more command in the container, with its environment; returns the exit status and the output.

        Raises TimeoutError after ``timeout`` seconds, when the command is ended; SandboxError when the container has ended.
        """
        opened: list[int] = []
        try:
            [init] = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            paths = (f"/proc/{init}/ns/{kind}" for kind in executor.NAMESPACES)
            opened.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
            namespaces = [*self._network, *opened]
            config = {**self._config, "argv": list(argv), "namespaces": namespaces}
            process, failure = bare_interpreter.spawn(
                "executor", config, namespaces, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except (OSError, ValueError) as error:
            raise LaunchError("the container has ended") from error
        finally:
            for descriptor in opened:
                os.close(descriptor)
        with process:
            if failure:
                raise diagnosis.error(self._home, failure)
            try:
                output, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise TimeoutError(f"the command still runs after {timeout:g} s") from None
        return _status(process.returncode) or 0, output

    def changed(self, prefix: str) -> bool:
        """Whether the container has written, replaced or deleted a file below ``prefix``, mounts and bytecode aside.

        The answer is right while the container runs, and after its end if it was started with ``keep_layer``.
        """
        return changed(self.folder / "upper", prefix)

    def remove(self) -> None:
        """Remove the private layer of a container started with ``keep_layer``."""
        launcher.remove(str(self.folder))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def start(
    home: Home,
    spec: ContainerSpec,
    *,
    stdin: bytes | Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    keep_layer: bool = False,
) -> Container:
    """Start a container and return once its root is built and its command is about to run.

    ``stdin`` is the command's input, or a stream as for subprocess.Popen; None is empty. ``stdout`` and ``stderr`` are as
    for subprocess.Popen. The private layer vanishes at the end unless ``keep_layer``; then call `Container.remove`.
    Raises SandboxError when the container cannot be made.
    """
    folder, lock = folders.create(home)
    held = [lock]
    try:
        config = runtime_config.make(home, spec, folder, keep_layer=keep_layer)
        if not config["argv"]:
            raise ContainerSpecError(f"image {spec.image.name} has no CMD or ENTRYPOINT: name a command")
        held += folders.hold(config["layers"])
        config["descriptors"] = held  # the launcher holds the locks from here on
        process = _launch(home, config, stdin, stdout, stderr)
    except BaseException:
        launcher.remove(str(folder))
        os.close(lock)
        raise
    finally:
        for descriptor in held[1:]:
            os.close(descriptor)
    if not keep_layer:
        os.close(lock)
    return Container(home, process, config, folder, lock if keep_layer else None)


def _launch(
    home: Home, config: dict[str, Any], stdin: bytes | Stream, stdout: Stream, stderr: Stream
) -> subprocess.Popen[bytes]:
    descriptors = [*config["descriptors"], *config["network"]]
    process, failure = bare_interpreter.spawn("launcher", config, descriptors, stdin=stdin, stdout=stdout, stderr=stderr)
    if failure:
        with process:  # closes its pipes and waits for it
            pass
        raise diagnosis.error(home, failure)
    return process


def _status(code: int | None) -> int | None:
    return 128 - code if code is not None and code < 0 else code


class Inside:
    """The container that this process has entered."""

    def __init__(self, upper: int) -> None:
        self._upper = upper

    def changed(self, prefix: str) -> bool:
        """Whether this container has written below ``prefix``; see `Container.changed`."""
        return changed(self._upper, prefix)


def enter(home: Home, spec: ContainerSpec) -> Inside:
    """Turn this process, a fresh single-threaded fork, into the container of ``spec``, whose argv is ignored.

    When this returns, the caller is the container's command: a child of its PID 1, in its root, with its environment,
    working folder and user; open files stay open. The process that called becomes the launcher: it ends with the
    command's status, forwards SIGTERM, and kills the container when its own parent ends. Raises SandboxError, possibly in
    a child: let it end the process.
    """
    folder, lock = folders.create(home)
    config = runtime_config.make(home, spec, folder, keep_layer=False)
    config |= {"parent": os.getppid(), "descriptors": [lock, *folders.hold(config["layers"])]}
    (folder / "upper").mkdir()
    upper = os.open(folder / "upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        launcher.contain(config)
    except SetupError as failure:
        raise diagnosis.error(home, launcher.report(failure)) from failure
    return Inside(upper)
