"""Start containers and control them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from minipdk.common.home import Home
from minipdk.sandbox import bare_interpreter, diagnosis, executor, folders, launcher, runtime_config
from minipdk.sandbox.bare_interpreter import Stream
from minipdk.sandbox.errors import ContainerSpecError, LaunchError
from minipdk.sandbox.private_layer import changed
from minipdk.sandbox.rootfs import SetupError
from minipdk.sandbox.spec import ContainerSpec


class _Launched:
    """A process with the streams of the program that it has started in a container."""

    _process: subprocess.Popen[bytes]

    @property
    def stdin(self) -> IO[bytes] | None:
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        return self._process.stderr


class Container(_Launched):
    """A started container. Its status is that of its command, 128 + n when signal n ended it."""

    def __init__(
        self,
        home: Home,
        process: subprocess.Popen[bytes],
        config: dict[str, Any],
        folder: Path,
        lock: int | None,
        *,
        terminal: int | None,
    ) -> None:
        self._home, self._process, self.folder, self._lock = home, process, folder, lock
        self.terminal = terminal
        """The master of its pseudo-terminal, if it was started with one."""
        self._config = {key: config[key] for key in ("env", "working_dir", "user", "cpus")}
        self._network: list[int] = config["network"]

    @property
    def pid(self) -> int:
        """The launcher's process id, on the host. SIGTERM sent to it reaches the command."""
        return self._process.pid

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

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        terminal: bool = False,
    ) -> Command:
        """Start one more command in the container, as its user and with its environment; the streams are as for `start`.

        With ``terminal`` the command's streams are a new pseudo-terminal instead. Raises SandboxError when the container has
        ended.
        """
        opened: list[int] = []
        with _terminal(wanted=terminal) as (ours, theirs):
            try:
                [init] = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
                paths = (f"/proc/{init}/ns/{kind}" for kind in executor.NAMESPACES)
                opened.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
                namespaces = [*self._network, *opened]
                config = {**self._config, "argv": list(argv), "namespaces": namespaces, "terminal": theirs}
                if terminal:
                    config["env"] = {"TERM": "xterm", **config["env"]}
                passed = [*namespaces, theirs] if theirs is not None else namespaces
                streams: dict[str, Stream] = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
                process, failure = bare_interpreter.spawn("executor", config, passed, **streams)
            except (OSError, ValueError) as error:
                raise LaunchError("the container has ended") from error
            finally:
                for descriptor in opened:
                    os.close(descriptor)
            if failure:
                with process:
                    raise diagnosis.error(self._home, failure)
            return Command(process, _received(ours))

    def run(self, argv: Sequence[str], timeout: float) -> tuple[int, bytes]:
        """Run one more command in the container, with its environment; returns the exit status and the output.

        Raises TimeoutError after ``timeout`` seconds, when the command is ended; SandboxError when the container has ended.
        """
        command = self.execute(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return command.communicate(timeout)

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


class Command(_Launched):
    """One more command in a running container, which ends it. ``terminal`` is the master of its pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int | None) -> None:
        self._process, self.terminal = process, terminal

    @property
    def pid(self) -> int:
        """The process id, on the host, of the process whose child the command is."""
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """The exit status, once the command has ended; 128 + n when a signal ended it."""
        return _status(self._process.wait()) or 0

    def communicate(self, timeout: float) -> tuple[int, bytes]:
        """The exit status and the output. Raises TimeoutError after ``timeout`` seconds, when the command is ended."""
        with self._process:
            try:
                output, _ = self._process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise TimeoutError(f"the command still runs after {timeout:g} s") from None
        return self.wait(), output

    def kill(self) -> None:
        """SIGKILL to the command and everything that it started in its process group."""
        if self.is_running():
            os.killpg(self._process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _terminal(*, wanted: bool) -> Iterator[tuple[socket.socket | None, int | None]]:
    """The two ends of the channel over which a process inside sends its pseudo-terminal's master; none if not ``wanted``."""
    if not wanted:
        yield None, None
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs.fileno()


def _received(channel: socket.socket | None) -> int | None:
    """The pseudo-terminal's master that the process inside sent before it became the command."""
    if channel is None:
        return None
    channel.setblocking(False)
    try:
        _message, [master], _flags, _address = socket.recv_fds(channel, 16, 1)
    except BlockingIOError:
        raise LaunchError("the process inside was ended before it had a terminal") from None
    os.set_inheritable(master, False)
    return master


def start(
    home: Home,
    spec: ContainerSpec,
    *,
    stdin: bytes | Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    terminal: bool = False,
    keep_layer: bool = False,
) -> Container:
    """Start a container and return once its root is built and its command is about to run.

    ``stdin`` is the command's input, or a stream as for subprocess.Popen; None is empty. ``stdout`` and ``stderr`` are as
    for subprocess.Popen; with ``terminal`` all three are a pseudo-terminal, `Container.terminal`. The private layer vanishes
    at the end unless ``keep_layer``; then call `Container.remove`.
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
        with _terminal(wanted=terminal) as (ours, config["terminal"]):
            process = _launch(home, config, stdin, stdout, stderr)
            master = _received(ours)
    except BaseException:
        launcher.remove(str(folder))
        os.close(lock)
        raise
    finally:
        for descriptor in held[1:]:
            os.close(descriptor)
    if not keep_layer:
        os.close(lock)
    return Container(home, process, config, folder, lock if keep_layer else None, terminal=master)


def _launch(
    home: Home, config: dict[str, Any], stdin: bytes | Stream, stdout: Stream, stderr: Stream
) -> subprocess.Popen[bytes]:
    descriptors = [*config["descriptors"], *config["network"], *filter(None, [config["terminal"]])]
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
