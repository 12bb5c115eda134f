"""SeldonDeployments from their creation to their end, through kubectl and curl, run by the real services."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import wait_for
from tests.minipdk.services.seldon.conftest import Cluster, container, predictor

PARALLEL = 200


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> str:
    """The name of a SeldonDeployment that is available."""
    parameters = [{"name": "limit", "value": "3", "type": "INT"}]
    graph = {"name": "model", "type": "MODEL", "parameters": parameters}
    cluster.apply("served", predictor(graph=graph, labels={"team": "a"}), annotations={"note": "b"})
    cluster.wait_until_available("served")
    return "served"


def test_a_request_reaches_the_model_without_the_gateways_prefix(cluster: Cluster, served: str) -> None:
    for path in ("api/v1.0/predictions", "api/v0.1/predictions", "api/v1.0/feedback"):
        assert cluster.answer(served, path)["path"] == f"/{path}"


def test_a_request_by_the_host_of_the_status_reaches_the_model(cluster: Cluster, served: str) -> None:
    address = cluster.status(served)["address"]["url"]
    assert address == "http://served-predictor.seldon.svc.cluster.local:9000/api/v1.0/predictions"
    ingress = f"served-predictor.seldon.svc.cluster.local:9000:127.0.0.1:{cluster.home.port('ingress')}"
    assert cluster.curl("--connect-to", ingress, "--data", "{}", address)[0] == "200"


def test_a_body_larger_than_100_mib_is_refused(cluster: Cluster, served: str, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100 << 20)
    whole, part = f"@{tmp_path}/large", f"binData=@{tmp_path}/large"
    status, body = cluster.curl("--header", "Expect:", "--data-binary", whole, cluster.url(served))
    assert (status, body["size"]) == ("200", 100 << 20)
    status, body = cluster.curl("--header", "Expect:", "--form", part, cluster.url(served))
    assert (status, "larger than the ingress's limit" in body["error"]) == ("413", True)


def test_the_objects_are_those_of_seldons_operator(cluster: Cluster, served: str) -> None:
    assert cluster.names("deploy", served) == ["deployment.apps/served-predictor-0-model"]
    assert cluster.names("svc", served) == ["service/served-predictor", "service/served-predictor-model"]
    deployment = cluster.get("deploy", "served-predictor-0-model")
    labels = {"seldon-deployment-id": served, "app": "served-predictor-0-model", "version": "predictor", "team": "a"}
    assert labels.items() <= deployment["metadata"]["labels"].items()
    assert deployment["spec"]["template"]["metadata"]["annotations"]["note"] == "b"
    [model] = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in model["ports"]}
    assert ports == {"http": 9000, "grpc": 9500, "metrics": 6000}
    variables = {variable["name"]: variable["value"] for variable in model["env"]}
    assert {
        "PREDICTIVE_UNIT_SERVICE_PORT": "9000",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "9000",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "9500",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "6000",
        "PREDICTIVE_UNIT_PARAMETERS": '[{"name":"limit","value":"3","type":"INT"}]',
        "PREDICTOR_ID": "predictor",
        "PREDICTOR_LABELS": '{"team":"a","version":"predictor"}',
        "SELDON_DEPLOYMENT_ID": served,
    }.items() <= variables.items()
    assert model["livenessProbe"]["tcpSocket"] == {"port": 9000}
    selector = cluster.get("svc", "served-predictor")["spec"]["selector"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_the_status_is_that_of_seldons_operator(cluster: Cluster, served: str) -> None:
    status = cluster.status(served)
    assert (status["state"], status["replicas"]) == ("Available", 1)
    assert status["deploymentStatus"] == {"served-predictor-0-model": {"replicas": 1, "availableReplicas": 1}}
    assert status["serviceStatus"]["served-predictor"] == {
        "svcName": "served-predictor",
        "httpEndpoint": "served-predictor.seldon:9000",
        "grpcEndpoint": "served-predictor.seldon:9500",
    }
    conditions = {row["type"]: (row["status"], row.get("reason")) for row in status["conditions"]}
    assert conditions["DeploymentsReady"] == ("True", "MinimumReplicasAvailable")
    assert conditions["ServicesReady"] == ("True", "All services created")
    assert conditions["Ready"] == ("True", None)


def test_kubectl_rollout_follows_the_deployment(cluster: Cluster, served: str) -> None:
    deployment = "deploy/served-predictor-0-model"
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", deployment)
    [old] = cluster.names("pods", served)
    cluster.kubectl("rollout", "restart", deployment)
    assert "successfully rolled out" in cluster.kubectl("rollout", "status", deployment)
    wait_for(lambda: len(cluster.names("pods", served)) == 1, what="the end of the old pod")
    assert cluster.names("pods", served) != [old]


def test_a_change_of_its_objects_is_undone(cluster: Cluster, served: str) -> None:
    cluster.kubectl("set", "env", "deploy/served-predictor-0-model", "PREDICTOR_ID=other")
    cluster.kubectl("delete", "svc", "served-predictor")

    def variables() -> dict[str, str]:
        spec = cluster.get("deploy", "served-predictor-0-model")["spec"]["template"]["spec"]
        return {variable["name"]: variable["value"] for variable in spec["containers"][0]["env"]}

    wait_for(lambda: variables()["PREDICTOR_ID"] == "predictor", what="the operator's variable")
    wait_for(lambda: "service/served-predictor" in cluster.names("svc", served), what="the service")
    cluster.wait_until_available(served)


def test_no_request_fails_while_the_model_is_replaced(cluster: Cluster) -> None:
    cluster.apply("steady", predictor(container("1")))
    cluster.wait_until_available("steady")
    url, codes = cluster.url("steady"), Counter[str]()
    load = [
        "curl",
        "--silent",
        "--parallel",
        "--parallel-immediate",
        "--parallel-max",
        str(PARALLEL),
        "--output",
        "/dev/null",
    ]
    command = [*load, "--write-out", "%{http_code}\n", "--form", "binData=@/proc/self/cmdline", f"{url}?[1-{PARALLEL}]"]
    cluster.apply("steady", predictor(container("2")))
    replaced = False
    while not replaced:
        replaced = cluster.answer("steady")["version"] == "2" and len(cluster.names("pods", "steady")) == 1
        codes.update(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert set(codes) == {"200"}
    assert codes.total() >= 2 * PARALLEL
    cluster.delete("steady")


def test_replicas_share_the_requests(cluster: Cluster) -> None:
    cluster.apply("pair", predictor(replicas=2))
    cluster.wait_until_available("pair")
    assert cluster.status("pair")["replicas"] == 2
    wait_for(lambda: len({cluster.answer("pair")["pod"] for _ in range(10)}) == 2, what="answers of both")
    cluster.apply("pair", predictor(replicas=1))
    wait_for(lambda: len(cluster.names("pods", "pair")) == 1, what="the end of one")
    assert cluster.answer("pair")["version"] == "1"
    cluster.delete("pair")


def test_predictors_share_the_requests_by_their_traffic(cluster: Cluster) -> None:
    main, canary = predictor(container("1"), name="main"), predictor(container("2"), name="canary")
    cluster.apply("split", {**main, "traffic": 75}, {**canary, "traffic": 25})
    cluster.wait_until_available("split")
    seen = Counter(cluster.answer("split")["version"] for _ in range(80))
    assert 45 <= seen["1"] <= 75
    assert seen["1"] + seen["2"] == 80
    cluster.apply("split", predictor(container("2"), name="canary"))
    wait_for(lambda: cluster.names("deploy", "split") == ["deployment.apps/split-canary-0-model"], what="the other's end")
    assert cluster.names("svc", "split") == ["service/split-canary", "service/split-canary-model"]
    assert {cluster.answer("split")["version"] for _ in range(10)} == {"2"}
    cluster.delete("split")


def test_another_container_replaces_the_deployment_without_a_gap(cluster: Cluster) -> None:
    cluster.apply("renamed", predictor(container("1")))
    cluster.wait_until_available("renamed")
    graph = {"name": "other", "type": "MODEL"}
    cluster.apply("renamed", predictor(container("2", name="other"), graph=graph))
    answers = set()
    while cluster.names("deploy", "renamed") != ["deployment.apps/renamed-predictor-0-other"]:
        answers.add(cluster.answer("renamed")["version"])
    assert answers <= {"1", "2"}
    assert cluster.answer("renamed")["version"] == "2"
    cluster.delete("renamed")


def test_a_deletion_removes_everything(cluster: Cluster) -> None:
    cluster.apply("brief")
    cluster.wait_until_available("brief")
    cluster.delete("brief")
    assert [cluster.names(kind, "brief") for kind in ("deploy", "svc", "pods")] == [[], [], []]
    status, body = cluster.curl("--data", "{}", cluster.url("brief"))
    assert (status, "kubectl get sdep" in body["error"]) == ("404", True)


def test_a_deletion_or_a_change_during_the_start_takes_effect(cluster: Cluster) -> None:
    slow = container("1", command=["sleep", "1000"])
    cluster.apply("hasty", predictor(slow))
    wait_for(lambda: cluster.names("pods", "hasty"), what="its pod")
    cluster.apply("hasty", predictor(container("2")))
    cluster.wait_until_available("hasty")
    assert cluster.answer("hasty")["version"] == "2"
    cluster.delete("hasty")
    cluster.apply("dropped", predictor(slow))
    wait_for(lambda: cluster.names("pods", "dropped"), what="its pod")
    cluster.delete("dropped")


def test_an_inference_service_of_the_same_name_is_another_service(cluster: Cluster, served: str) -> None:
    isvc = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": served},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": "absent:1"}]}},
    }
    cluster.kubectl("apply", "-f", "-", stdin=isvc)
    wait_for(lambda: cluster.get("isvc", served).get("status"), what="its status")
    assert cluster.answer(served)["version"] == "1"
    cluster.kubectl("delete", "isvc", served)
    assert cluster.answer(served)["version"] == "1"


SECRET = {"volumes": [{"name": "keys", "secret": {"secretName": "keys"}}]}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            predictor(container(image="absent:1")),
            'container model: Back-off pulling image "absent:1": ErrImagePull',
        ),
        (predictor(container(command=["false"])), "container model ended with status 1"),
        (predictor(pod=SECRET), 'MountVolume.SetUp failed for volume "keys" : secret "keys" not found'),
        (
            predictor(
                pod={
                    "initContainers": [
                        {"name": "first", "image": "bash", "command": ["sh", "-c", "echo no such file; exit 3"]}
                    ]
                }
            ),
            "container first ended with status 3: no such file",
        ),
        (predictor(pod={"serviceAccountName": "absent"}), 'serviceaccount "absent" not found'),
        (
            predictor(container(resources={"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}})),
            "must be less than or equal",
        ),
    ],
)
def test_a_failure_is_the_reason_of_the_state_until_it_is_fixed(
    cluster: Cluster, broken: dict[str, Any], words: str
) -> None:
    cluster.apply("broken", broken)
    cluster.failure("broken", words)
    status, body = cluster.curl("--data", "{}", cluster.url("broken"))
    assert (status, words in body["error"]) == ("503", True)
    cluster.apply("broken", predictor())
    cluster.wait_until_available("broken")
    assert "description" not in cluster.status("broken")
    cluster.delete("broken")


def test_a_missing_secret_is_waited_for(cluster: Cluster) -> None:
    cluster.apply("patient", predictor(pod={"volumes": [{"name": "keys", "secret": {"secretName": "late"}}]}))
    cluster.failure("patient", 'secret "late" not found')
    cluster.kubectl("create", "secret", "generic", "late", "--from-literal=a=b")
    cluster.wait_until_available("patient")
    cluster.delete("patient")


def test_what_is_refused_leaves_the_last_accepted_spec_serving(cluster: Cluster) -> None:
    cluster.apply("kept", predictor(container("1")))
    cluster.wait_until_available("kept")
    cluster.apply("kept", predictor(container("2"), explainer={"type": "AnchorTabular"}))
    assert cluster.failure("kept", "explainer") == "spec.predictors[0].explainer is not supported by minipdk"
    assert cluster.answer("kept")["version"] == "1"
    cluster.apply("kept", predictor(container("3"), explainer=None))
    wait_for(lambda: cluster.answer("kept")["version"] == "3", what="the new version")
    cluster.delete("kept")


def test_a_deployment_that_never_becomes_ready_times_out(cluster: Cluster) -> None:
    idle = container(command=["sleep", "1000"])
    cluster.apply("late", predictor(idle, progressDeadlineSeconds=2))
    cluster.failure("late", "Deployment is no longer progressing and not available.")
    said = cluster.kubectl("rollout", "status", "deploy/late-predictor-0-model", fails=True)
    assert "exceeded its progress deadline" in said
    cluster.delete("late")


@pytest.mark.parametrize("victim", ["serving", "kubernetes"])
def test_a_roll_out_goes_on_after_kill_9(cluster: Cluster, victim: str) -> None:
    cluster.apply("survivor", predictor(container("1")))
    cluster.wait_until_available("survivor")
    cluster.apply("survivor", predictor(container("2")))
    service = getattr(cluster, victim)
    service.kill()
    service.start()
    wait_for(lambda: cluster.curl("--data", "{}", cluster.url("survivor"))[1].get("version") == "2", what="the new version")
    wait_for(lambda: len(cluster.names("pods", "survivor")) == 1, what="the end of the old pod")
    cluster.wait_until_available("survivor")
    cluster.delete("survivor")
