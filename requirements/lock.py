"""Write the lock files from requirements.txt and requirements/test.txt: ``make lock``, or with ``--upgrade`` newer versions.

``uv pip compile`` resolves both files together, so that one version of each package serves all. overrides.txt replaces the
requirements of some packages. The result is the same for x86-64 and arm64, and every package has a wheel for both: otherwise
no lock is written, because an attendee's machine has no compiler. The result is split:

- ``course.lock``: the packages of requirements.txt and everything that they need, without torch.
- ``test.lock``: the packages that only the tests and linters need.
- ``cpu.lock``: torch's CPU build, which PyTorch's own index has. PyPI's torch for Linux is the CUDA build.
- ``gpu.lock``: torch's CUDA build and the libraries of NVIDIA that it needs: 3 GB.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
COURSE = ROOT / "requirements.txt"
TEST = FOLDER / "test.txt"
OVERRIDES = FOLDER / "overrides.txt"
PLATFORMS = ("x86_64-manylinux_2_31", "aarch64-manylinux_2_31")
GPU_PACKAGE = re.compile(r"(torch==|nvidia-|cuda-|triton==)")

TORCH = "torch==2.13.0"
CPU_BUILDS = (
    "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",  # x86-64
    "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",  # arm64
)
"""SHA-256 of the CPU wheels of TORCH for Python 3.11 in PyTorch's index. uv reads PyPI, which does not have them."""

TITLES = {
    "course": "The packages of requirements.txt and everything that they need, without torch.",
    "test": "The packages that only the tests and linters need, in addition to course.lock.",
    "cpu": "torch's CPU build, in addition to course.lock.",
    "gpu": "torch's CUDA build and the libraries that it needs, in addition to course.lock.",
}

Entries = dict[str, str]
"""The entries of a lock: ``name==version`` -> its hash lines."""


class LockError(Exception):
    """The requirements have no solution that every platform can install; the message is one sentence or uv's own words."""


def resolve(sources: Sequence[Path], preferred: str = "", upgrade: bool = False) -> Entries:
    """Resolve ``sources`` to wheels for every platform; versions in the lock text ``preferred`` are kept unless ``upgrade``.

    Raises LockError.
    """
    solutions = {platform: _resolve(sources, preferred, platform, upgrade) for platform in PLATFORMS}
    first, *others = solutions.values()
    if differences := {name for other in others for name in first.keys() ^ other.keys()}:
        raise LockError(f"the platforms {', '.join(PLATFORMS)} differ in {', '.join(sorted(differences))}")
    return first


def _resolve(sources: Sequence[Path], preferred: str, platform: str, upgrade: bool) -> Entries:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "resolved.txt"
        output.write_text(preferred)
        uv = Path(sys.executable).with_name("uv")
        options = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "--python-version=3.11"]
        options += [f"--python-platform={platform}", "--only-binary=:all:", "--override", str(OVERRIDES)]
        options += ["--upgrade"] if upgrade else []
        command: list[str | Path] = [uv, "pip", "compile", *options, *sources, "-o", output]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise LockError(f"{platform}: {done.stderr}")
        return parse(output.read_text())


def parse(text: str) -> Entries:
    entries = re.findall(r"^([A-Za-z0-9._-]+==[^\s;]+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)$", text, re.M)
    return dict(entries)


def render(entries: Entries) -> str:
    return "".join(f"{requirement}{hashes}\n" for requirement, hashes in entries.items())


def split(course: Entries, everything: Entries) -> dict[str, Entries]:
    """The entries of each lock file."""
    gpu = {name: hashes for name, hashes in everything.items() if GPU_PACKAGE.match(name)}
    return {
        "course": {name: hashes for name, hashes in course.items() if name not in gpu},
        "test": {name: hashes for name, hashes in everything.items() if name not in course and name not in gpu},
        "cpu": {f"{TORCH}+cpu": "".join(f" \\\n    --hash=sha256:{build}" for build in CPU_BUILDS)},
        "gpu": gpu,
    }


def main(arguments: list[str]) -> None:
    locks = [FOLDER / f"{name}.lock" for name in ("course", "test", "gpu")]
    present = "".join(path.read_text() for path in locks if path.exists())
    everything = resolve([COURSE, TEST], present, upgrade="--upgrade" in arguments)
    course = resolve([COURSE], render(everything))
    if TORCH not in course:
        raise LockError(f"CPU_BUILDS are the hashes of {TORCH}, which is not the version in requirements.txt")
    for name, entries in split(course, everything).items():
        header = f"# {TITLES[name]}\n# Generated by `make lock`; requirements/lock.py explains the lock files.\n"
        (FOLDER / f"{name}.lock").write_text(header + render(entries))
        sys.stdout.write(f"requirements/{name}.lock: {len(entries)} packages\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LockError as error:
        sys.exit(f"requirements/lock.py: {error}")
