"""A cluster for the notebooks, as `make setup` makes one, in a separate folder, and helpers that read notebooks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import course
from course.labs import load
from course.profile import REQUIRED
from minipdk.common import home as homes
from tests.conftest import share_images

ROOT = Path(__file__).parents[2]
MINIPDK = str(Path(sys.executable).with_name("minipdk"))


@dataclass(frozen=True)
class CourseCluster:
    """A running cluster and its profile; ``prepared`` is the folder of the notebooks with its parameters."""

    home: Path
    profile: Path
    prepared: Path

    def minipdk(self, *arguments: str) -> str:
        command = [MINIPDK, *arguments, "--home", str(self.home)]
        result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert result.returncode == 0, f"minipdk {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def start(self) -> None:
        self.minipdk("start", "--course-git-url", ROOT.as_uri())
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
        command += ["--nbval-sanitize-with", f"{ROOT}/tests/notebooks/sanitize.cfg", "-p", "no:cacheprovider", "-q"]
        command += ["--rootdir", str(ROOT), "-c", f"{ROOT}/tests/notebooks/nbval.ini", "-p", "nbval_settings", str(notebook)]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "notebooks"), "GRPC_ENABLE_FORK_SUPPORT": "0"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=notebook.parent)


def _left_behind(folder: str, names: list[str]) -> set[str]:
    """The files that a run of a lab in place has left there."""
    return {name for name in names if name == "__pycache__" or (Path(folder).name == "trainer" and name.isdigit())}


def printed(cell: Any) -> str:
    """The text that a code cell printed to stdout."""
    streams = [output for output in cell.outputs if output["output_type"] == "stream" and output["name"] == "stdout"]
    return "".join(output["text"] for output in streams)


def prose(notebook: Path) -> str:
    """The text of a notebook's Markdown cells."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def links(text: str) -> list[str]:
    """The targets of Markdown links, without links inside the page."""
    return re.findall(r"\]\(([^)#]+)\)", text)


@pytest.fixture(scope="session")
def course_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CourseCluster]:
    folder = tmp_path_factory.mktemp("course")
    prepared = ROOT / "build" / "nbval"  # in the repository: a notebook finds its root by walking up from its folder
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir(parents=True)
    cluster = CourseCluster(folder / "home", folder / "profile.env", prepared)
    cluster.start()
    share_images(homes.load(cluster.home))
    cluster.minipdk("image", "pull")
    for image in load(ROOT).images:
        cluster.minipdk("image", "build", str(ROOT / image.folder), "-t", image.tag)
    yield cluster
    cluster.minipdk("stop")


@pytest.fixture
def profile(course_cluster: CourseCluster, monkeypatch: pytest.MonkeyPatch) -> course.Profile:
    """The profile of the cluster, for this process."""
    for name in REQUIRED:
        monkeypatch.setenv(name, "")  # restored afterwards: loading the profile sets them
    monkeypatch.chdir(course_cluster.prepared)
    return course.load(str(course_cluster.profile))
