"""Persistent volume claims: each has a folder, from its creation until no pod uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api
from tests.conftest import wait_for
from tests.minipdk.services.kubernetes.conftest import Kubectl, claim, pod

from minipdk.common.home import Home


def folder(cluster: Home, name: str) -> Path:
    return cluster.folder("volumes") / "models" / name


def test_a_claim_is_bound_immediately_to_a_folder(kubectl: Kubectl, cluster: Home) -> None:
    kubectl("apply", "-f", "-", stdin=claim("models"))
    row = kubectl("get", "pvc", "models", "--no-headers").stdout.split()
    volume = row[2]
    assert [row[1], *row[3:7]] == ["Bound", "1Gi", "RWO", "standard", "<unset>"]
    assert volume.startswith("pvc-")
    shown = kubectl("get", "pv", volume, "--no-headers").stdout.split()
    assert shown[1:7] == ["1Gi", "RWO", "Delete", "Bound", "models/models", "standard"]
    path = kubectl("get", "pv", volume, "-o", "jsonpath={.spec.hostPath.path}").stdout
    assert Path(path) == folder(cluster, "models")
    assert folder(cluster, "models").stat().st_mode & 0o777 == 0o700
    assert "standard (default)" in kubectl("get", "sc").stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=claim("models")).stdout
    assert volume in kubectl("describe", "pvc", "models").stdout
    assert path in kubectl("describe", "pv", volume).stdout


def test_a_new_claim_of_the_same_name_is_empty(kubectl: Kubectl, cluster: Home) -> None:
    kubectl("apply", "-f", "-", stdin=claim("again"))
    (folder(cluster, "again") / "model.pkl").write_text("old")
    kubectl("delete", "pvc", "again")
    kubectl("apply", "-f", "-", stdin=claim("again"))
    assert list(folder(cluster, "again").iterdir()) == []
    kubectl("delete", "pvc", "again")
    wait_for(lambda: not folder(cluster, "again").exists(), what="the volume to go")
    assert "models/again" not in kubectl("get", "pv").stdout


def test_a_claim_stays_while_a_pod_uses_it(kubectl: Kubectl, core: CoreV1Api, cluster: Home) -> None:
    kubectl("apply", "-f", "-", stdin=claim("used"))
    user = pod("user")
    user["spec"] |= {"nodeName": "minipdk", "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "used"}}]}
    kubectl("apply", "-f", "-", stdin=user)
    kubectl("delete", "pvc", "used", "--wait=false")
    assert kubectl("get", "pvc", "used", "--no-headers").stdout.split()[1] == "Terminating"
    assert folder(cluster, "used").exists()
    core.patch_namespaced_pod_status("user", "models", {"status": {"phase": "Succeeded"}})
    assert "not found" in kubectl("get", "pvc", "used", fails=True).stderr


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"accessModes": ["ReadWriteOncePod"]}, 'spec.accessModes: Unsupported value: "ReadWriteOncePod"'),
        ({"resources": {}}, "spec.resources[storage]: Required value"),
        ({"resources": {"requests": {"storage": 0}}}, "must be greater than zero"),
        ({"storageClassName": "fast"}, 'spec.storageClassName: Unsupported value: "fast": supported values: "standard"'),
        ({"volumeMode": "Block"}, 'spec.volumeMode: Unsupported value: "Block"'),
        ({"volumeName": "mine"}, "each claim gets a volume of its own"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector: Forbidden: is not supported by minipdk"),
    ],
)
def test_an_invalid_claim_is_refused_by_its_field(kubectl: Kubectl, spec: Any, message: str) -> None:
    assert message in kubectl("create", "-f", "-", stdin=claim("wrong", **spec), fails=True).stderr


def test_claims_are_immutable_and_volumes_are_not_made_by_hand(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=claim("fixed"))
    patch = json.dumps({"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    assert "spec is immutable after creation" in kubectl("patch", "pvc", "fixed", "-p", patch, fails=True).stderr
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "mine"}, "spec": {}}
    said = kubectl("create", "-f", "-", "--validate=false", stdin=volume, fails=True).stderr
    assert "create of persistentvolumes is not supported by minipdk" in said
