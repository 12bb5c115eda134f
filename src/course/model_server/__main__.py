"""``python -m course.model_server FRAMEWORK DIR``: make a model server's package and train its example model."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from course.model_server import FRAMEWORKS, FrameworkError, render


def main() -> None:
    """Render the package into an empty folder and train its example model."""
    parser = argparse.ArgumentParser(prog="python -m course.model_server", description=__doc__)
    parser.add_argument("framework", help=" or ".join(FRAMEWORKS))
    parser.add_argument("folder", type=Path, help="the package's folder: new or empty")
    parser.add_argument("--marked", action="store_true", help="keep the answers marked, overwrite the folder, train nothing")
    arguments = parser.parse_args()
    framework, folder = arguments.framework.lower(), arguments.folder
    try:
        if arguments.marked:
            render(framework, folder, keep_markers=True)
        else:
            make(framework, folder)
    except (FrameworkError, OSError) as error:
        sys.exit(f"course.model_server: {error}")


def make(framework: str, folder: Path) -> None:
    """Render the package into ``folder`` and train its example model. Raises FrameworkError and OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FrameworkError(f"{folder} is not an empty folder: name another")
    files = render(framework, folder)
    server = FRAMEWORKS[framework].server
    print(f"{server}: {len(files)} files in {folder}. Training its example model ...", flush=True)  # noqa: T201
    training = [sys.executable, "-m", f"{server}.trainer", "--output", f"{server}/example_models/0001"]
    if subprocess.run(training, cwd=folder, check=False).returncode:
        raise FrameworkError(f"{server} is in {folder}, but its example model could not be trained")
    print(f"Next: cd {shlex.quote(str(folder))} && make test serve")  # noqa: T201


if __name__ == "__main__":
    main()
