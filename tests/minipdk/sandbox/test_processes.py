"""How a container starts, ends and is cleaned up, whichever of its processes is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import new_home, wait_for
from tests.minipdk.sandbox.conftest import Run

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.images import Image, ImageConfig
from minipdk.sandbox import PIPE, ContainerSpec, start
from minipdk.sandbox.errors import ContainerSpecError, SandboxError

BASE = Image("python:3.11", "base:python")
LONG = ["sleep", "1000"]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(below for child in children for below in descendants(child))]


def folders(home: Home) -> list[Path]:
    return list(home.folder("containers").iterdir())


def test_the_status_is_the_command_s(run: Run) -> None:
    assert run("exit 3")[0] == 3
    assert run("true")[0] == 0


def test_a_signal_s_status_is_128_and_its_number(run: Run) -> None:
    assert run("kill -9 $$")[0] == 137
    assert run("kill -SEGV $$")[0] == 139


def test_a_missing_command_ends_with_127_and_a_message(run: Run) -> None:
    status, output = run(["no-such-program"])
    assert (status, output) == (127, 'exec: "no-such-program": executable file not found in the image')


def test_a_missing_interpreter_differs_from_a_missing_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/no/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    status, output = run(["/mnt/script"], mounts=[sandbox.Mount(tmp_path, "/mnt")])
    assert (status, "interpreter does not exist" in output) == (127, True)


@pytest.mark.parametrize(
    ("content", "mode", "reason"), [("x", 0o644, "permission denied"), ("\0", 0o755, "exec format error")]
)
def test_a_file_that_cannot_be_executed_ends_with_126(
    run: Run, tmp_path: Path, content: str, mode: int, reason: str
) -> None:
    (tmp_path / "script").write_text(content)
    (tmp_path / "script").chmod(mode)
    status, output = run(["/mnt/script"], mounts=[sandbox.Mount(tmp_path, "/mnt")])
    assert (status, reason in output) == (126, True)


def test_stdin_comes_from_the_caller_and_is_empty_otherwise(run: Run) -> None:
    assert run("cat", stdin=b"line\n" * 100_000)[1].count("line") == 100_000
    assert run("cat") == (0, "")


def test_a_script_on_stdin_is_run_by_the_shell(run: Run) -> None:
    assert run(["sh"], stdin=b"echo one\necho two\n") == (0, "one\ntwo")


def test_an_image_without_a_command_needs_one(home: Home) -> None:
    with pytest.raises(ContainerSpecError, match="no CMD or ENTRYPOINT"):
        start(home, ContainerSpec(BASE))


def test_entrypoint_and_cmd_are_the_default_command(run: Run) -> None:
    image = Image("x", "x", (), ImageConfig(entrypoint=["echo", "a"], cmd=["b"], env={"X": "1"}, working_dir="/w"))
    assert run([], image=image) == (0, "a b")
    assert run("echo $X $Y; pwd", image=image, env={"Y": "2"}) == (0, "1 2\n/w")


@pytest.mark.parametrize(
    "spec", [{"argv": ["a\0b"]}, {"argv": ["a"], "env": {"A=B": "x"}}, {"argv": ["a"], "working_dir": "x"}]
)
def test_an_impossible_specification_is_refused(home: Home, spec: dict[str, Any]) -> None:
    with pytest.raises(ContainerSpecError):
        start(home, ContainerSpec(BASE, **spec))
    assert folders(home) == []


def test_waiting_too_long_raises_timeout_error(home: Home) -> None:
    container = start(home, ContainerSpec(BASE, LONG))
    with pytest.raises(TimeoutError):
        container.wait(timeout=0.01)
    assert container.poll() is None
    container.kill()
    assert container.wait(10) == 137


def test_stop_lets_the_command_end_by_itself(home: Home) -> None:
    script = "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.02; done"
    container = start(home, ContainerSpec(BASE, ["sh", "-c", script]), stdout=PIPE)
    assert container.stdout is not None
    assert container.stdout.readline() == b"ready\n"
    assert container.stop(grace=10) == 5
    assert container.communicate()[0] == b"bye\n"


def test_stop_sends_the_image_s_stop_signal(home: Home) -> None:
    image = Image("x", "x", (), ImageConfig(stop_signal="SIGINT"))
    script = "import signal; signal.signal(2, lambda *_: exit(6)); print(flush=True); signal.pause()"
    container = start(home, ContainerSpec(image, ["python", "-c", script]), stdout=PIPE)
    assert container.stdout is not None
    container.stdout.readline()
    assert container.stop(grace=10) == 6
    container.stdout.close()


def test_stop_kills_a_command_that_does_not_end(home: Home) -> None:
    container = start(
        home, ContainerSpec(BASE, ["sh", "-c", "trap '' TERM; echo ready; sleep 1000; sleep 1000"]), stdout=PIPE
    )
    assert container.stdout is not None
    container.stdout.readline()
    everything = descendants(container.pid)
    assert container.stop(grace=0.05) == 137
    assert all(map(ended, everything))
    container.stdout.close()


def test_processes_that_a_command_leaves_running_end_with_it(home: Home) -> None:
    container = start(
        home, ContainerSpec(BASE, ["sh", "-c", "setsid sleep 1000 & echo started; read end"]), stdin=PIPE, stdout=PIPE
    )
    assert container.stdout is not None
    container.stdout.readline()
    everything = descendants(container.pid)
    assert len(everything) == 3
    container.communicate()
    assert container.wait() == 1
    assert all(map(ended, everything))


def test_the_private_layer_vanishes_with_the_container(run: Run, home: Home) -> None:
    run("mkdir -m 0 /locked; mkdir -p /usr/a/b; chmod 0 /usr/a; touch /tmp/x")
    assert folders(home) == []


def test_killing_the_launcher_kills_everything_and_the_next_sweep_cleans_up(home: Home) -> None:
    container = start(home, ContainerSpec(BASE, LONG))
    everything = descendants(container.pid)
    os.kill(container.pid, signal.SIGKILL)
    assert container.wait() == 137
    wait_for(lambda: all(map(ended, everything)), what="the container to end")
    assert len(folders(home)) == 1
    assert sandbox.sweep(home) == 1
    assert folders(home) == []


def test_a_sweep_leaves_running_containers_alone(home: Home) -> None:
    container = start(home, ContainerSpec(BASE, LONG))
    assert sandbox.sweep(home) == 0
    assert container.poll() is None
    container.kill()
    container.wait()


def test_killing_the_service_kills_its_containers_and_cleans_up(home: Home) -> None:
    service = subprocess.Popen([sys.executable, "-c", SERVICE, str(home.path)], stdout=PIPE)
    assert service.stdout is not None
    launcher = int(service.stdout.readline())
    everything = [launcher, *descendants(launcher)]
    service.kill()
    service.communicate()
    wait_for(lambda: all(map(ended, everything)), what="the container to end")
    wait_for(lambda: folders(home) == [], what="the private layer to vanish")


SERVICE = textwrap.dedent("""
    import sys, threading, time
    from pathlib import Path
    from minipdk.common import home as homes
    from minipdk.images import Image
    from minipdk.sandbox import ContainerSpec, start

    def work():  # from a thread that ends immediately: a container outlives it
        container = start(homes.load(Path(sys.argv[1])), ContainerSpec(Image("x", "x"), ["sleep", "1000"]))
        print(container.pid, flush=True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print("the thread has ended", flush=True)
    time.sleep(1000)
""")


def test_a_container_outlives_the_thread_that_started_it(home: Home) -> None:
    service = subprocess.Popen([sys.executable, "-c", SERVICE, str(home.path)], stdout=PIPE)
    assert service.stdout is not None
    launcher = int(service.stdout.readline())
    service.stdout.readline()
    assert len(descendants(launcher)) == 2
    service.kill()
    service.communicate()
    wait_for(lambda: folders(home) == [], what="the private layer to vanish")


@pytest.mark.parametrize("user", ["", "1000"])
def test_one_more_command_runs_inside(home: Home, tmp_path: Path, user: str) -> None:
    network = sandbox.create_network(home, (), ())
    script = "touch /made; echo up; exec sleep 1000"
    spec = ContainerSpec(BASE, ["sh", "-c", script], env={"X": "y"}, working_dir="/tmp", user=user, network=network)
    container = start(home, spec, stdout=PIPE)
    assert container.stdout is not None
    with container.stdout as output:
        assert output.readline() == b"up\n"
        said = "ls /made; echo $X; pwd; id -u; cat /proc/1/cmdline /proc/net/dev | wc -l; exit 3"
        status, answer = container.run(["sh", "-c", said], timeout=60)
        assert (status, answer.decode().split()) == (
            3,
            ["/made", "y", "/tmp", user or "0", "3"],
        )  # lo, below two header lines
        assert container.run(["no-such-program"], timeout=60)[0] == 127
        with pytest.raises(TimeoutError):
            container.run(["sleep", "999"], timeout=0.5)
        others = ["sh", "-c", "cat /proc/[0-9]*/cmdline"]
        wait_for(lambda: b"sleep\x00999" not in container.run(others, timeout=60)[1], what="the end of the slow command")
        container.stop(grace=0.1)
    with pytest.raises(SandboxError, match="has ended"):
        container.run(["true"], timeout=60)
    network.close()


def read_all(descriptor: int) -> bytes:
    """The output of a terminal's program until it ends, when the terminal does."""
    output = b""
    with contextlib.suppress(OSError):
        while block := os.read(descriptor, 4096):
            output += block
    os.close(descriptor)
    return output


@pytest.mark.parametrize("user", ["", "1000"])
def test_one_more_command_has_a_terminal_of_the_container(home: Home, user: str) -> None:
    container = start(home, ContainerSpec(BASE, LONG, user=user))
    script = "read line; tty; stty size; id -u; echo $TERM; echo direct > /dev/tty; echo $line; exit 3"
    command = container.execute(["sh", "-c", script], terminal=True)
    assert command.terminal is not None
    fcntl.ioctl(command.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.write(command.terminal, b"typed\n")
    said = read_all(command.terminal).decode().split("\r\n")
    assert said == ["typed", "/dev/pts/0", "33 77", user or "0", "xterm", "direct", "typed", ""]
    assert command.wait() == 3
    container.kill()
    container.wait()


def test_a_container_has_a_terminal(home: Home) -> None:
    container = start(home, ContainerSpec(BASE, ["sh", "-c", "read line; tty; exit 4"]), terminal=True)
    assert container.terminal is not None
    os.write(container.terminal, b"typed\n")
    assert read_all(container.terminal) == b"typed\r\n/dev/pts/0\r\n"
    assert container.wait() == 4


def test_killing_a_command_ends_what_it_has_started(home: Home) -> None:
    container = start(home, ContainerSpec(BASE, LONG))
    command = container.execute(["sh", "-c", "sleep 7777 & echo started; wait"], stdout=PIPE)
    assert command.stdout is not None
    with command.stdout as output:
        assert output.readline() == b"started\n"
        command.kill()
        assert command.wait() == 137
    processes = ["sh", "-c", "cat /proc/[0-9]*/cmdline"]
    wait_for(lambda: b"7777" not in container.run(processes, timeout=60)[1], what="the end of the command's child")
    container.kill()
    container.wait()


def test_two_clusters_do_not_disturb_each_other(home: Home, tmp_path: Path) -> None:
    other = new_home(tmp_path / "other")
    mine, theirs = start(home, ContainerSpec(BASE, LONG)), start(other, ContainerSpec(BASE, LONG))
    sandbox.sweep(other)
    theirs.kill()
    theirs.wait()
    assert mine.poll() is None
    mine.kill()
    mine.wait()


def test_changed_finds_the_folders_that_a_container_wrote_to(home: Home) -> None:
    script = f"touch {sys.prefix}/x; python -c 'import colorsys'; rm /usr/bin/env; mkdir -p /made/only"
    container = start(home, ContainerSpec(BASE, ["sh", "-c", script]), keep_layer=True)
    container.wait()
    prefixes = (sys.prefix, "/usr/bin", "/usr/share", "/made", "/", "/opt")
    changed = {prefix: container.changed(prefix) for prefix in prefixes}
    container.remove()
    assert changed == {sys.prefix: True, "/usr/bin": True, "/usr/share": False, "/made": False, "/": True, "/opt": False}
    assert folders(home) == []


def test_importing_modules_is_no_change(home: Home) -> None:
    program = ["python", "-c", "import json, xml.dom.minidom, numpy"]
    container = start(home, ContainerSpec(BASE, program), keep_layer=True)
    assert container.wait() == 0
    assert not container.changed(sys.prefix)
    container.remove()


@pytest.mark.parametrize("number", range(3))
def test_containers_start_side_by_side(home: Home, number: int) -> None:
    containers = [start(home, ContainerSpec(BASE, ["sh", "-c", f"exit {status}"])) for status in range(8)]
    assert [container.wait() for container in containers] == list(range(8))
    assert folders(home) == []
