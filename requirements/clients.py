"""Make an environment of the Neu.ro clients: ``python requirements/clients.py neuro .venv-neuro --on-path``.

Their packages do not fit into the course's environment, and jobs and notebooks only run their programs. ``--on-path``
copies the programs beside this Python, so that they are on the PATH wherever the course's environment is: `neuro-extras`
itself calls `apolo` by name. An environment that is up to date stays as it is, and then no network is needed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import shutil
import sys
import venv
from pathlib import Path

from install import FOLDER, PipError, pip, say

PROGRAMS = ("apolo", "neuro", "neuro-extras", "apolo-extras")
STATE = ".installed"
"""The file in an environment with the hash of the lock that it was made from."""
SCAFFOLD = "lib/python3.11/site-packages/apolo_extras/assets/seldon.package"


def make(name: str, folder: Path) -> bool:
    """Bring the environment in ``folder`` to ``requirements/<name>.lock``; False if it was there. Raises PipError."""
    lock = FOLDER / f"{name}.lock"
    state = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as guard:  # tests on several workers may ask for it
        fcntl.flock(guard, fcntl.LOCK_EX)
        if (folder / STATE).exists() and (folder / STATE).read_text() == state:
            return False
        say(f"Making the environment {folder.name} of the Neu.ro clients ...")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=True)
        _install(folder / "bin" / "python", lock)
        # `neuro-extras seldon init-package` copies this folder to the learner.
        shutil.rmtree(folder / SCAFFOLD / "__pycache__", ignore_errors=True)
        (folder / STATE).write_text(state)
    return True


def _install(python: Path, lock: Path) -> None:
    total = sum(line[:1].isalnum() for line in lock.read_text().splitlines())
    options = ["--require-hashes", "--no-deps", "--progress-bar=off"]
    pip("--python", str(python), "install", *options, "-r", str(lock), total=total)
    pip("--python", str(python), "check")


def copy_programs(folder: Path, programs: Path) -> None:
    """Copy the programs of ``folder`` into the folder ``programs``; they go on running its Python."""
    for name in PROGRAMS:
        source, target = folder / "bin" / name, programs / name
        if source.exists():
            target.unlink(missing_ok=True)
            shutil.copy2(source, target)  # no link: image builds see this Python's folder alone


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=("neuro", "apolo"), help="the lock: neuro, or apolo for today's generation")
    parser.add_argument("folder", type=Path, help="the environment's folder")
    parser.add_argument("--on-path", action="store_true", help="copy the programs beside this Python")
    options = parser.parse_args()
    make(options.name, options.folder)
    if options.on_path:
        copy_programs(options.folder, Path(sys.executable).parent)


if __name__ == "__main__":
    try:
        main()
    except PipError as error:
        sys.exit(f"pip failed:\n{error}")
