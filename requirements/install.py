"""Install the locked packages into this Python's environment and show progress: ``python requirements/install.py``.

Each file that pip downloads must have a hash of the lock. torch exists in two builds (see `lock.py`): the CPU build is tried
first, because the other one brings 2 to 3 GB of GPU libraries. pip runs with ``--no-deps``: the locks are complete, and the
CUDA build's libraries are in a lock that is installed only with that build. ``pip check`` confirms the result.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
PAUSE = 5.0
"""Seconds between two lines of progress."""
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
    with subprocess.Popen([*PIP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
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


def install(*locks: str) -> None:
    """Install the packages of the lock files ``locks``."""
    paths = [FOLDER / f"{lock}.lock" for lock in locks]
    total = sum(len(re.findall(r"^[a-z0-9]", path.read_text(), re.M)) for path in paths)
    files = [option for path in paths for option in ("-r", str(path))]
    pip("install", "--require-hashes", "--no-deps", "--progress-bar=off", *files, total=total)


def needs_gpu_libraries() -> bool:
    """Whether the installed torch is a CUDA build for this machine."""
    from packaging.requirements import Requirement

    requirements = [Requirement(line) for line in metadata.requires("torch") or ()]
    return any(
        requirement.name.startswith("nvidia-") and (not requirement.marker or requirement.marker.evaluate({"extra": ""}))
        for requirement in requirements
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--test", action="store_true", help="install the test and lint tools, into the course's environment")
    if parser.parse_args().test:
        say("Installing the test and lint tools ...")
        install("test")
        return
    say("Looking for torch's CPU build ...")
    try:
        install("cpu")
    except PipError:
        say("pip finds only PyPI's build, which brings GPU libraries (2 to 3 GB). To install the CPU build instead, add")
        say("PyTorch's index of CPU builds to pip's configuration (PIP_EXTRA_INDEX_URL) and run this command again.")
    say("Installing the locked packages of the course (once, two to five minutes) ...")
    install("course")
    if needs_gpu_libraries():
        say("Installing the GPU libraries of torch's CUDA build ...")
        install("gpu")
    say("Installing the course itself ...")
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    pip("check")


if __name__ == "__main__":
    try:
        main()
    except PipError as error:
        sys.exit(f"pip failed:\n{error}")
