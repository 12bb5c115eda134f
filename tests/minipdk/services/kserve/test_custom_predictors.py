"""Images of the user's own behind an InferenceService: in a ServingRuntime, or as the predictor's containers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.kserve.conftest import NAMESPACE, Cluster, FakeS3

from minipdk.common.home import Home
from minipdk.images import ImageStore

SERVER = """
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        models = {path.name: path.read_text() for path in pathlib.Path("/mnt/models").glob("*.txt")}
        body = json.dumps({"models": models, "arguments": sys.argv[1:], "environment": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: notes}
spec:
  supportedModelFormats: [{name: note, autoSelect: true, priority: 1}]
  protocolVersions: [v1]
  containers:
    - name: kserve-container
      image: notes:1.0
      args: ["--name={{.Name}}", "--team={{.Labels.team}}"]
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Mi}}}
"""


@pytest.fixture(scope="module")
def cluster(
    home: Home, run_service: Callable[..., ServiceProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    context = tmp_path_factory.mktemp("notes")
    (context / "server.py").write_text(SERVER)
    (context / "Dockerfile").write_text('FROM python:3.11\nCOPY server.py /\nENTRYPOINT ["python", "-u", "/server.py"]\n')
    ImageStore(home).build(context, "notes:1.0")
    run_service(home, "kubernetes", "kubernetes")
    s3 = FakeS3()
    cluster = Cluster(home, run_service(home, "serving", "ingress"), s3)
    cluster.add_credentials()
    yield cluster
    s3.close()


def create(cluster: Cluster, name: str, **predictor: Any) -> None:
    metadata = {"name": name, "labels": {"team": "blue"}}
    kind = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    service = json.dumps({**kind, "metadata": metadata, "spec": {"predictor": predictor}})
    cluster.kubectl("apply", "-f", "-", stdin=service)


def ask(cluster: Cluster, name: str) -> dict[str, Any]:
    host = {"Host": f"{name}.{NAMESPACE}.example.com"}
    answer = cluster.http.get(f"http://127.0.0.1:{cluster.home.port('ingress')}/", headers=host, timeout=30)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_runtime_of_the_users_serves_its_format_with_as_many_replicas_as_asked(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("from a file")
    model = {"modelFormat": {"name": "note"}, "storageUri": f"file://{tmp_path}", "args": ["--more"]}
    create(cluster, "notes", model=model, minReplicas=2)
    assert cluster.failure("notes")["message"] == "No runtime found to support specified framework/version"
    cluster.kubectl("apply", "-f", "-", stdin=RUNTIME)
    wait_for(lambda: cluster.is_ready("notes"), what="the service to be ready once there is a runtime")
    assert len(cluster.pods("notes")) == 2
    answers = [ask(cluster, "notes")]
    while len({answer["environment"]["HOSTNAME"] for answer in answers}) < 2:  # the test's time limit ends it
        answers.append(ask(cluster, "notes"))
    assert all(answer["models"] == {"note.txt": "from a file"} for answer in answers)
    assert all(answer["arguments"] == ["--name=notes", "--team=blue", "--more"] for answer in answers)
    assert {answer["environment"]["K_REVISION"] for answer in answers} == {"notes-predictor-00001"}


def test_a_custom_container_gets_its_model_variables_and_volumes(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=CLAIM)
    place = cluster.home.folder("volumes") / NAMESPACE / "claim" / "notes"
    place.mkdir(parents=True)
    (place / "note.txt").write_text("from a claim")
    reference = {"secretKeyRef": {"name": "pach", "key": "AWS_ACCESS_KEY_ID"}}
    env = [{"name": "STORAGE_URI", "value": "pvc://claim/notes"}, {"name": "KEY", "valueFrom": reference}]
    container = {"name": "mine", "image": "notes:1.0", "args": ["$(KEY)"], "env": env}
    create(cluster, "custom", containers=[container])
    wait_for(lambda: cluster.is_ready("custom"), what="the service to be ready")
    answer = ask(cluster, "custom")
    assert answer["models"] == {"note.txt": "from a claim"}
    assert answer["arguments"] == ["the-key"]
    assert answer["environment"]["STORAGE_URI"] == "/mnt/models"
    assert answer["environment"]["PORT"] == "8080"


def test_the_status_has_the_reason_of_a_containers_end(cluster: Cluster) -> None:
    failing = {"name": "mine", "image": "notes:1.0", "command": ["sh", "-c", "echo no luck today; exit 3"]}
    create(cluster, "failing", containers=[failing])
    failure = cluster.failure("failing")
    assert (failure["reason"], failure["exitCode"], failure["message"]) == ("ModelLoadFailed", 3, "no luck today")
    assert cluster.failed("failing")["message"].endswith("Container failed with: no luck today.")
    wait_for(lambda: "no luck today" in cluster.kubectl("describe", "isvc", "failing"), what="the description")
    cluster.kubectl("delete", "isvc", "failing", "--cascade=foreground")
    assert cluster.pods("failing") == []


def test_a_server_that_ends_in_good_order_has_failed_too_and_stays_so_until_it_serves(cluster: Cluster) -> None:
    create(cluster, "ending", containers=[{"name": "mine", "image": "notes:1.0", "command": ["sh", "-c", "sleep 1"]}])
    assert "ended with status 0: a model server has to go on" in cluster.failed("ending")["message"]
    seen = set()

    def is_started_again() -> bool:
        seen.add(cluster.condition("ending")["status"])
        [pod] = cluster.pods("ending")
        return bool(pod.status.container_statuses[0].restart_count >= 2)

    wait_for(is_started_again, what="two more starts")
    assert seen == {"False"}
    cluster.kubectl("delete", "isvc", "ending")


def test_a_missing_folder_is_reported_until_it_exists(cluster: Cluster, tmp_path: Path) -> None:
    source = {"name": "STORAGE_URI", "value": f"file://{tmp_path}/late"}
    create(cluster, "late", containers=[{"name": "mine", "image": "notes:1.0", "env": [source]}])
    assert f"there is no {tmp_path}/late on this machine" in cluster.failed("late")["message"]
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "note.txt").write_text("at last")
    wait_for(lambda: cluster.is_ready("late"), what="the service to be ready")
    assert ask(cluster, "late")["models"] == {"note.txt": "at last"}
    cluster.kubectl("delete", "isvc", "late")


def test_a_missing_image_is_reported_until_it_is_built(cluster: Cluster, tmp_path: Path) -> None:
    create(cluster, "early", containers=[{"name": "mine", "image": "late:1.0"}])
    failed = cluster.failed("early")
    assert (failed["reason"], "late:1.0" in failed["message"]) == ("RevisionFailed", True)
    assert cluster.status("early")["modelStatus"]["states"]["targetModelState"] == "Pending"
    (tmp_path / "Dockerfile").write_text("FROM notes:1.0\n")
    ImageStore(cluster.home).build(tmp_path, "late:1.0")
    wait_for(lambda: cluster.is_ready("early"), what="the service to be ready once there is its image")
    assert "lastFailureInfo" not in cluster.status("early")["modelStatus"]
    cluster.kubectl("delete", "isvc", "early")


def test_a_predictor_whose_pods_are_rejected_is_not_tried_again_until_it_changes(cluster: Cluster) -> None:
    mount = {"name": "nowhere", "mountPath": "/x"}
    create(cluster, "refused", containers=[{"name": "mine", "image": "notes:1.0", "volumeMounts": [mount]}])
    message = cluster.failed("refused")["message"]
    assert 'spec.containers[0].volumeMounts[0].name: Not found: "nowhere"' in message
    before = version(cluster, "refused")
    create(cluster, "beside", containers=[{"name": "mine", "image": "notes:1.0"}])
    wait_for(lambda: cluster.is_ready("beside"), what="another service to be ready")
    assert version(cluster, "refused") == before, "its status was written again"
    wait_for(lambda: reasons(cluster, "refused") == ["Created", "InternalError"], what="its two events")
    create(cluster, "refused", containers=[{"name": "mine", "image": "notes:1.0"}])
    wait_for(lambda: cluster.is_ready("refused"), what="the service to be ready once it has changed")
    cluster.kubectl("delete", "isvc", "refused", "beside")


def version(cluster: Cluster, name: str) -> str:
    return cluster.kubectl("get", "isvc", name, "-o", "jsonpath={.metadata.resourceVersion}")


def reasons(cluster: Cluster, name: str) -> list[str]:
    """The reasons of the events about a service."""
    about = f"involvedObject.name={name}"
    return sorted(cluster.kubectl("get", "events", "--field-selector", about, "-o", "jsonpath={.items[*].reason}").split())


def test_an_orphaned_predictor_is_left_running(cluster: Cluster) -> None:
    create(cluster, "left", containers=[{"name": "mine", "image": "notes:1.0"}])
    wait_for(lambda: cluster.is_ready("left"), what="the service to be ready")
    [before] = cluster.pods("left")
    cluster.kubectl("delete", "isvc", "left", "--cascade=orphan")
    wait_for(lambda: cluster.predict("left").status_code == 404, what="the route's end")
    [after] = cluster.pods("left")
    assert (after.metadata.uid, after.status.phase) == (before.metadata.uid, "Running")


def test_a_second_runtime_of_the_same_priority_is_denied(cluster: Cluster) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        cluster.kubectl("create", "-f", "-", stdin=RUNTIME.replace("name: notes}", "name: others}"))
    assert (
        "same priority assigned for the model format note in the servingruntimes notes and others in namespace models"
        in (raised.value.stderr)
    )
