"""A cluster for the notebooks, as `make setup` makes one, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINIPDK = Path(sys.executable).with_name("minipdk")
IMAGES = {
    "train": "pdk-churn-train:1.0",
    "deploy": "pdk-churn-deploy:1.0",
    "iris-pre-process": "pdk-iris-pre-process:1.0",
    "iris-train": "pdk-iris-train:1.0",
    "iris-infer": "pdk-iris-infer:1.0",
}


@dataclass(frozen=True)
class CourseCluster:
    """A running cluster and the profile that names it; ``prepared`` is where notebooks with its parameters lie."""

    home: Path
    profile: Path
    prepared: Path

    def minipdk(self, *arguments: str) -> str:
        command = [MINIPDK, *arguments, "--home", self.home]
        result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 0, f"minipdk {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def start(self) -> None:
        self.minipdk("start", "--course-git-url", f"file://{ROOT}")
        self.profile.write_text(self.minipdk("env", "--format", "dotenv"))

    def reset(self) -> None:
        self.minipdk("reset", "--yes")
        self.start()

    def prepare(self, notebook: Path) -> Path:
        """A copy of ``notebook``, beside its scripts, with this cluster's profile injected and the stored outputs kept."""
        import papermill

        target = self.prepared / notebook.parent.name / notebook.name
        shutil.rmtree(target.parent, ignore_errors=True)
        if notebook.parent.name == "notebooks":
            target.parent.mkdir()
        else:  # a lab has its files beside it
            shutil.copytree(notebook.parent, target.parent, ignore=_left_behind)
        papermill.execute_notebook(
            notebook, target, parameters={"PROFILE": str(self.profile)}, prepare_only=True, progress_bar=False
        )
        return target

    def run_nbval(self, notebook: Path) -> subprocess.CompletedProcess[str]:
        """Execute ``notebook`` once and compare every output with the stored one."""
        command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=900"]
        command += ["--nbval-sanitize-with", ROOT / "tests/notebooks/sanitize.cfg", "-p", "no:cacheprovider", "-q"]
        command += ["--rootdir", ROOT, "-c", ROOT / "tests/notebooks/nbval.ini", "-p", "nbval_settings", notebook]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "notebooks"), "GRPC_ENABLE_FORK_SUPPORT": "0"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=notebook.parent)


def _left_behind(folder: str, names: list[str]) -> set[str]:
    """What running a lab in place has left there."""
    return {name for name in names if name == "__pycache__" or (Path(folder).name == "trainer" and name.isdigit())}


@pytest.fixture(scope="session")
def course_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourseCluster]:
    folder = tmp_path_factory.mktemp("course")
    prepared = ROOT / "build" / "nbval"  # below the repository: notebooks find it by walking up from where they are
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir(parents=True)
    cluster = CourseCluster(folder / "home", folder / "profile.env", prepared)
    cluster.start()
    for name, tag in IMAGES.items():
        cluster.minipdk("image", "build", str(ROOT / "containers" / name), "-t", tag)
    yield cluster
    cluster.minipdk("stop")
