"""`make clean` removes a cluster's folder and no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import REPOSITORY, new_home


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with nothing but its Makefile and what `make clean` removes."""
    clone = tmp_path / "clone"
    for name in ("src", "tests", "containers", "labs", "solutions", "sample-data", "build"):
        (clone / name).mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", clone)
    return clone


def install(clone: Path) -> None:
    """An environment whose `minipdk` is this one's."""
    command = clone / ".venv" / "bin" / "minipdk"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m minipdk "$@"\n')
    command.chmod(0o755)


def clean(clone: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", clone, "clean", f"MINIPDK_HOME={home}"], capture_output=True, text=True)


@pytest.mark.parametrize("installed", [True, False])
def test_a_clusters_folder_is_removed(clone: Path, tmp_path: Path, installed: bool) -> None:
    if installed:
        install(clone)
    home = new_home(tmp_path / "home")
    (home.folder("containers") / "layer").mkdir()
    done = clean(clone, home.path)
    assert done.returncode == 0, done.stderr
    assert not home.path.exists()
    assert not (clone / "build").exists()


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("name", ["thesis.tex", "cluster.json"])
def test_any_other_folder_stays_and_so_does_the_environment(clone: Path, tmp_path: Path, name: str, installed: bool) -> None:
    if installed:
        install(clone)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / name).write_text("{}")
    done = clean(clone, tmp_path / "precious")
    assert done.returncode != 0
    assert "precious is not a cluster's folder: nothing was removed" in done.stdout
    assert (tmp_path / "precious" / name).exists()
    assert (clone / "build").exists()


def test_without_a_cluster_the_rest_is_removed(clone: Path, tmp_path: Path) -> None:
    install(clone)
    assert clean(clone, tmp_path / "nowhere").returncode == 0
    assert not (clone / ".venv").exists()
