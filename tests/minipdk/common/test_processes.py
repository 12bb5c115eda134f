"""A process that asks for it dies with its parent, however the parent ends."""

from __future__ import annotations

import subprocess
import sys

import psutil
from tests.conftest import wait_for

CHILD = """
import os, sys, time
from minipdk.common.processes import die_with_parent
print(os.getpid(), die_with_parent(int(sys.argv[1])), flush=True)
time.sleep(1000)
"""
PARENT = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())])
time.sleep(1000)
"""


def test_a_child_dies_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, in_time = parent.stdout.readline().split()
        assert in_time == "True"
        parent.kill()
    wait_for(
        lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == "zombie", what="the child's end"
    )


def test_a_child_of_a_parent_that_has_ended_sees_it() -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD.replace("time.sleep(1000)", ""), "1"], capture_output=True, text=True, check=True
    )
    assert child.stdout.split()[1] == "False"
