"""A running cluster for the tests of the documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import new_home
from tests.repository.refusals.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A fresh cluster, started and stopped with the minipdk command."""
    home = new_home(tmp_path_factory.mktemp("documented") / "home")

    def minipdk(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("minipdk")), *words, "--home", str(home.path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    minipdk("start")
    yield Cluster(home, json.loads(minipdk("env", "--format", "json")))
    minipdk("stop")
