"""Which of the host's folders a container sees: the system's and the Python environment's, at the paths they have outside.

Nothing else of the host is there: no home folders, no checkout, no cluster folder. If the environment is below one of them,
only the environment's folder appears.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDERS = ("usr", "etc", "opt", "nix", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
PACKAGE_FOLDERS = {"dpkg": "/var/lib/dpkg"}
MAXIMUM_LINKS = 40


@dataclass(frozen=True)
class HostView:
    """``overlays`` maps a layer's folder names to host folders, outer folders first; ``links`` are symlinks to recreate.

    ``seldom_written`` names the overlays that a container can do without: if neither the image nor a build changes them,
    read-only mounts take their place, because each overlay costs a millisecond at the start.

    ``submounts`` are the other mounts below these folders, such as a GPU's libraries.
    """

    overlays: dict[str, str]
    seldom_written: frozenset[str]
    links: tuple[tuple[str, str], ...]
    submounts: tuple[str, ...]


@functools.cache
def view() -> HostView:
    """The host's folders that every container of this process sees."""
    overlays: dict[str, str] = {}
    links: dict[str, str] = {}
    for name in SYSTEM_FOLDERS:
        path = f"/{name}"
        if os.path.islink(path):
            links[path] = os.readlink(path)
        elif Path(path).is_dir():
            overlays[name] = path
    overlays |= {key: path for key, path in PACKAGE_FOLDERS.items() if Path(path).is_dir()}
    for key, prefix in (("python", sys.base_prefix), ("environment", sys.prefix)):
        real = _follow(prefix, links)
        if not any(_below(real, folder) for folder in overlays.values()):
            overlays[key] = real
    _follow(sys.executable, links)
    kept = {path: target for path, target in links.items() if not any(_below(path, folder) for folder in overlays.values())}
    seldom_written = frozenset(PACKAGE_FOLDERS) | ({"python"} if sys.prefix != sys.base_prefix else set())
    ordered = dict(sorted(overlays.items(), key=lambda item: item[1].count("/")))
    return HostView(ordered, seldom_written, tuple(kept.items()), tuple(_submounts(list(ordered.values()))))


@functools.cache
def accounts() -> dict[str, str]:
    """Files to put over /etc: the password databases without passwords, which useradd can read and change."""
    files = {}
    for name, source, fields in (("shadow", "/etc/passwd", "*:19000:0:99999:7:::"), ("gshadow", "/etc/group", "*::")):
        lines = Path(source).read_text(errors="replace").splitlines() if Path(source).exists() else []
        files[name] = files[f"{name}-"] = "".join(f"{line.partition(':')[0]}:{fields}\n" for line in lines)
    return files


def search_path() -> str:
    """The PATH of a container: the Python environment's programs first."""
    return f"{Path(sys.prefix) / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _follow(path: str, links: dict[str, str]) -> str:
    """The real path of ``path``; every symlink passed on the way is added to ``links``."""
    real, rest, hops = "/", [part for part in path.split("/") if part], 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            real = os.path.dirname(real)
            continue
        step = os.path.join(real, part)
        if part != "." and os.path.islink(step) and hops < MAXIMUM_LINKS:
            hops += 1
            target = links[step] = os.readlink(step)
            rest = [name for name in target.split("/") if name] + rest
            real = "/" if target.startswith("/") else real
        elif part != ".":
            real = step
    return real


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _submounts(folders: list[str]) -> list[str]:
    """Mount points of this process strictly below ``folders``, outermost only (they are bound with all below them)."""
    points: list[str] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        inside = any(point != folder and _below(point, folder) for folder in folders)
        if inside and point not in folders and not any(_below(point, outer) for outer in points):
            points.append(point)
    return [point for point in points if os.access(point, os.R_OK)]
