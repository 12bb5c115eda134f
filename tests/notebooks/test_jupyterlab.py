"""JupyterLab as `make lab` opens it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import requests

from tests.conftest import end, free_ports, wait_for
from tests.notebooks.conftest import ROOT


def test_every_notebook_and_lab_is_in_the_file_browser_of_make_lab(tmp_path: Path) -> None:
    recipe = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [command] = [line for line in recipe.replace("\\\n", " ").splitlines() if "jupyter lab " in line]
    [port] = free_ports(1)
    words = [*shlex.split(command), "--no-browser", f"--port={port}", "--IdentityProvider.token=token"]
    contents = f"http://127.0.0.1:{port}/api/contents"

    def is_there(path: str = "") -> bool:
        try:
            headers = {"Authorization": "token token"}
            return requests.get(f"{contents}/{path}", params={"content": "0"}, headers=headers, timeout=60).ok
        except requests.ConnectionError:
            return False

    with (tmp_path / "log").open("wb") as log, subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log) as server:
        try:
            wait_for(is_there, what="JupyterLab to answer")
            for folder in ("notebooks", "labs", "solutions"):
                paths = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.ipynb")]
                notebooks = [str(path) for path in paths if ".ipynb_checkpoints" not in path.parts]
                assert notebooks
                assert [path for path in notebooks if not is_there(path)] == []
        finally:
            end(server, seconds=60)
