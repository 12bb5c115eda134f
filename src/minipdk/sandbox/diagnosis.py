"""Explain why a container could not be made and how to change this machine."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from minipdk.common.home import Home
from minipdk.sandbox.errors import ContainerSpecError, LaunchError, SandboxError, SandboxUnavailableError

FORBIDDEN = (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS, errno.EINVAL, errno.ENOSYS)


def error(home: Home, report: dict[str, Any]) -> SandboxError:
    """The error for the launcher's ``report``: {stage, errno, message}."""
    stage, number, message = report["stage"], report["errno"], report["message"]
    if stage == "user":
        return ContainerSpecError(message)
    for name, numbers, requirement, remedy in (
        ("namespaces", FORBIDDEN, "containers need user namespaces", namespaces_remedy),
        ("mounts", (errno.EPERM, errno.ENOSYS), "containers need mounts in user namespaces", namespaces_remedy),
        ("network", FORBIDDEN, "a Pod's own network needs network namespaces", network_remedy),
    ):
        if stage == name and number in numbers:
            return SandboxUnavailableError(f"{requirement} ({message}): {remedy()}")
    if stage == "overlay":
        return SandboxUnavailableError(f"containers need overlayfs ({message}): {overlay_remedy(home)}")
    if number in (0, errno.EROFS, errno.ENOTDIR, errno.EEXIST):  # a mount's target that cannot be made
        return ContainerSpecError(message)
    return LaunchError(message)


def namespaces_remedy() -> str:
    """The setting that lets a user make user, mount and PID namespaces."""
    if _sysctl("kernel/unprivileged_userns_clone") == "0":
        return "run `sudo sysctl kernel.unprivileged_userns_clone=1`"
    if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "run `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    if _sysctl("user/max_user_namespaces") == "0":
        return "run `sudo sysctl user.max_user_namespaces=15000`"
    return "this machine forbids them (inside a container, start it with --security-opt seccomp=unconfined)"


def network_remedy() -> str:
    """The setting that lets a user make network namespaces."""
    if _sysctl("user/max_net_namespaces") == "0":
        return "run `sudo sysctl user.max_net_namespaces=15000`"
    return namespaces_remedy()


def overlay_remedy(home: Home) -> str:
    """The change that lets overlayfs have its upper layer in the cluster's folder."""
    if not any(line.split()[-1] == "overlay" for line in Path("/proc/filesystems").read_text().splitlines()):
        return "run `sudo modprobe overlay`"
    kind = filesystem(home.path)
    return f"{home.path} lies on {kind}; choose a folder on a local disk (ext4, xfs, btrfs) with --home or MINIPDK_HOME"


def filesystem(path: Path) -> str:
    """The type of the filesystem of ``path``, such as ext4."""
    best, kind = "", "an unknown filesystem"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, name, *_ = line.split()
        point = point.encode().decode("unicode_escape")
        inside = str(path.resolve()) == point or str(path.resolve()).startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):
            best, kind = point, name
    return kind


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None
