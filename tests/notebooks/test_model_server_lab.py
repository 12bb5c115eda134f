"""The model-server lab: its solution does what its stored outputs say, and its gaps end in hints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests

from minipdk.common import home as homes
from tests.conftest import wait_for
from tests.notebooks.conftest import ROOT, CourseCluster

SOLUTION = ROOT / "solutions" / "model-server" / "lab.ipynb"
LAB = ROOT / "labs" / "model-server" / "lab.ipynb"
ACCOUNT = """
apiVersion: v1
kind: Secret
metadata:
  name: model-reader
  annotations: {{serving.kserve.io/s3-endpoint: "{gateway}", serving.kserve.io/s3-usehttps: "0"}}
stringData: {{AWS_ACCESS_KEY_ID: "{key}", AWS_SECRET_ACCESS_KEY: "{key}"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: model-reader}}
secrets: [{{name: model-reader}}]
"""
pytestmark = pytest.mark.timeout(1800)


def printed(cell: Any) -> str:
    return "".join(out["text"] for out in cell.outputs if out["output_type"] == "stream" and out["name"] == "stdout")


def test_every_step_of_the_lab_asks_for_something_and_tells_what_comes_of_it() -> None:
    steps = re.split(r"\n## \d+ · ", "\n".join(cell.source for cell in nbformat.read(LAB, as_version=4).cells))[1:]
    assert len(steps) == 13
    for step in steps[:-1]:
        assert "check." in step
        assert "**You should see**" in step
    asks = ["**Your turn in**" in step or "# Your turn: " in step for step in steps]
    assert asks == [False, *[True] * 5, False, *[True] * 2, False, *[True] * 3]  # the last is to clean up


def test_every_file_with_a_gap_is_named_in_the_lab() -> None:
    prose = "\n".join(cell.source for cell in nbformat.read(LAB, as_version=4).cells if cell.cell_type == "markdown")
    package = LAB.parent / "packages"
    gaps = [path for path in package.rglob("*") if path.suffix in {".py", ".yaml"} and "Your turn:" in path.read_text()]
    assert len(gaps) == 5
    for path in gaps:
        assert f"**Your turn in** `{path.relative_to(LAB.parent)}`" in prose


def test_the_lab_has_a_goal_help_and_links() -> None:
    prose = "\n".join(
        "".join(cell["source"]) for cell in json.loads(LAB.read_text())["cells"] if cell["cell_type"] == "markdown"
    )
    for wanted in ("**Goal**", "**Time**", "**You need**", "## Self-check", "## Clean up", "Troubleshooting"):
        assert wanted in prose, wanted
    for link in re.findall(r"\]\(([^)#]+)\)", prose):
        assert (LAB.parent / link).exists(), link


def test_every_code_cell_of_the_solution_is_stored_without_an_error() -> None:
    code = [cell for cell in nbformat.read(SOLUTION, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.execution_count is None] == []
    assert [cell.source for cell in code if any(out.output_type == "error" for out in cell.outputs)] == []
    assert [cell.source for cell in code if "✗" in printed(cell)] == []


def test_the_solution_prints_what_is_stored(course_cluster: CourseCluster) -> None:
    result = course_cluster.run_nbval(course_cluster.prepare(SOLUTION))
    assert result.returncode == 0, result.stdout


def test_a_lab_without_answers_ends_in_hints_and_no_traceback(course_cluster: CourseCluster) -> None:
    import papermill

    prepared = course_cluster.prepare(LAB)
    executed = prepared.with_name("executed.ipynb")
    papermill.execute_notebook(prepared, executed, cwd=str(prepared.parent), progress_bar=False)
    cells = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    checks = [cell for cell in cells if re.search(r"^check\.", cell.source, re.M)]
    assert [cell.source for cell in cells if "Traceback" in str(cell.outputs)] == []
    passes = {"check.connected()", 'check.built(commands.run("make build", package))', "check.cleared()"}  # of no gap
    for cell in checks:
        if not passes & set(cell.source.splitlines()):
            assert re.search(r"^✗ Not yet: .+\. Hint: .+", printed(cell), re.M), cell.source


def test_another_framework_goes_the_same_way_to_an_endpoint(course_cluster: CourseCluster, tmp_path: Path) -> None:
    package = tmp_path / "pytorch"
    command = [sys.executable, "-m", "course.model_server", "pytorch", str(package)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    variables = json.loads(course_cluster.minipdk("env", "--format", "json"))
    environment = os.environ | variables | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for missing in (
        ["create", "project", "pdk-model-server"],
        ["create", "repo", "models", "--project", "pdk-model-server"],
    ):
        subprocess.run(["pachctl", *missing], env=environment, capture_output=True)  # as the lab does before
    kubectl = ["kubectl", f"--kubeconfig={variables['KUBECONFIG']}", "-n", variables["KSERVE_NAMESPACE"]]
    gateway, key = variables["PACH_S3_ENDPOINT"].rpartition("/")[2], homes.load(course_cluster.home).token
    account = ACCOUNT.format(gateway=gateway, key=key)
    subprocess.run([*kubectl, "apply", "-f", "-"], input=account.encode(), check=True, capture_output=True)
    for step in ("build", "store", "deploy"):
        made = subprocess.run(["make", step], cwd=package, env=environment, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr

    def ready() -> bool:
        seen = subprocess.run([*kubectl, "get", "isvc", "pytorchserver-test", "-o", "json"], capture_output=True, text=True)
        conditions = json.loads(seen.stdout).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    wait_for(ready, what="pytorchserver-test to be ready")
    answer = requests.post(
        f"http://{variables['INGRESS_HOST']}:{variables['INGRESS_PORT']}/v1/models/pytorchserver-test:predict",
        data=(package / "input.json").read_bytes(),
        headers={"Host": "pytorchserver-test.models.example.com", "Content-Type": "application/json"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0]})
    subprocess.run([*kubectl, "delete", "isvc", "pytorchserver-test"], check=True, capture_output=True)
