"""InferenceServices from creation to deletion, through KServe's client, kubectl and HTTP requests to the ingress."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kserve import V1beta1XGBoostSpec
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.kserve.conftest import (
    NAMESPACE,
    Archiver,
    Cluster,
    FakeS3,
    broken_handler,
    inference_service,
    predictors,
    torchserve,
)

from minipdk.common.home import Home

OPEN_COMMIT = "0123456789abcdef0123456789abcdef.master.deploy.churn"


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess], make_archive: Archiver) -> Iterator[Cluster]:
    run_service(home, "kubernetes", "kubernetes")
    s3 = FakeS3()
    s3.put_folder("models", make_archive(factor=1).parent, "one/model-store/")
    s3.put_folder("models", make_archive(factor=10).parent, "ten/model-store/")
    s3.put_folder("models", make_archive(handler=broken_handler("no weights for you")).parent, "broken/model-store/")
    cluster = Cluster(home, run_service(home, "serving", "ingress"), s3)
    cluster.add_credentials()
    yield cluster
    s3.close()


@pytest.fixture(scope="module")
def linear(cluster: Cluster) -> str:
    """A service that doubles x. It is shared; each test leaves its endpoint answering."""
    cluster.create("linear", "s3://models/one")
    cluster.kserve.wait_isvc_ready("linear", namespace=NAMESPACE, timeout_seconds=120, polling_interval=0.2)
    return "linear"


def test_a_ready_service_is_described_as_kserve_does(cluster: Cluster, linear: str) -> None:
    status = cluster.status(linear)
    assert status["url"] == "http://linear.models.example.com"
    assert status["address"] == {"url": "http://linear.models.svc.cluster.local"}
    assert status["modelStatus"]["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    assert status["modelStatus"]["transitionStatus"] == "UpToDate"
    predictor = status["components"]["predictor"]
    assert predictor["latestReadyRevision"] == predictor["latestCreatedRevision"] == "linear-predictor-00001"
    ready = ["IngressReady", "LatestDeploymentReady", "PredictorConfigurationReady", "PredictorReady", "PredictorRouteReady"]
    assert {condition["type"]: condition["status"] for condition in status["conditions"]} == {
        **dict.fromkeys([*ready, "Ready", "RoutesReady"], "True"),
        "Stopped": "False",
    }
    assert (status["deploymentMode"], status["clusterServingRuntimeName"]) == ("Knative", "kserve-torchserve")
    assert status["modelStatus"]["copies"] == {"failedCopies": 0, "totalCopies": 1}
    assert cluster.kserve.is_isvc_ready(linear, namespace=NAMESPACE)
    cluster.expect_event(linear, "InferenceServiceReady", "InferenceService [linear] is Ready")


def test_kubectl_shows_both_services_that_kserve_makes(cluster: Cluster, linear: str) -> None:
    service = cluster.kubectl("get", "svc", linear, "--no-headers").split()
    gateway = "knative-local-gateway.istio-system.svc.cluster.local"
    assert service[:5] == [linear, "ExternalName", "<none>", gateway, "<none>"]
    assert cluster.kubectl("get", "ksvc", f"{linear}-predictor").split("\n")[0].split() == [
        *("NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON")
    ]
    wait_for(lambda: cluster.knative(linear).get("status", {}).get("conditions"), what="the Knative Service's status")
    knative = cluster.knative(linear)
    predictor = cluster.status(linear)["components"]["predictor"]
    assert knative["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    template = knative["spec"]["template"]
    assert template["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == linear
    assert [container["name"] for container in template["spec"]["containers"]] == ["kserve-container"]
    status = knative["status"]
    assert (status["url"], status["traffic"]) == (predictor["url"], predictor["traffic"])
    assert status["latestReadyRevisionName"] == predictor["latestReadyRevision"]
    assert {row["type"]: row["status"] for row in status["conditions"]} == dict.fromkeys(
        ("ConfigurationsReady", "Ready", "RoutesReady"), "True"
    )


@pytest.mark.parametrize(("kind", "suffix"), [("svc", ""), ("ksvc", "-predictor")])
def test_a_service_that_somebody_removes_is_made_again(cluster: Cluster, linear: str, kind: str, suffix: str) -> None:
    before = cluster.uid(kind, linear + suffix)
    cluster.kubectl("delete", kind, linear + suffix)
    wait_for(lambda: cluster.uid(kind, linear + suffix) not in ("", before), what=f"another {kind}")


def test_the_service_of_somebody_else_is_left_alone(cluster: Cluster, linear: str) -> None:
    cluster.kubectl("create", "service", "externalname", "taken", "--external-name=example.org")
    cluster.create("taken", "s3://models/one")
    about = "Service taken exists and is not this InferenceService's: it is left alone"
    cluster.expect_event("taken", "InternalError", about)
    assert cluster.kubectl("get", "svc", "taken", "-o", "jsonpath={.spec.externalName}") == "example.org"
    cluster.kubectl("delete", "isvc/taken", "svc/taken")
    wait_for(lambda: not cluster.uid("ksvc", "taken-predictor"), what="the end of the Knative Service")


@pytest.mark.parametrize(
    "host",
    [
        "{}.models.example.com",
        "{}-predictor.models.example.com",
        "{}.models.example.com:8081",
        "{}.models.svc.cluster.local",
    ],
)
def test_predictions_are_routed_by_host(cluster: Cluster, linear: str, host: str) -> None:
    assert cluster.predict(linear, 4, host=host).json() == {"predictions": [8.0]}


def test_curl_needs_no_content_type(cluster: Cluster, linear: str) -> None:
    url = f"http://127.0.0.1:{cluster.home.port('ingress')}/v1/models/{linear}:predict"
    command = ["curl", "-sS", "-H", "Host: linear.models.example.com", "-d", '{"instances": [{"data": {"x": 2}}]}', url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == '{"predictions":[4.0]}'


def test_kubectl_shows_the_service_its_pod_and_both_logs(cluster: Cluster, linear: str) -> None:
    assert "http://linear.models.example.com" in cluster.kubectl("get", "isvc", "linear")
    assert "1/1 Running" in " ".join(cluster.kubectl("get", "pods", "--no-headers").split())
    [pod] = cluster.pods(linear)
    assert pod.status.container_statuses[0].image_id
    assert "Downloaded object one/model-store/linear.mar" in cluster.kubectl(
        "logs", pod.metadata.name, "-c", "storage-initializer"
    )
    assert "loading linear 1.0 from linear.mar" in cluster.kubectl("logs", pod.metadata.name, "-c", "kserve-container")


def test_an_unknown_host_is_404(cluster: Cluster, linear: str) -> None:
    answer = cluster.predict("absent")
    assert answer.status_code == 404
    assert "no InferenceService is served at Host 'absent.models.example.com'" in answer.json()["error"]


def test_a_model_in_an_open_commit_is_waited_for_and_the_wait_is_visible(cluster: Cluster, make_archive: Archiver) -> None:
    cluster.create("waiting", f"s3://{OPEN_COMMIT}/linear")
    path = "-o=jsonpath={.items[*].status.conditions[?(@.type=='Ready')].message}"
    wait_for(
        lambda: (
            "NoSuchBucket"
            in cluster.kubectl("get", "revisions", "-l", "serving.knative.dev/service=waiting-predictor", path)
        ),
        what="the wait",
    )
    assert cluster.status("waiting")["modelStatus"]["states"] == {"activeModelState": "", "targetModelState": "Loading"}
    assert cluster.condition("waiting")["status"] == "Unknown"
    answer = cluster.predict("waiting")
    assert (answer.status_code, "waiting for the model" in answer.json()["error"]) == (503, True)
    cluster.s3.put_folder(OPEN_COMMIT, make_archive().parent, "linear/model-store/")
    cluster.kserve.wait_isvc_ready("waiting", namespace=NAMESPACE, timeout_seconds=120, polling_interval=0.2)
    assert cluster.answers("waiting", 2.0)
    cluster.kserve.delete("waiting", namespace=NAMESPACE)
    wait_for(lambda: not cluster.pods("waiting") and cluster.predict("waiting").status_code == 404, what="the end")


def test_a_replacement_takes_over_without_a_failed_request(cluster: Cluster, linear: str) -> None:
    codes, values, done = set(), [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            answer = cluster.predict(linear)
            codes.add(answer.status_code)
            values.append(answer.json().get("predictions", [None])[0])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        cluster.replace(linear, "s3://models/ten")
        wait_for(lambda: values[-1:] == [20.0], what="the new model's answer")
        wait_for(lambda: len(cluster.pods(linear)) == 1, what="the old pod's end")
    finally:
        done.set()
        asking.join()
    assert codes == {200}
    assert values == sorted(values), "the old model answered after the new one"
    wait_for(
        lambda: cluster.status(linear)["components"]["predictor"]["latestReadyRevision"] == "linear-predictor-00002",
        what="the new revision to be ready",
    )


def test_a_canary_gets_its_share_is_promoted_and_rolled_back_without_a_failed_request(cluster: Cluster, linear: str) -> None:
    [before] = cluster.predict(linear).json()["predictions"]
    uri, after = ("s3://models/one", 2.0) if before == 20.0 else ("s3://models/ten", 20.0)
    old = cluster.status(linear)["components"]["predictor"]["latestRolledoutRevision"]
    codes, values, done = set(), [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            answer = cluster.predict(linear)
            codes.add(answer.status_code)
            values.append(answer.json().get("predictions", [None])[0])

    def share_of(value: float, count: int = 200) -> float:
        start = len(values)
        wait_for(lambda: len(values) >= start + count, what="answers")
        return values[start : start + count].count(value) / count

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        cluster.kserve.patch(linear, inference_service(linear, uri, canary_traffic_percent=30), NAMESPACE)
        wait_for(lambda: cluster.is_shared(linear, 30, 70), what="the canary")
        new = cluster.status(linear)["components"]["predictor"]["latestReadyRevision"]
        assert "True 70 30 " + f"{old} {new}" in " ".join(cluster.kubectl("get", "isvc", linear).split())
        wait_for(lambda: values[-1:] == [after], what="an answer of the canary")
        assert cluster.predict(linear, host="prev-{}-predictor.models.example.com").json() == {"predictions": [before]}
        assert 0.1 < share_of(after) < 0.5  # six standard deviations
        cluster.kserve.replace(linear, inference_service(linear, uri), namespace=NAMESPACE)
        wait_for(lambda: cluster.is_shared(linear, 100), what="the promotion")
        wait_for(lambda: share_of(after, 20) == 1, what="the new model's answers alone")
        wait_for(lambda: len(cluster.pods(linear)) == 1, what="the old pod's end")
        predictor = cluster.status(linear)["components"]["predictor"]
        assert (predictor["latestRolledoutRevision"], predictor["previousRolledoutRevision"]) == (new, old)
        cluster.kserve.patch(linear, inference_service(linear, uri, canary_traffic_percent=0), NAMESPACE)
        wait_for(lambda: share_of(before, 20) == 1, what="the old model's answers")
        wait_for(lambda: cluster.is_shared(linear, 0, 100), what="the roll-back")
        cluster.kserve.replace(linear, inference_service(linear, uri), namespace=NAMESPACE)
        wait_for(lambda: share_of(after, 20) == 1, what="the roll-out")
    finally:
        done.set()
        asking.join()
    assert codes == {200}
    revisions = cluster.kubectl("get", "revisions", "--no-headers").splitlines()
    assert {line.split()[0] for line in revisions} == {old, new}


def test_the_endpoint_comes_back_after_the_predictor_was_killed(cluster: Cluster, linear: str) -> None:
    assert cluster.predict(linear, "die").status_code == 502
    wait_for(lambda: cluster.predict(linear).status_code == 503, what="the ingress to notice")
    wait_for(lambda: cluster.predict(linear).status_code == 200, what="the predictor to come back")
    [pod] = cluster.pods(linear)
    assert pod.status.container_statuses[0].restart_count == 1
    assert pod.status.container_statuses[0].last_state.terminated.exit_code == 128 + signal.SIGKILL


def test_the_endpoint_comes_back_after_the_service_was_killed(cluster: Cluster, linear: str) -> None:
    [before] = cluster.pods(linear)
    asked = cluster.s3.requests
    assert predictors(before.metadata.uid)
    cluster.serving.kill()
    wait_for(lambda: not predictors(before.metadata.uid), what="the predictor to end with its service")
    cluster.serving.start()
    assert cluster.predict(linear).status_code == 503
    wait_for(lambda: cluster.predict(linear).status_code == 200, what="the predictor to come back")
    wait_for(lambda: cluster.is_ready(linear))
    [after] = cluster.pods(linear)
    assert after.metadata.uid == before.metadata.uid
    assert cluster.s3.requests == asked, "the model was fetched again"


def test_a_pod_deleted_by_hand_is_made_again_for_the_same_revision(cluster: Cluster, linear: str) -> None:
    [before] = cluster.pods(linear)
    cluster.kubectl("delete", "pod", before.metadata.name)
    wait_for(lambda: cluster.predict(linear).status_code == 200, what="the new pod")
    [after] = cluster.pods(linear)
    assert after.metadata.uid != before.metadata.uid
    assert after.metadata.labels["app"] == before.metadata.labels["app"]


def test_a_broken_model_has_a_reason_and_the_previous_revision_keeps_serving(cluster: Cluster, linear: str) -> None:
    before = cluster.predict(linear).json()
    cluster.replace(linear, "s3://models/broken")
    status = cluster.status_where(linear, lambda model: model["states"]["targetModelState"] == "FailedToLoad")
    assert status["modelStatus"]["states"]["activeModelState"] == "Loaded"
    assert status["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"
    assert status["modelStatus"]["lastFailureInfo"]["message"] == "RuntimeError: no weights for you"
    [ready] = [condition for condition in status["conditions"] if condition["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "RevisionFailed")
    assert "RuntimeError: no weights for you" in ready["message"]
    assert (
        cluster.condition(linear, "IngressReady")["status"] == cluster.condition(linear, "RoutesReady")["status"] == "True"
    )
    assert cluster.predict(linear).json() == before
    latest = max(cluster.pods(linear), key=lambda pod: pod.metadata.labels["serving.knative.dev/revision"])
    wait_for(lambda: "Traceback" in cluster.kubectl("logs", latest.metadata.name, "--previous"), what="the traceback")


@pytest.mark.parametrize(
    ("predictor", "model", "message"),
    [
        (
            {"pytorch": None, "xgboost": V1beta1XGBoostSpec(storage_uri="s3://models/one")},
            ("InvalidSpec", "FailedToLoad", "NoSupportingRuntime"),
            "no runtime found to support predictor with model type: {xgboost <nil>}",
        ),
        (
            {"pytorch": torchserve("ftp://host/model")},
            ("", None, None),
            "StorageURI not supported: storageUri, must be one of: [gs://, s3://",
        ),
    ],
    ids=["format", "storage"],
)
def test_of_a_spec_that_kserve_refuses_an_event_tells_and_no_condition(
    cluster: Cluster, predictor: dict[str, Any], model: tuple[str, str | None, str | None], message: str
) -> None:
    cluster.create("refused", "s3://models/one", **predictor)
    wait_for(lambda: any(message in text for _, text in cluster.events("refused")), what="the event")
    status = wait_for(lambda: cluster.status("refused"), what="the status")
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert conditions == dict.fromkeys(["IngressReady", "PredictorReady", "Ready"], "Unknown")
    told = status["modelStatus"]
    target = told.get("states", {}).get("targetModelState")
    assert (told["transitionStatus"], target, told.get("lastFailureInfo", {}).get("reason")) == model
    assert message in cluster.predict("refused").json()["error"]
    assert cluster.pods("refused") == []
    cluster.delete("refused")


@pytest.mark.parametrize(
    ("predictor", "reason", "message"),
    [
        (
            {"pytorch": torchserve("gs://bucket/model")},
            "ReconcileFailed",
            "spec.predictor.model.storageUri gs:// is not supported by minipdk",
        ),
        ({"pytorch": None, "containers": [{"name": "mine"}]}, "ReconcileFailed", "spec.template.spec.containers[0].image"),
        ({"service_account_name": "absent"}, "RevisionFailed", 'serviceaccount "absent" not found in namespace models'),
    ],
    ids=["feature", "image", "account"],
)
def test_what_knative_and_kubernetes_refuse_is_in_the_conditions(
    cluster: Cluster, predictor: dict[str, Any], reason: str, message: str
) -> None:
    cluster.create("refused", "s3://models/one", **predictor)
    failed = cluster.failed("refused")
    assert (failed["reason"], message in failed["message"]) == (reason, True)
    assert cluster.failed("refused", "Ready")
    wait_for(lambda: any(message in text for _, text in cluster.events("refused")), what="the event")
    assert message in cluster.predict("refused").json()["error"]
    assert cluster.pods("refused") == []
    cluster.delete("refused")


def test_a_stopped_service_runs_nothing_until_it_is_resumed(cluster: Cluster, linear: str) -> None:
    cluster.replace(linear, "s3://models/one")
    wait_for(lambda: cluster.is_ready(linear), seconds=300, what="the service to be ready")
    cluster.kubectl("annotate", "isvc", linear, "serving.kserve.io/stop=True")
    wait_for(lambda: cluster.condition(linear, "Stopped")["status"] == "True", what="the stop")
    assert cluster.failed(linear, "Ready")["reason"] == cluster.failed(linear)["reason"] == "Stopped"
    assert cluster.status(linear)["modelStatus"] == {"transitionStatus": ""}
    wait_for(lambda: not cluster.pods(linear) and cluster.predict(linear).status_code == 503, what="the end")
    cluster.kubectl("annotate", "isvc", linear, "serving.kserve.io/stop-")
    wait_for(lambda: cluster.is_ready(linear), seconds=300, what="the service to be ready again")
    assert cluster.predict(linear).status_code == 200
    assert cluster.condition(linear, "Stopped")["status"] == "False"


def test_a_cluster_local_service_is_reached_by_its_name_in_the_cluster_alone(cluster: Cluster, linear: str) -> None:
    cluster.kubectl("label", "isvc", linear, "networking.knative.dev/visibility=cluster-local")
    wait_for(lambda: cluster.predict(linear).status_code == 404, what="the external name's end")
    url = "http://linear.models.svc.cluster.local"
    wait_for(lambda: cluster.status(linear)["url"] == url, what="the status, which follows the route")
    assert cluster.predict(linear, host="{}.models.svc.cluster.local").status_code == 200
    path = f"http://127.0.0.1:{cluster.home.port('ingress')}/serving/models/{linear}/v1/models/{linear}"
    assert cluster.http.get(path, timeout=30).status_code == 404
    cluster.kubectl("label", "isvc", linear, "networking.knative.dev/visibility-")
    wait_for(lambda: cluster.predict(linear).status_code == 200, what="the external name")


def test_the_runtimes_that_come_with_the_cluster_are_objects_of_it(cluster: Cluster, linear: str) -> None:
    assert "kserve-torchserve pytorch kserve-container" in " ".join(cluster.kubectl("get", "clusterservingruntimes").split())


def test_a_wrong_key_is_reported_in_the_status(cluster: Cluster) -> None:
    cluster.create("denied", "s3://models/one", service_account_name="wrong")
    message = "s3://models/one: InvalidAccessKeyId: Invalid Access Key Id"
    assert cluster.failure("denied") == {"reason": "ModelLoadFailed", "exitCode": 1, "message": message}
    failed = f'Revision "denied-predictor-00001" failed with message: Container failed with: {message}.'
    assert cluster.failed("denied")["message"] == failed
    assert cluster.condition("denied")["reason"] == "Predictor ingress not created"
    cluster.delete("denied")


def test_deletion_ends_the_predictors_and_removes_their_files(cluster: Cluster, linear: str) -> None:
    cluster.kserve.delete(linear, namespace=NAMESPACE)
    wait_for(lambda: not cluster.pods(linear), what="the pods' end")
    assert cluster.kubectl("get", "revisions", "-o", "name") == ""
    folders = [Path(cluster.home.folder("serving")), cluster.home.folder("logs") / "pods" / NAMESPACE]
    wait_for(lambda: not any(list(folder.iterdir()) for folder in folders), what="the folders' end")
