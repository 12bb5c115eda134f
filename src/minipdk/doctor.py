"""The checks of `minipdk doctor`: whether this machine can run a cluster, and the remedy for each fault."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from minipdk import cluster
from minipdk.common.home import Home
from minipdk.common.service import Check
from minipdk.sandbox.checks import probe

GIB = 1 << 30
LEAST_DISK, LEAST_MEMORY = 2 * GIB, 4 * GIB


def examine(home: Home) -> list[Check]:
    """Everything worth knowing about this machine and the cluster at ``home``."""
    return [
        _python(),
        *probe(home),
        _program("git", "pipelines clone the experiment's repository", needed=True),
        _program("kubectl", "optional: the notebooks use the Python clients", needed=False),
        *(check for service in cluster.SERVICES for check in service.checks()),
        _disk(home.path),
        _memory(),
        _private(home.path),
        *_services(home),
    ]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python 3.11", sys.version_info[:2] == (3, 11), version, "make the environment with python3.11")


def _program(name: str, purpose: str, *, needed: bool) -> Check:
    path = shutil.which(name)
    return Check(name, path is not None, path or f"not found; {purpose}", f"install {name}", needed)


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(path).free
    return Check("disk space", free >= LEAST_DISK, f"{free / GIB:.1f} GiB free", "free at least 2 GiB or use --home")


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Check("memory", total >= LEAST_MEMORY, f"{total / GIB:.1f} GiB", "a cluster with a trial needs 4 GiB")


def _private(path: Path) -> Check:
    mode = path.stat().st_mode & 0o777
    return Check("private files", mode & 0o077 == 0, f"{path} has mode {mode:o}", f"chmod 700 {path}")


def _services(home: Home) -> list[Check]:
    if not cluster.is_running(home):
        return [Check("cluster", False, f"not running at {home.path}", "minipdk start", needed=False)]
    return [
        Check(
            status.process.title,
            status.ready,
            f"process {status.pid}, restarted {status.restarts} times" if status.pid else "down",
            f"minipdk logs {status.process.name}",
        )
        for status in cluster.status(home)
    ]
