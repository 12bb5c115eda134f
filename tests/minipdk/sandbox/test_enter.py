"""A process that has already imported everything turns itself into a container."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from minipdk import sandbox
from minipdk.common.home import Home

PROGRAM = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    import colorsys  # stays imported
    from minipdk.common import home as homes
    from minipdk.images import Image
    from minipdk.sandbox import ContainerSpec, Mount, enter

    home, out, body = homes.load(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    pid = os.fork()
    if pid == 0:
        spec = ContainerSpec(Image("x", "x"), env={"A": "b"}, working_dir="/run/determined/workdir",
                             user="1000", mounts=[Mount(out, "/out")])
        inside = enter(home, spec)
        exec(body)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")


Enter = Callable[[str], tuple[int, str]]


@pytest.fixture
def enter(home: Home, tmp_path: Path) -> Enter:
    def run(body: str) -> tuple[int, str]:
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(home.path), str(tmp_path), body], capture_output=True, text=True, check=False
        )
        assert process.stderr == ""
        return process.returncode, process.stdout.strip()

    return run


def test_the_caller_becomes_the_container_s_command(enter: Enter, home: Home, tmp_path: Path) -> None:
    body = """if True:
        print(os.getpid(), os.getuid(), os.getcwd(), os.environ["A"], "HOME" in os.environ, "PYTEST_VERSION" in os.environ)
        print(os.path.exists(home.path), colorsys.__name__, os.listdir("/out"))
        Path("/out/written").write_text("x")
        sys.stdout.flush()
    """
    status, output = enter(body)
    assert status == 0
    assert output.splitlines() == ["2 1000 /run/determined/workdir b True False", "False colorsys []"]
    assert (tmp_path / "written").stat().st_uid == os.getuid()
    assert list(home.folder("containers").iterdir()) == []


def test_the_process_that_called_ends_with_the_command_s_status(enter: Enter) -> None:
    assert enter("os._exit(9)")[0] == 9
    assert enter("os.kill(os.getpid(), 9)")[0] == 137


def test_a_hook_s_changes_are_noticed(enter: Enter) -> None:
    body = """if True:
        before = inside.changed(sys.prefix)
        Path(sys.prefix, "x").touch()
        print(before, inside.changed(sys.prefix), inside.changed("/usr"), flush=True)
    """
    assert enter(body) == (0, "False True False")
    assert not Path(sys.prefix, "x").exists()


def test_killing_the_process_that_called_leaves_nothing(home: Home, tmp_path: Path) -> None:
    body = "print(1, flush=True); import time; time.sleep(1000)"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home.path), str(tmp_path), body], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    assert process.communicate()[0] == ""  # the pipe ends when everything inside has ended
    assert sandbox.sweep(home) in (0, 1)
