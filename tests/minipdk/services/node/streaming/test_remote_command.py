"""`kubectl exec`, `cp` and `attach`, and the Python client's stream, in containers of the real node."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import kubernetes
import pytest
from kubernetes.client import CoreV1Api
from kubernetes.stream import stream
from kubernetes.stream.ws_client import WSClient
from tests.conftest import wait_for
from tests.minipdk.services.node.streaming.conftest import Cluster

from minipdk.services.kubernetes.service import kubeconfig

LARGE = Random(1).randbytes(3 << 20)
"""More than the buffers between the client and the container."""


def test_a_command_has_the_container_s_environment_and_its_own_output_and_status(either: Cluster) -> None:
    done = either.kubectl("exec", "server", "--", "sh", "-c", "echo $COLOR; hostname >/dev/null; echo wrong >&2; exit 3")
    assert (done.stdout, done.returncode) == (b"blue\n", 3)
    assert done.stderr == b"wrong\ncommand terminated with exit code 3\n"


def test_a_command_reads_its_input_to_the_end(either: Cluster) -> None:
    assert either.kubectl("exec", "-i", "server", "--", "cat", stdin=LARGE).stdout == LARGE


def test_a_command_need_not_read_its_input(either: Cluster) -> None:
    done = either.kubectl("exec", "-i", "server", "--", "head", "-c", "4", stdin=LARGE)
    assert (done.stdout, done.returncode) == (LARGE[:4], 0)


def test_a_command_that_is_not_there_fails_with_127(either: Cluster) -> None:
    done = either.kubectl("exec", "server", "--", "no-such-program")
    assert (done.returncode, b"executable file not found" in done.stderr) == (127, True)


def test_files_are_copied_both_ways(either: Cluster, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(LARGE)
    assert either.kubectl("cp", str(tmp_path / "there"), "server:/tmp/copy").returncode == 0
    assert either.kubectl("cp", "server:/tmp/copy", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == LARGE


class Terminal:
    """A program at a terminal of this machine, as its user sees it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process, self._master, self.shown = process, master, ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self._read(), what=f"{text!r} at the terminal")

    def status(self) -> int:
        wait_for(lambda: not self._read(end=True), what="the end of the program")
        return self._process.wait(60)

    def _read(self, *, end: bool = False) -> str:
        try:
            self.shown += os.read(self._master, 4096).decode(errors="replace")
        except BlockingIOError:
            pass
        except OSError:  # no program has the terminal any more
            return "" if end else self.shown
        return self.shown or "nothing yet"


@contextmanager
def terminal(cluster: Cluster, *arguments: str) -> Iterator[Terminal]:
    """`kubectl` with ``arguments`` at a terminal of 31 rows and 91 columns."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 91, 0, 0))
    command, environment = cluster.command(*arguments), cluster.environment
    with subprocess.Popen(command, env=environment, preexec_fn=lambda: os.login_tty(slave), pass_fds=[slave]) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def test_a_terminal_follows_the_size_of_the_client_s(either: Cluster) -> None:
    with terminal(either, "exec", "-it", "server", "--", "sh") as shell:
        shell.type("tty; echo $TERM; stty size\n")
        shell.wait_for("/dev/pts/0\r\nxterm\r\n31 91")
        shell.resize(40, 120)
        shell.type("until stty size | grep '40 120'; do :; done; exit 7\n")
        assert shell.status() == 7
    assert "40 120" in shell.shown.rpartition("exit 7")[2]


@pytest.fixture(scope="module")
def core(cluster: Cluster) -> Iterator[CoreV1Api]:
    with kubernetes.config.new_client_from_config(str(kubeconfig(cluster.home))) as client:
        yield CoreV1Api(client)


@contextmanager
def conversation(core: CoreV1Api, *command: str, stdin: bool) -> Iterator[WSClient]:
    """The streams of a command, through the Python client."""
    flags = {"stdout": True, "stderr": True, "stdin": stdin, "tty": False, "_preload_content": False}
    client = stream(core.connect_get_namespaced_pod_exec, "server", "models", command=list(command), **flags)
    try:
        yield client
    finally:
        client.close()
        client.sock.shutdown()  # its socket stays open if the server has ended the session


def test_the_python_client_gets_the_output_of_a_command(core: CoreV1Api) -> None:
    with conversation(core, "sh", "-c", "echo out; echo err >&2", stdin=False) as command:
        command.run_forever(timeout=60)
        assert (command.read_stdout(), command.read_stderr(), command.returncode) == ("out\n", "err\n", 0)


def test_the_python_client_converses_with_a_command(core: CoreV1Api) -> None:
    with conversation(core, "sh", stdin=True) as shell:
        shell.write_stdin("echo $COLOR\n")
        assert shell.readline_stdout(timeout=60) == "blue"
        shell.write_stdin("echo wrong >&2; exit 5\n")
        shell.run_forever(timeout=60)
        assert (shell.read_stderr(), shell.returncode) == ("wrong\n", 5)


def is_running(cluster: Cluster, argument: str) -> bool:
    listed = cluster.kubectl("exec", "server", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline")
    return argument.encode() in listed.stdout


def test_a_command_ends_when_its_client_leaves(either: Cluster) -> None:
    with either.begin("exec", "server", "--", "sh", "-c", "echo up; sleep 7777 & wait") as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        client.kill()
    wait_for(lambda: not is_running(either, "7777"), what="the end of the command")


def test_a_command_ends_with_its_pod(either: Cluster) -> None:
    either.create("short", command=["sleep", "1000"])
    with either.begin("exec", "short", "--", "sh", "-c", "echo up; sleep 1000") as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        either.delete("short")
        assert client.stdout.read() == b"command terminated with exit code 137\n"
    assert client.returncode == 137


def test_an_attached_client_sees_the_output_from_then_on(either: Cluster) -> None:
    either.create("clock", command=["sh", "-c", "while true; do date +%N; sleep 0.1; done"])
    with either.begin("attach", "clock") as client:
        assert client.stdout is not None
        assert any(line.strip().isdigit() for line in client.stdout)
        either.delete("clock")
        client.stdout.read()
    assert client.returncode == 0


@pytest.mark.parametrize("flags", [["-i"], ["-i", "-t"]], ids=" ".join)
def test_a_pod_that_is_run_in_the_foreground_has_the_client_s_input(either: Cluster, flags: list[str]) -> None:
    script = "read line; echo got $line; exit 6"
    arguments = ["run", "foreground", "--image=python:3.11", "--restart=Never", "--rm", "--quiet", *flags, "--command", "--"]
    with terminal(either, *arguments, "sh", "-c", script) as client:
        wait_for(lambda: either.is_ready("foreground"), what="the pod to run")
        client.type("hello\n")
        client.wait_for("got hello")
        assert client.status() == 6


def test_the_input_of_a_container_ends_with_its_client_s(either: Cluster) -> None:
    arguments = ["--image=python:3.11", "--restart=Never", "--rm", "--quiet", "-i", "--command", "--", "wc", "-c"]
    done = either.kubectl("run", "counter", *arguments, stdin=b"x" * 1000)
    assert (done.stdout.split()[:1], done.returncode) == ([b"1000"], 0), done
