"""Install the locked packages into this Python's environment and show progress: ``python requirements/install.py``.

Each file that pip downloads must have a hash of the lock. torch comes in two builds, each with a lock (see `lock.py`): the
CPU build, unless ``--torch gpu`` asks for the CUDA build and its libraries. pip runs with ``--no-deps``: the locks are
complete. ``pip check`` confirms the result.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of CPU builds, for when pip's indexes have none: PyPI has only CUDA builds for Linux."""
GIB = 1 << 30
LEAST_DISK = {"cpu": 4 * GIB, "gpu": 9 * GIB}
"""The disk space that an installation takes, pip's temporary files and cache included."""
PAUSE = 5.0
"""Seconds between two lines of progress."""
NOT_FOUND = "No matching distribution found"
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


def _count_installed() -> int:
    return sum(1 for _ in SITE_PACKAGES.glob("*.dist-info"))


def _name(requirement: str) -> str:
    """The package of a requirement, URL or path, such as ``torch==2.13.0`` or ``/wheels/torch-2.13.0-cp311-none.whl``."""
    return re.split(r"==|-[0-9]", requirement.rpartition("/")[2])[0]


@dataclass
class Progress:
    """What pip's output says about a run that installs ``total`` packages."""

    total: int
    collected: int = 0
    current: str = ""
    installing: bool = False
    before: int = field(default_factory=_count_installed)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=30))

    def read(self, line: str) -> None:
        self.tail.append(line)
        if match := re.match(r"(?:Collecting|Processing|Requirement already satisfied:) ([^\s(]+)", line):
            self.collected += 1
            self.current = _name(match[1])
        elif match := re.match(r"\s+Downloading (\S+\.(?:whl|gz|zip)\S*)(?: \((.+)\))?", line):
            self.current = f"{_name(match[1])} ({match[2]})" if match[2] else self.current
        elif line.startswith("Installing collected packages"):
            self.installing = True

    def __str__(self) -> str:
        if self.installing:
            return f"unpacked {min(_count_installed() - self.before, self.total)} of {self.total} packages"
        return f"fetched {self.collected} of {self.total} packages, now {self.current or 'reading the lock'}"


class PipError(Exception):
    """pip failed; the message is the end of its output."""


def pip(*arguments: str, total: int = 1) -> None:
    """Run pip and print its progress every few seconds. Raises PipError."""
    progress = Progress(total)
    started = time.monotonic()
    command = [*PIP, *arguments]
    # Under LC_ALL=C setuptools cannot write the path of a clone that has non-ASCII letters.
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", env=environment
    ) as process:
        reader = threading.Thread(target=_read, args=(process, progress))
        reader.start()
        while reader.is_alive():
            reader.join(PAUSE)
            if reader.is_alive():
                say(f"  {progress} ({time.monotonic() - started:.0f} s)")
    if process.returncode:
        raise PipError("".join(progress.tail))


def _read(process: subprocess.Popen[str], progress: Progress) -> None:
    assert process.stdout
    for line in process.stdout:
        progress.read(line)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def install(*locks: str, options: Sequence[str] = ()) -> None:
    """Install the packages of the lock files ``locks``, with further ``options`` of pip."""
    paths = [FOLDER / f"{lock}.lock" for lock in locks]
    total = sum(len(re.findall(r"^[a-z0-9]", path.read_text(), re.M)) for path in paths)
    files = [option for path in paths for option in ("-r", str(path))]
    pip("install", "--require-hashes", "--no-deps", "--progress-bar=off", *options, *files, total=total)


def install_torch(build: str) -> None:
    """Install the ``build`` of torch, cpu or gpu. Raises PipError, with the remedies if no index has the CPU build."""
    if build == "gpu":
        say("Installing torch's CUDA build and its GPU libraries (3 GB) ...")
        if any(SITE_PACKAGES.glob("torch-*+cpu.dist-info")):  # it would satisfy the lock
            pip("uninstall", "--yes", "torch")
        install("gpu")
        return
    say("Installing torch's CPU build ...")
    try:
        install("cpu")
    except PipError as error:
        if NOT_FOUND not in str(error):
            raise
        say(f"pip's indexes do not have it: looking in {CPU_INDEX} ...")
        _install_from_pytorch()


def _install_from_pytorch() -> None:
    try:
        install("cpu", options=["--retries=2", "--index-url", CPU_INDEX])
    except PipError as error:
        if NOT_FOUND not in str(error):
            raise
        raise PipError(
            f"neither pip's indexes nor {CPU_INDEX} have torch's CPU build for this machine, or they cannot be reached.\n"
            "Name a mirror that has it in pip's configuration (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS), or run\n"
            "`make setup TORCH=gpu`, which installs PyPI's CUDA build with its GPU libraries (3 GB)."
        ) from None


def make_links_relative() -> None:
    """Let the course's .pth file name src/ relative to itself.

    Python 3.11 decodes such files in the locale's encoding: under LC_ALL=C it finds no folder with non-ASCII letters.
    """
    for link in SITE_PACKAGES.glob("__editable__.pdk_course-*.pth"):
        link.write_text(os.path.relpath(ROOT / "src", SITE_PACKAGES) + "\n", encoding="ascii")


def overridden() -> dict[str, str]:
    """The pins of overrides.txt, by package."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (FOLDER / "overrides.txt").read_text(), re.M))


def accept_overrides(site_packages: Path) -> None:
    """Let installed packages accept any version of the overridden ones, so that pip keeps these when it builds images."""
    names = "|".join(overridden())
    for path in site_packages.glob("*.dist-info/METADATA"):
        text = path.read_text(encoding="utf-8")
        accepting = re.sub(rf"^(Requires-Dist: (?:{names}))\b[ (<>=!~0-9.,)]*(?=;|$)", r"\1", text, flags=re.M)
        if accepting != text:
            path.write_text(accepting, encoding="utf-8")


def check_disk(build: str) -> None:
    """End with a sentence if the disk cannot take the packages."""
    free, needed = shutil.disk_usage(ROOT).free, LEAST_DISK[build]
    if free < needed and not any(SITE_PACKAGES.glob("torch-*.dist-info")):
        sys.exit(f"the environment needs {needed // GIB} GiB of disk space, and {ROOT} has {free / GIB:.1f} GiB left")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--torch", choices=LEAST_DISK, default="cpu", help="the build of torch [default: cpu]")
    build = parser.parse_args().torch
    check_disk(build)
    install_torch(build)
    say("Installing the locked packages of the course and its tests (once, two to five minutes) ...")
    install("course", "test")
    accept_overrides(SITE_PACKAGES)
    say("Installing the course itself ...")
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    make_links_relative()
    pip("check")


if __name__ == "__main__":
    try:
        main()
    except PipError as error:
        sys.exit(f"pip failed:\n{error}")
