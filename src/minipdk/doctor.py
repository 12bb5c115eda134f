"""The checks of `minipdk doctor`: whether this machine can run a cluster, and the remedy for each fault."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from minipdk import cluster
from minipdk.cluster import profile
from minipdk.common.environment import exemptions, proxies
from minipdk.common.home import Home
from minipdk.common.service import Check
from minipdk.sandbox.checks import probe
from minipdk.services.pachyderm.inspection import answering

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
        *_proxies(),
        *_addresses(home),
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
    remedy = "a cluster needs 2 GiB beside its environment: free some or use --home"
    return Check("disk space", free >= LEAST_DISK, f"{free / GIB:.1f} GiB free", remedy)


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
            f"{status.state}, process {status.pid}, restarted {status.restarts} times" if status.pid else status.state,
            f"minipdk logs {status.process.name}",
        )
        for status in cluster.status(home)
    ]


def _addresses(home: Home) -> Iterator[Check]:
    """Whether this cluster answers at the addresses that the profile and this terminal have."""
    if path := profile.file(home):
        yield from _owner(home, f"profile {path}", profile.values(path), "minipdk start", needed=True)
    yield from _owner(home, "this terminal", os.environ, 'eval "$(minipdk env)"', needed=False)


def _owner(home: Home, subject: str, variables: Mapping[str, str | None], remedy: str, *, needed: bool) -> Iterator[Check]:
    address, own = variables.get("PACHD_ADDRESS"), profile.environment(home)
    if not address:
        return
    found = answering(address)
    if found and found != own[profile.ID]:
        yield Check(subject, False, f"another cluster ({found}) answers at its PACHD_ADDRESS, {address}", remedy, needed)
    elif cluster.is_running(home):
        current = profile.is_current(home, variables)
        detail = "has the addresses of this cluster" if current else "does not have the addresses of this cluster"
        yield Check(subject, current, detail, remedy, needed=False)


def _proxies() -> Iterator[Check]:
    if named := proxies(os.environ):
        exempt = all(os.environ.get(name) == value for name, value in exemptions(os.environ).items())
        detail = f"{', '.join(named)}: the cluster's addresses are {'' if exempt else 'not '}exempt (no_proxy)"
        yield Check("proxy", exempt, detail, 'eval "$(minipdk env)"', needed=False)
