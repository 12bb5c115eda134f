"""What `minipdk doctor` looks at: whether this machine can run a cluster, and how to mend what it lacks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from minipdk import cluster
from minipdk.home import Home
from minipdk.sandbox.findings import Finding, probe
from minipdk.serving.errors import GatewayError
from minipdk.serving.gateway import process as envoy

GIB = 1 << 30
LEAST_DISK, LEAST_MEMORY = 2 * GIB, 4 * GIB


def examine(home: Home) -> list[Finding]:
    """Everything worth knowing about this machine and the cluster at ``home``."""
    return [
        _python(),
        *probe(home),
        _program("git", "pipelines clone the experiment's repository", needed=True),
        _program("kubectl", "optional: the notebooks use the Python clients", needed=False),
        _envoy(),
        _disk(home.path),
        _memory(),
        _private(home.path),
        *_services(home),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python 3.11", sys.version_info[:2] == (3, 11), version, "make the environment with python3.11")


def _program(name: str, purpose: str, *, needed: bool) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, path or f"not found; {purpose}", f"install {name}", needed)


def _envoy() -> Finding:
    try:
        return Finding("Envoy", True, envoy.version())
    except GatewayError as error:
        return Finding("Envoy", False, str(error), envoy.MEND)


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    return Finding("disk space", free >= LEAST_DISK, f"{free / GIB:.1f} GiB free", "free at least 2 GiB or use --home")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("memory", total >= LEAST_MEMORY, f"{total / GIB:.1f} GiB", "a cluster with a trial needs 4 GiB")


def _private(path: Path) -> Finding:
    mode = path.stat().st_mode & 0o777
    return Finding("private files", mode & 0o077 == 0, f"{path} has mode {mode:o}", f"chmod 700 {path}")


def _services(home: Home) -> list[Finding]:
    if not cluster.is_running(home):
        return [Finding("cluster", False, f"not running at {home.path}", "minipdk start", needed=False)]
    return [
        Finding(
            one.service.title,
            one.ready,
            f"process {one.pid}, restarted {one.restarts} times" if one.pid else "down",
            f"minipdk logs {one.service.name}",
        )
        for one in cluster.status(home)
    ]
