"""Real kubectl, unmodified: every command that the course and its readers type."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import (
    CoreV1Api,
    CustomObjectsApi,
    V1Binding,
    V1DeleteOptions,
    V1ObjectReference,
    V1Preconditions,
)
from tests.minipdk.services.kubernetes.conftest import ISVC, Kubectl, config_map, inference_service, pod

from minipdk.common.home import Home


def columns(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def shown(kubectl: Kubectl, *names: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(kubectl("get", *names, "-o", "json").stdout)
    return item


@contextmanager
def running(kubectl: Kubectl, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A kubectl that keeps running, and how to read its next line."""
    program, environment = kubectl.program, kubectl.environment  # type: ignore[attr-defined]
    with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline
        finally:
            process.kill()


def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    model = {"modelFormat": {"name": "pytorch"}, "storageUri": "s3://bucket/churn"}
    service = inference_service("applied", model=model)
    assert "created" in kubectl("apply", "-f", "-", stdin=service).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=service).stdout
    service["spec"]["predictor"]["minReplicas"] = 2
    assert "configured" in kubectl("apply", "-f", "-", stdin=service).stdout
    del service["spec"]["predictor"]["minReplicas"]
    assert "configured" in kubectl("apply", "-f", "-", stdin=service).stdout
    applied = shown(kubectl, "isvc", "applied")
    assert applied["spec"]["predictor"] == {"model": {**model, "name": "", "resources": {}}}
    assert applied["metadata"]["generation"] == 3


def test_get_prints_the_vendors_columns(kubectl: Kubectl, custom: CustomObjectsApi) -> None:
    kubectl("apply", "-f", "-", stdin=inference_service("columns"))
    status = {
        "url": "http://columns.models.example.com",
        "conditions": [{"type": "Ready", "status": "True"}],
        "components": {"predictor": {"traffic": [{"latestRevision": True, "percent": 100, "revisionName": "columns-1"}]}},
    }
    custom.patch_namespaced_custom_object_status(*ISVC, "columns", {"status": status})
    header, row = columns(kubectl("get", "isvc", "columns").stdout)
    assert header == ["NAME", "URL", "READY", "PREV", "LATEST", "PREVROLLEDOUTREVISION", "LATESTREADYREVISION", "AGE"]
    assert row[:5] == ["columns", "http://columns.models.example.com", "True", "100", "columns-1"]
    wait = kubectl("wait", "--for=condition=Ready", "isvc/columns", "--timeout=10s")
    assert "condition met" in wait.stdout
    assert kubectl("get", "isvc", "columns", "-o", "jsonpath={.status.url}").stdout == status["url"]


def test_the_kinds_that_kubectl_sends_as_protobuf(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "team")
    kubectl("create", "secret", "generic", "s3", "-n", "team", "--from-literal=key=value")
    kubectl("create", "configmap", "settings", "-n", "team", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "bob", "-n", "team")
    kubectl("create", "deployment", "web", "-n", "team", "--image=nginx:1", "--replicas=0", "--port=80")
    kubectl("create", "service", "clusterip", "web", "-n", "team", "--tcp=80:8080")
    assert shown(kubectl, "secret", "s3", "-n", "team")["data"] == {"key": "dmFsdWU="}
    assert shown(kubectl, "configmap", "settings", "-n", "team")["data"] == {"a": "b"}
    deployment = shown(kubectl, "deploy", "web", "-n", "team")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (0, "RollingUpdate")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert shown(kubectl, "svc", "web", "-n", "team")["spec"]["ports"][0]["targetPort"] == 8080
    names = [row[0] for row in columns(kubectl("get", "sa", "-n", "team", "--no-headers").stdout)]
    assert names == ["bob", "default"]
    kubectl("delete", "namespace", "team")
    assert 'namespaces "team" not found' in kubectl("get", "ns", "team", fails=True).stderr
    assert "No resources found" in kubectl("get", "all,secrets,cm,sa", "-n", "team").stderr


def test_the_admin_may_do_everything_that_exists(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "inferenceservices.serving.kserve.io").stdout.strip() == "yes"
    answer = kubectl("auth", "can-i", "create", "cronjobs.batch", fails=True)
    assert answer.stdout.startswith("no - cronjobs.batch is not supported by minipdk")
    assert "inferenceservices" in kubectl("auth", "can-i", "--list").stdout
    assert "impersonation is not supported by minipdk" in kubectl("get", "pods", "--as=bob", fails=True).stderr


def test_discovery_names_every_kind_and_no_other(kubectl: Kubectl) -> None:
    names = {row[0] for row in columns(kubectl("api-resources", "--no-headers").stdout)}
    assert {"pods", "secrets", "inferenceservices", "servingruntimes", "seldondeployments", "deployments"} <= names
    assert "the server doesn't have a resource type" in kubectl("get", "replicasets", fails=True).stderr
    assert "Metrics API not available" in kubectl("top", "pods", fails=True).stderr
    assert {"v1", "apps/v1", "serving.kserve.io/v1beta1"} <= set(kubectl("api-versions").stdout.split())
    assert "is running at" in kubectl("cluster-info").stdout
    assert "Server Version" in kubectl("version").stdout


def test_an_unknown_field_is_refused_by_name(kubectl: Kubectl) -> None:
    wrong = inference_service("wrong", pytorch={"storageUrl": "s3://bucket/churn"})
    said = kubectl("apply", "-f", "-", stdin=wrong, fails=True).stderr
    assert "unknown field" in said
    assert "storageUrl" in said


def test_kserves_webhook_denies_a_service_without_a_predictor_format(kubectl: Kubectl) -> None:
    wrong = inference_service("wrong", minReplicas=1)
    said = kubectl("create", "-f", "-", stdin=wrong, fails=True).stderr
    assert 'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request' in said
    assert "must be specified in PredictorSpec" in said


def test_server_side_apply_reports_conflicts(kubectl: Kubectl, core: CoreV1Api) -> None:
    first = config_map("shared", {"a": "1"})
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=first)
    second = config_map("shared", {"a": "2"})
    said = kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=second, fails=True).stderr
    assert 'Apply failed with 1 conflict: conflict with "one": .data.a' in said
    kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=second)
    stored = core.read_namespaced_config_map("shared", "models")
    assert (stored.data, [entry.manager for entry in stored.metadata.managed_fields]) == ({"a": "2"}, ["two"])


def test_a_client_side_applied_object_can_change_to_server_side_apply(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=config_map("migrated", {"a": "1", "b": "1"}))
    kubectl("apply", "--server-side", "-f", "-", stdin=config_map("migrated", {"a": "2"}))
    assert shown(kubectl, "cm", "migrated")["data"]["a"] == "2"


def test_label_annotate_patch_and_edit(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=pod("changed"))
    kubectl("label", "pod", "changed", "tier=a")
    kubectl("annotate", "pod", "changed", "note=hello")
    kubectl("patch", "pod", "changed", "-p", '{"spec":{"containers":[{"name":"main","image":"busybox:2"}]}}')
    kubectl("patch", "pod", "changed", "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/x","value":"y"}]')
    changed = shown(kubectl, "pod", "changed")
    assert changed["metadata"]["labels"] == {"tier": "a", "x": "y"}
    assert changed["metadata"]["annotations"]["note"] == "hello"
    assert changed["spec"]["containers"][0]["image"] == "busybox:2"
    assert [row[0] for row in columns(kubectl("get", "pods", "-l", "tier in (a),x", "--no-headers").stdout)] == ["changed"]
    kubectl("label", "pod", "changed", "tier-")
    assert "tier" not in shown(kubectl, "pod", "changed")["metadata"]["labels"]
    impossible = kubectl("patch", "pod", "changed", "--type=json", "-p", '[{"op":"remove","path":"/x/y"}]', fails=True)
    assert "The request is invalid" in impossible.stderr
    refused = kubectl("patch", "pod", "changed", "-p", '{"spec":{"hostNetwork":true}}', fails=True).stderr
    assert "spec: Forbidden: pod updates may not change fields" in refused


def test_edit_sends_what_the_editor_leaves(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = kubectl.environment  # type: ignore[attr-defined]
    kubectl("apply", "-f", "-", stdin=config_map("edited", {"color": "crimson"}))
    kubectl("apply", "-f", "-", stdin=inference_service("edited"))
    monkeypatch.setitem(environment, "KUBE_EDITOR", "sed -i s/crimson/blue/")
    assert "edited" in kubectl("edit", "cm", "edited").stdout
    assert shown(kubectl, "cm", "edited")["data"] == {"color": "blue"}
    assert "Edit cancelled, no changes made" in kubectl("edit", "isvc", "edited").stderr
    monkeypatch.setitem(environment, "KUBE_EDITOR", "sed -i s/bucket/store/")
    kubectl("edit", "isvc", "edited")
    assert shown(kubectl, "isvc", "edited")["spec"]["predictor"]["model"]["storageUri"] == "s3://store/churn"


def test_diff_and_replace(kubectl: Kubectl) -> None:
    first, second = config_map("replaced", {"a": "1"}), config_map("replaced", {"a": "2"})
    kubectl("apply", "-f", "-", stdin=first)
    assert kubectl("diff", "-f", "-", stdin=first).stdout == ""
    assert '+  a: "2"' in kubectl("diff", "-f", "-", stdin=second, fails=True).stdout
    uid = shown(kubectl, "cm", "replaced")["metadata"]["uid"]
    kubectl("replace", "-f", "-", stdin=second)
    replaced = shown(kubectl, "cm", "replaced")
    assert (replaced["data"], replaced["metadata"]["uid"]) == ({"a": "2"}, uid)
    stale = {**first, "metadata": {**first["metadata"], "resourceVersion": "1"}}
    assert "the object has been modified" in kubectl("replace", "-f", "-", stdin=stale, fails=True).stderr
    kubectl("replace", "--force", "-f", "-", stdin=first)
    assert shown(kubectl, "cm", "replaced")["metadata"]["uid"] != uid


def test_get_prints_every_form(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=pod("formed", labels={"form": "yes"}))
    assert kubectl("get", "pod", "-l", "form", "-o", "name").stdout == "pod/formed\n"
    wide = columns(kubectl("get", "pod", "formed", "-o", "wide", "--no-headers").stdout)[0]
    assert wide == ["formed", "0/1", "Pending", "0", wide[4], "<none>", "<none>", "<none>", "<none>"]
    chosen = kubectl("get", "pod", "formed", "-o", "custom-columns=N:.metadata.name,I:.spec.containers[*].image").stdout
    assert columns(chosen) == [["N", "I"], ["formed", "busybox:1"]]
    assert "imagePullPolicy: IfNotPresent" in kubectl("get", "pod", "formed", "-o", "yaml").stdout
    assert columns(kubectl("get", "pod", "-L", "form", "-l", "form", "--no-headers").stdout)[0][-1] == "yes"


def test_a_probe_has_a_kubelets_defaults(kubectl: Kubectl) -> None:
    probed = pod("probed")
    probed["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"port": 8080}, "periodSeconds": 5}
    kubectl("create", "-f", "-", stdin=probed)
    line = "http-get http://:8080/ delay=0s timeout=1s period=5s #success=1 #failure=3"
    assert line in kubectl("describe", "pod", "probed").stdout


def test_a_dry_run_changes_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "--dry-run=server", "-f", "-", stdin=config_map("dry"))
    assert "not found" in kubectl("get", "cm", "dry", fails=True).stderr
    kubectl("apply", "-f", "-", stdin=config_map("dry", {"a": "1"}))
    kubectl("apply", "--dry-run=server", "-f", "-", stdin=config_map("dry", {"a": "2"}))
    kubectl("delete", "cm", "dry", "--dry-run=server")
    assert shown(kubectl, "cm", "dry")["data"] == {"a": "1"}


def test_kinds_that_are_not_run_say_so(kubectl: Kubectl) -> None:
    said = kubectl("create", "deployment", "idle", "--image=nginx:1")
    assert "Warning: minipdk keeps Deployments but does not run them" in said.stderr
    for change in (("rollout", "restart", "deploy/idle"), ("set", "image", "deploy/idle", "nginx=nginx:2")):
        assert "exceeded its progress deadline" in kubectl("rollout", "status", "deploy/idle", fails=True).stderr
        assert "does not run them" in kubectl(*change).stderr  # the change is seen, and still not run
    assert "deployments/scale is not supported" in kubectl("scale", "deploy/idle", "--replicas=2", fails=True).stderr
    graph = {"predictors": [{"name": "default", "graph": {"name": "model", "type": "MODEL"}}]}
    seldon = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": {"name": "idle"}}
    assert "does not serve them" in kubectl("apply", "-f", "-", stdin={**seldon, "spec": graph}).stderr
    assert shown(kubectl, "sdep", "idle")["status"]["state"] == "Failed"
    kubectl("apply", "-f", "-", stdin=pod("bare"))
    assert "Image:" in kubectl("describe", "pod", "bare").stdout


def test_explain_reads_the_schema(kubectl: Kubectl) -> None:
    said = kubectl("explain", "isvc.spec.predictor.pytorch").stdout
    assert "storageUri" in said
    assert "location of the trained model" in " ".join(said.split())
    assert "A model behind an HTTP endpoint" in kubectl("explain", "isvc").stdout
    assert "mountPath" in kubectl("explain", "deploy.spec.template", "--recursive").stdout
    assert 'field "nothing" does not exist' in kubectl("explain", "pod.spec.nothing", fails=True).stderr


def test_logs_follow_until_the_pod_has_ended(kubectl: Kubectl, core: CoreV1Api, cluster: Home) -> None:
    kubectl("apply", "-f", "-", stdin=pod("talker"))
    assert "is waiting to start" in kubectl("logs", "talker", fails=True).stderr
    path = cluster.pod_log("models", "talker", "main")
    path.parent.mkdir(parents=True)
    path.write_text("one\ntwo\n")
    assert kubectl("logs", "talker", "--tail=1").stdout == "two\n"
    with running(kubectl, "logs", "-f", "talker") as (following, read):
        assert [read(), read()] == ["one\n", "two\n"]
        with path.open("a") as file:
            file.write("three\n")
        assert read() == "three\n"
        core.patch_namespaced_pod_status("talker", "models", {"status": {"phase": "Succeeded"}})
        assert following.wait(20) == 0


def test_logs_are_chosen_by_container_run_and_time(kubectl: Kubectl, cluster: Home) -> None:
    spoken = pod("spoken", labels={"app": "spoken"})
    spoken["spec"]["containers"].append({"name": "side", "image": "busybox:1"})
    kubectl("apply", "-f", "-", stdin=spoken)
    path = cluster.pod_log("models", "spoken", "main")
    path.parent.mkdir(parents=True)
    late = datetime.now(UTC).isoformat()
    path.write_text(f"2026-01-02T03:04:05.5Z stdout F early\n{late} stdout P half \n{late} stdout F whole\n")
    cluster.pod_log("models", "spoken", "main", previous=True).write_text("before\n")
    cluster.pod_log("models", "spoken", "side").write_text("beside\n")
    assert kubectl("logs", "spoken", "-c", "main").stdout == "early\nhalf whole\n"
    assert kubectl("logs", "spoken", "-c", "main", "--since=1h").stdout == "half whole\n"
    assert kubectl("logs", "spoken", "-c", "main", "--since-time=2026-01-02T03:04:06Z").stdout == "half whole\n"
    assert kubectl("logs", "spoken", "-c", "main", "--limit-bytes=3").stdout == "ear"
    assert kubectl("logs", "spoken", "-c", "main", "--timestamps").stdout.startswith("2026-01-02T03:04:05.5")
    assert kubectl("logs", "spoken", "-c", "main", "--previous").stdout == "before\n"
    assert "not found" in kubectl("logs", "spoken", "-c", "side", "--previous", fails=True).stderr
    every = kubectl(
        "logs", "-l", "app=spoken", "--all-containers"
    ).stdout.splitlines()  # container by container, in any order
    assert sorted(every) == ["beside", "early", "half whole"]
    assert "container none is not valid" in kubectl("logs", "spoken", "-c", "none", fails=True).stderr


def test_the_forms_that_templates_and_patches_of_a_status_take(kubectl: Kubectl, custom: CustomObjectsApi) -> None:
    kubectl("apply", "-f", "-", stdin=inference_service("formed"))
    template = "-o=go-template={{.metadata.name}} {{.spec.predictor.model.storageUri}}"
    assert kubectl("get", "isvc", "formed", template).stdout == "formed s3://bucket/churn"
    said = kubectl("patch", "isvc", "formed", "--type=strategic", "-p", "{}", fails=True).stderr
    assert "accepted media types include: application/json-patch+json, application/merge-patch+json" in said
    kubectl("patch", "isvc", "formed", "--type=merge", "-p", '{"status": {"url": "http://ignored"}}')
    assert "status" not in shown(kubectl, "isvc", "formed")
    patch = '{"spec":{"predictor":{"minReplicas":-1}}}'
    assert "denied the request" in kubectl("patch", "isvc", "formed", "--type=merge", "-p", patch, fails=True).stderr
    assert "no matches for kind" in kubectl("get", "-f", "-", stdin={"apiVersion": "v9", "kind": "X"}, fails=True).stderr


def test_get_watch_prints_changes_as_they_come(kubectl: Kubectl, custom: CustomObjectsApi) -> None:
    kubectl("apply", "-f", "-", stdin=inference_service("watched"))
    kubectl("label", "isvc", "watched", "watch=yes")
    # of a list kubectl prints every change; of one object it drops the first event that it receives
    with running(kubectl, "get", "isvc", "-l", "watch=yes", "-w", "--no-headers") as (_, read):
        assert read().startswith("watched")
        custom.patch_namespaced_custom_object_status(*ISVC, "watched", {"status": {"url": "http://new"}})
        assert "http://new" in read()


def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=inference_service("gone"))
    kubectl("delete", "isvc", "gone")
    assert 'inferenceservices.serving.kserve.io "gone" not found' in kubectl("get", "isvc", "gone", fails=True).stderr


def test_a_pod_on_a_node_is_terminating_until_its_kubelet_deletes_it(kubectl: Kubectl, core: CoreV1Api) -> None:
    def bind(name: str) -> None:
        kubectl("apply", "-f", "-", stdin=pod(name))
        binding = V1Binding(metadata={"name": name}, target=V1ObjectReference(kind="Node", name="minipdk"))
        core.create_namespaced_pod_binding(name, "models", binding, _preload_content=False)

    bind("leaving")
    with running(kubectl, "delete", "pod", "leaving") as (deleting, read):
        assert 'pod "leaving" deleted' in read()  # and now kubectl waits
        assert columns(kubectl("get", "pod", "leaving", "--no-headers").stdout)[0][2] == "Terminating"
        assert "Termination Grace Period:  30s" in kubectl("describe", "pod", "leaving").stdout
        assert deleting.poll() is None
        uid = core.read_namespaced_pod("leaving", "models").metadata.uid
        options = V1DeleteOptions(grace_period_seconds=0, preconditions=V1Preconditions(uid=uid))
        core.delete_namespaced_pod("leaving", "models", body=options)
        assert deleting.wait(60) == 0
    bind("forced")
    kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
    assert "not found" in kubectl("get", "pod", "forced", fails=True).stderr


def test_a_wrong_token_is_unauthorized(kubectl: Kubectl) -> None:
    assert "Unauthorized" in kubectl("get", "pods", "--token=wrong", fails=True).stderr
