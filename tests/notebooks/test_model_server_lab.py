"""The parts of the model-server lab that no other lab has: gaps in files, and a second framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from minipdk.common import home as homes
from tests.conftest import wait_for
from tests.notebooks.conftest import ROOT, CourseCluster, prose

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


def test_every_file_with_a_gap_is_named_in_the_lab() -> None:
    text = prose(LAB)
    package = LAB.parent / "packages"
    gaps = [path for path in package.rglob("*") if path.suffix in {".py", ".yaml"} and "Your turn:" in path.read_text()]
    assert len(gaps) == 5
    for path in gaps:
        assert f"**Your turn in** `{path.relative_to(LAB.parent)}`" in text


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
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    wait_for(ready, what="pytorchserver-test to be ready")
    answer = requests.post(
        f"http://{variables['INGRESS_HOST']}:{variables['INGRESS_PORT']}/v1/models/pytorchserver-test:predict",
        data=(package / "input.json").read_bytes(),
        headers={"Host": "pytorchserver-test.models.example.com", "Content-Type": "application/json"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()) == (200, {"predictions": [0]})
    subprocess.run([*kubectl, "delete", "isvc", "pytorchserver-test"], check=True, capture_output=True)
