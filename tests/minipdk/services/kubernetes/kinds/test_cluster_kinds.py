"""The kinds that a cluster brings: its node, the definitions of the custom kinds, and both kinds of events."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException, CoordinationV1Api, CoreV1Api, EventsV1Api
from tests.minipdk.services.kubernetes.conftest import NODE, Kubectl, new_event, pod

from minipdk.services.kubernetes.kinds.table import RESOURCES

STATUS = {
    "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
    "capacity": {"cpu": "2", "memory": "8Gi", "pods": "110"},
    "nodeInfo": {
        "kubeletVersion": "v1.32.4",
        **dict.fromkeys(("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion"), "x"),
        **dict.fromkeys(("machineID", "operatingSystem", "osImage", "systemUUID"), "x"),
    },
}


def test_a_node_registers_and_is_described(kubectl: Kubectl, core: CoreV1Api, client: ApiClient) -> None:
    kubectl("apply", "-f", "-", stdin=NODE)
    core.patch_node_status("minipdk", {"status": STATUS})
    row = kubectl("get", "node", "minipdk", "-o", "wide", "--no-headers").stdout.split()
    assert [row[1], row[2], row[4], row[5]] == ["Ready", "<none>", "v1.32.4", "127.0.0.1"]
    lease = {"metadata": {"name": "minipdk"}, "spec": {"holderIdentity": "minipdk"}}
    CoordinationV1Api(client).create_namespaced_lease("kube-node-lease", lease)
    hosted = pod("hosted")
    hosted["spec"]["nodeName"] = "minipdk"
    kubectl("apply", "-f", "-", stdin=hosted)
    described = kubectl("describe", "node", "minipdk").stdout
    assert "KubeletReady" in described
    assert "HolderIdentity:  minipdk" in described
    assert "hosted" in described
    assert "spec.unschedulable: Forbidden" in kubectl("cordon", "minipdk").stderr
    kubectl("wait", "--for=condition=Ready", "node/minipdk", "--timeout=10s")
    kubectl("delete", "pod", "hosted", "--force")


@pytest.mark.parametrize("flags", [(), ("--dry-run=server",)])
def test_a_drain_is_refused_and_deletes_nothing(kubectl: Kubectl, flags: tuple[str, ...]) -> None:
    """kubectl evicts pods if discovery lists evictions, and deletes them otherwise."""
    kubectl("apply", "-f", "-", stdin=NODE)
    staying = pod("staying", labels={"drained": "yes"})
    staying["spec"]["nodeName"] = "minipdk"
    kubectl("apply", "-f", "-", stdin=staying)
    said = kubectl("drain", "minipdk", "--force", "--pod-selector=drained=yes", *flags, fails=True).stderr
    assert "pods/eviction is not supported by minipdk: there is no other node" in said
    assert kubectl("get", "pod", "staying", "-o", "jsonpath={.metadata.deletionTimestamp}").stdout == ""
    assert kubectl("auth", "can-i", "create", "pods", "--subresource=eviction", fails=True).stdout.startswith("no")
    kubectl("delete", "pod", "staying", "--force")


def test_the_custom_kinds_have_their_definitions(kubectl: Kubectl) -> None:
    custom = {f"{resource.plural}.{resource.group}" for resource in RESOURCES if resource.custom}
    assert {line.split()[0] for line in kubectl("get", "crds", "--no-headers").stdout.splitlines()} == custom
    name = "crd/inferenceservices.serving.kserve.io"
    kubectl("wait", "--for=condition=Established", name, "--timeout=10s")
    assert kubectl("get", name, "-o", "jsonpath={.spec.names.shortNames} {.spec.scope}").stdout == '["isvc"] Namespaced'
    assert "is not supported by minipdk" in kubectl("delete", name, fails=True).stderr
    unknown = {"apiVersion": "v1", "kind": "Gadget", "metadata": {"name": "a"}}
    assert 'no matches for kind "Gadget" in version "v1"' in kubectl("apply", "-f", "-", stdin=unknown, fails=True).stderr


def test_an_event_is_the_same_in_both_groups(client: ApiClient, core: CoreV1Api, kubectl: Kubectl) -> None:
    events = EventsV1Api(client)
    events.create_namespaced_event("models", new_event("new"))
    old = core.read_namespaced_event("new", "models")
    assert (old.message, old.involved_object.name, old.reporting_component) == ("said", "new", "example.com/tester")
    events.patch_namespaced_event("new", "models", {"note": "said again"})
    assert core.read_namespaced_event("new", "models").message == "said again"
    listed = events.list_namespaced_event("models", field_selector="regarding.name=new,reason=Tested").items
    assert [(event.note, event.metadata.uid) for event in listed] == [("said again", old.metadata.uid)]
    row = kubectl("get", "events.v1.events.k8s.io", "new", "--no-headers").stdout.split()
    assert row[1:] == ["Normal", "Tested", "pod/new", "said", "again"]
    assert kubectl("get", "events.v1.events.k8s.io", "new", "-o", "jsonpath={.note}").stdout == "said again"
    assert kubectl("get", "events.v1.events.k8s.io", "new", "-o", "jsonpath={.apiVersion}").stdout == "events.k8s.io/v1"
    events.delete_namespaced_event("new", "models")
    with pytest.raises(ApiException, match="not found"):
        core.read_namespaced_event("new", "models")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"reportingController": ""}, "reportingController: Required value"),
        ({"action": "a" * 200}, 'action: Invalid value: \\"\\": can have at most 128 characters'),
        ({"type": "Loud"}, "has invalid value: Loud"),
        ({"deprecatedCount": 3}, "needs to be unset"),
        ({"series": {"count": 1, "lastObservedTime": "2026-01-02T03:04:05.000006Z"}}, "should be at least 2"),
        ({"message": "old"}, 'unknown field \\"message\\"'),
    ],
)
def test_an_invalid_new_event_is_refused(client: ApiClient, fields: Any, message: str) -> None:
    with pytest.raises(ApiException) as refused:
        EventsV1Api(client).create_namespaced_event("models", new_event("wrong", **fields))
    assert message in refused.value.body
