"""``minipdk image run`` as a process: docker's options, the output, and no leftovers."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import free_ports

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.images import ImageConfig, run

MINIPDK = Path(sys.executable).with_name("minipdk")
BASE = "python:3.11"
HELLO = """
import socketserver, sys
class Hello(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"hello")
socketserver.TCPServer.allow_reuse_address = True
with socketserver.TCPServer(("0.0.0.0", 8080), Hello) as server:
    print("listening", flush=True)
    server.serve_forever()
"""


def image_run(
    home: Home, *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [MINIPDK, "image", "run", "--home", home.path, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, env=env)


@contextmanager
def running(home: Home, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A container that has printed its first line. Its pipe of stdout and stderr ends when no process has it open."""
    command = [MINIPDK, "image", "run", "--home", home.path, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


def answer(address: str, port: int) -> bytes:
    with socket.create_connection((address, port), timeout=60) as connection:
        return connection.recv(100)


def other_address() -> str:
    """An address of this machine that is not on loopback; if there is none, another loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.2"
        return str(probe.getsockname()[0])


def test_output_and_exit_status_are_the_commands(home: Home) -> None:
    result = image_run(home, "--rm", BASE, "sh", "-c", "echo out; echo err >&2; exit 7", "--rm")
    assert (result.returncode, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_options_set_environment_mounts_folder_and_user(home: Home, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "model").write_text("a model")
    options = ["-e", "A=1=2", "--env", "B", "-e", "UNSET", "-w", "/out", "-u", "1234", "-v", "./:/out"]
    options += ["--mount", f'type=bind,"source={tmp_path}/in/",target=/mnt/models,readonly']
    script = 'cat /mnt/models/model; echo " $A $B ${UNSET-none} $(id -u)" | tee said; touch /mnt/models/new'
    environment = {name: value for name, value in os.environ.items() if name != "UNSET"} | {"B": "b"}
    result = image_run(home, *options, BASE, "sh", "-c", script, cwd=tmp_path, env=environment)
    assert result.stdout == "a model 1=2 b none 1234\n"
    assert "Read-only" in result.stderr
    assert (tmp_path / "said").read_text() == " 1=2 b none 1234\n"


@pytest.mark.parametrize(
    ("entrypoint", "command", "argv"),
    [
        (None, [], ["entry", "point", "cmd"]),
        (None, ["mine"], ["entry", "point", "mine"]),
        ("other", [], ["other"]),
        ("other", ["mine"], ["other", "mine"]),
        ("", ["mine"], ["mine"]),
    ],
)
def test_arguments_after_the_image_replace_its_cmd(entrypoint: str | None, command: list[str], argv: list[str]) -> None:
    assert run.arguments(ImageConfig(entrypoint=["entry", "point"], cmd=["cmd"]), entrypoint, command) == argv


def test_another_entrypoint_gets_the_arguments(home: Home) -> None:
    assert image_run(home, "--entrypoint", "echo", BASE, "-n", "said").stdout == "said"


def test_a_server_on_all_addresses_is_reached_at_the_published_ports_of_loopback_alone(home: Home) -> None:
    first, second = free_ports(2)
    publish = ["-p", f"{first}:8080", "--publish", f"{HOST}:{second}:8080/tcp"]
    with running(home, *publish, BASE, "python", "-c", HELLO) as process:
        assert [answer(HOST, first), answer(HOST, second)] == [b"hello", b"hello"]
        with pytest.raises(ConnectionRefusedError):
            answer(other_address(), first)
        taken = image_run(home, "-p", f"{first}:80", BASE, "true")
        assert (taken.returncode, taken.stdout) == (125, "")
        assert taken.stderr == f"minipdk: cannot listen on {HOST}:{first}: address already in use\n"
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM


def test_this_machines_network_is_there_only_if_requested(home: Home) -> None:
    script = "import socket, sys; sys.exit(socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))))"
    with socket.create_server((HOST, 0)) as listener:
        port = str(listener.getsockname()[1])
        assert image_run(home, "--network", "host", BASE, "python", "-c", script, port).returncode == 0
        assert image_run(home, BASE, "python", "-c", script, port).returncode == errno.ECONNREFUSED


def test_kill_9_leaves_nothing_behind(home: Home) -> None:
    [port] = free_ports(1)
    with running(home, "-p", f"{port}:8080", BASE, "python", "-c", HELLO) as process:
        assert answer(HOST, port) == b"hello"
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == ""  # no process has it open: neither the command nor its network
        with pytest.raises(ConnectionRefusedError):
            answer(HOST, port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_command_gets_the_signal_and_sets_the_exit_status(home: Home, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 3' {name}; echo listening; while :; do sleep 0.1; done"
    with running(home, BASE, "sh", "-c", script) as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.read().splitlines()[-1] == f"got {name}"  # shells first report how their children ended
        assert process.wait(60) == 3


def test_a_command_that_does_not_end_is_killed_after_a_grace(home: Home, tmp_path: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from minipdk.images import run
        from minipdk.cli import main
        run.GRACE_SECONDS = 1
        main()
    """
    (tmp_path / "script.py").write_text("\n".join(line.strip() for line in script.splitlines()))
    command = [sys.executable, str(tmp_path / "script.py"), "image", "run", "--home", str(home.path), BASE]
    command += ["sh", "-c", "trap '' TERM; echo listening; while :; do sleep 0.1; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        try:
            process.terminate()
            assert process.wait(60) == 128 + signal.SIGKILL
        finally:
            process.kill()


def test_an_impossible_option_is_one_sentence_and_status_125(home: Home) -> None:
    image = ["python:3.11", "true"]
    for arguments, sentence in [
        (["nowhere:1"], "image nowhere:1 is not here: build it"),
        (["No Name"], "not a valid image name"),
        (["--mount", "type=bind,source=/nowhere,target=/x", *image], "cannot mount /nowhere at /x: there is no such file"),
        (["--mount", "type=bind,source=/tmp,target=x", *image], "mount target 'x' is not an absolute path"),
        (["--mount", "source=models,target=/x", *image], "type=volume is not supported: use type=bind"),
        (["--mount", "type=bind,source=/tmp", *image], "it wants a source and a target"),
        (["--mount", "type=bind,source=/tmp,target=/x,bind-propagation=shared", *image], "'bind-propagation' is not supp"),
        (["--mount", "type=bind,source=/tmp,target=/x,readonly=maybe", *image], "true or false, not 'maybe'"),
        (["-v", "/nowhere:/x", *image], "cannot mount /nowhere at /x: there is no such file"),
        (["-v", "models:/x", *image], "a volume with a name: give a path, as in ./models"),
        (["-v", "/x", *image], "--volume /x: use SOURCE:TARGET[:ro]"),
        (["-v", "/tmp:/x:Z", *image], "Z is not supported, only ro and rw are"),
        (["-p", "0.0.0.0:8080:8080", *image], "ports are published on 127.0.0.1 only, not on 0.0.0.0"),
        (["-p", "8080", *image], "--publish 8080: use HOST_PORT:CONTAINER_PORT"),
        (["-p", "70000:80", *image], "--publish 70000:80: use HOST_PORT:CONTAINER_PORT"),
        (["-p", "53:53/udp", *image], "udp is not supported, only tcp is"),
        (["-p", "8080:80", "--network", "host", *image], "with --network host leave it out"),
        (["--network", "mine", *image], "--network mine is not supported: use bridge or host"),
        (["-e", "=1", *image], "--env '=1' has no name"),
        (["-w", "x", *image], "working folder 'x' is not an absolute path"),
        (["-u", "nobody-here", *image], "unable to find user nobody-here"),
    ]:
        result = image_run(home, *arguments)
        assert (result.returncode, result.stdout) == (125, ""), arguments
        assert result.stderr.startswith("minipdk: "), arguments
        assert sentence in result.stderr, arguments
        assert result.stderr.count("\n") == 1, arguments


def test_a_missing_command_and_one_that_cannot_be_executed_have_different_statuses(home: Home) -> None:
    assert [image_run(home, BASE, command).returncode for command in ("nowhere", "/etc/passwd")] == [127, 126]
    refused = image_run(home, "--detach", BASE)
    assert refused.returncode == 2
    assert "No such option: --detach" in refused.stderr
