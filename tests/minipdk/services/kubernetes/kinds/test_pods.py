"""Pods: their rules and defaults."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.minipdk.services.kubernetes.conftest import CONTAINER, PODS, Http


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": [{**CONTAINER, "image": ""}]}, "spec.containers[0].image: Required value"),
        ({"containers": [CONTAINER, CONTAINER]}, 'spec.containers[1].name: Duplicate value: "main"'),
        (
            {"containers": [{**CONTAINER, "ports": [{"containerPort": 99999}]}]},
            "ports[0].containerPort: Invalid value: 99999",
        ),
        ({"containers": [{**CONTAINER, "env": [{"name": "A=B"}]}]}, 'env[0].name: Invalid value: "A=B"'),
        (
            {"containers": [{**CONTAINER, "volumeMounts": [{"name": "x", "mountPath": "/x"}]}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "x"',
        ),
        (
            {"containers": [CONTAINER], "volumes": [{"name": "Not_A_Name"}]},
            'spec.volumes[0].name: Invalid value: "Not_A_Name"',
        ),
        ({"containers": [CONTAINER], "dnsPolicy": "Mine"}, 'spec.dnsPolicy: Unsupported value: "Mine"'),
        ({"containers": [CONTAINER], "terminationGracePeriodSeconds": -1}, "must be greater than or equal to 0"),
        ({"containers": [{**CONTAINER, "resources": {"limits": {"cpu": "much"}}}]}, "quantities must match"),
    ],
)
def test_an_invalid_pod_is_refused_by_its_field(http: Http, spec: Any, message: str) -> None:
    code, status = http("POST", PODS, json.dumps({"metadata": {"name": "wrong"}, "spec": spec}))
    assert code in (400, 422)
    assert message in status["message"]
    assert status["details"]["causes"]


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [CONTAINER | fields]}


def resources(**amounts: Any) -> dict[str, Any]:
    return container(resources=amounts)


def probe(kind: str = "livenessProbe", /, **fields: Any) -> dict[str, Any]:
    return container(**{kind: {"tcpSocket": {"port": 80}} | fields})


def variable(**fields: Any) -> dict[str, Any]:
    return container(env=[{"name": "A"} | fields])


def port(*names: str, **fields: Any) -> dict[str, Any]:
    return container(ports=[{"containerPort": 80 + index, "name": name} | fields for index, name in enumerate(names)])


def mount(**fields: Any) -> dict[str, Any]:
    return container(volumeMounts=[{"name": "v", "mountPath": "/v"} | fields]) | {"volumes": [{"name": "v"}]}


def volume(**sources: Any) -> dict[str, Any]:
    return container() | {"volumes": [{"name": "v"} | sources]}


NAME = {"fieldPath": "metadata.name"}
V = "spec.volumes[0]"
FILES: dict[Callable[[str], dict[str, Any]], str] = {
    lambda path: volume(configMap={"name": "a", "items": [{"key": "k", "path": path}]}): f"{V}.configMap",
    lambda path: volume(secret={"secretName": "a", "items": [{"key": "k", "path": path}]}): f"{V}.secret",
    lambda path: volume(downwardAPI={"items": [{"path": path, "fieldRef": NAME}]}): f"{V}.downwardAPI",
    lambda path: volume(
        projected={"sources": [{"secret": {"name": "a", "items": [{"key": "k", "path": path}]}}]}
    ): f"{V}.projected.sources[0].secret",
    lambda path: volume(
        projected={"sources": [{"downwardAPI": {"items": [{"path": path, "fieldRef": NAME}]}}]}
    ): f"{V}.projected.sources[0].downwardAPI",
}
"""Volumes with one file at a path, and the field that has its items."""
UNSAFE_PATHS = {
    "/etc/file": 'Invalid value: "/etc/file": must be a relative path',
    "../file": "Invalid value: \"../file\": must not contain '..'",
    "a/../../file": "Invalid value: \"a/../../file\": must not contain '..'",
    "..": "Invalid value: \"..\": must not contain '..'",
    "..data": "Invalid value: \"..data\": must not start with '..'",
    "": "Required value",
}


def toleration(**fields: Any) -> dict[str, Any]:
    return container() | {"tolerations": [fields]}


C = "spec.containers[0]"
SECRET = {"secretKeyRef": {"name": "a", "key": "b"}}
FIELD = {"fieldRef": {"fieldPath": "metadata.name"}}
RULES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "resources": [
        (
            resources(requests={"cpu": "2"}, limits={"cpu": "1"}),
            f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            resources(limits={"cpu": "-1"}),
            f'{C}.resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            resources(requests={"foo": "1"}),
            f'{C}.resources.requests[foo]: Invalid value: "foo": must be a standard resource',
        ),
        (resources(requests={"a b/c": "1"}), f"{C}.resources.requests[a b/c]: Invalid value"),
        (
            resources(requests={"example.com/a": "1"}),
            f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            resources(requests={"example.com/a": "1"}, limits={"example.com/a": "2"}),
            f'{C}.resources.requests: Invalid value: "1": must be equal to example.com/a limit of 2',
        ),
        (
            resources(limits={"example.com/a": "1e-3"}),
            f'{C}.resources.limits[example.com/a]: Invalid value: "1e-3": must be an',
        ),
    ],
    "probes": [
        (
            probe(exec={"command": ["a"]}),
            f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        (container(readinessProbe={}), f"{C}.readinessProbe: Required value: must specify a handler type"),
        *(
            (
                probe("livenessProbe", **{name: -1}),
                f"{C}.livenessProbe.{name}: Invalid value: -1: must be greater than or equal to 0",
            )
            for name in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")
        ),
        (probe(successThreshold=2), f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"),
        (probe("startupProbe", successThreshold=2), f"{C}.startupProbe.successThreshold: Invalid value: 2: must be 1"),
        (
            probe("readinessProbe", terminationGracePeriodSeconds=5),
            f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
        ),
        (probe(tcpSocket={"port": 0}), f"{C}.livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535"),
        (
            probe(tcpSocket={"port": "80"}),
            f'{C}.livenessProbe.tcpSocket.port: Invalid value: "80": must contain at least one',
        ),
        (
            {
                **container(),
                "initContainers": [{**CONTAINER, "name": "first", "readinessProbe": {"exec": {"command": ["a"]}}}],
            },
            "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers",
        ),
    ],
    "environment": [
        (
            variable(value="x", valueFrom=SECRET),
            f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value`',
        ),
        (
            variable(valueFrom={}),
            f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`',
        ),
        (variable(valueFrom=SECRET | FIELD), f'{C}.env[0].valueFrom: Invalid value: "": may not have more than one field'),
        (
            variable(valueFrom={"fieldRef": {"fieldPath": "spec.color"}}),
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.color": error converting fieldPath: field',
        ),
        (
            variable(valueFrom={"resourceFieldRef": {"resource": "limits.color"}}),
            f'{C}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.color"',
        ),
        (
            container(envFrom=[{"prefix": "A"}]),
            f'{C}.envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
        ),
    ],
    "volumes": [
        (mount(subPath="a/../b"), f"{C}.volumeMounts[0].subPath: Invalid value: \"a/../b\": must not contain '..'"),
        (mount(subPath="/a"), f'{C}.volumeMounts[0].subPath: Invalid value: "/a": must be a relative path'),
        (
            volume(hostPath={"path": "/a/../b"}),
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
        ),
        (volume(hostPath={"path": "/a", "type": "Any"}), 'spec.volumes[0].hostPath.type: Unsupported value: "Any"'),
        (
            volume(emptyDir={}, hostPath={"path": "/a"}),
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (volume(hostPath={"path": ""}), "spec.volumes[0].hostPath.path: Required value"),
        (volume(persistentVolumeClaim={"claimName": ""}), "spec.volumes[0].persistentVolumeClaim.claimName: Required value"),
        (volume(secret={}), "spec.volumes[0].secret.secretName: Required value"),
        (volume(configMap={}), "spec.volumes[0].configMap.name: Required value"),
        (
            mount(subPath="a", subPathExpr="b"),
            f'{C}.volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive',
        ),
        (volume(emptyDir={"sizeLimit": "-1Gi"}), "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be"),
    ],
    "files in volumes": [
        (rule(path), f"{field}.items[0].path: {reason}")
        for rule, field in FILES.items()
        for path, reason in UNSAFE_PATHS.items()
    ],
    "modes and keys of files": [
        (
            volume(secret={"secretName": "a", "defaultMode": 0o1000}),
            "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both",
        ),
        (
            volume(configMap={"name": "a", "items": [{"key": "k", "path": "p", "mode": -1}]}),
            "spec.volumes[0].configMap.items[0].mode: Invalid value: -1: must be a number between 0 and 0777",
        ),
        (
            volume(configMap={"name": "a", "items": [{"key": "", "path": "p"}]}),
            "spec.volumes[0].configMap.items[0].key: Required value",
        ),
        (
            volume(downwardAPI={"items": [{"path": "p"}]}),
            "spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required",
        ),
        (
            volume(downwardAPI={"items": [{"path": "p", "fieldRef": NAME, "resourceFieldRef": {"resource": "limits.cpu"}}]}),
            'items[0]: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously',
        ),
        (
            volume(projected={"sources": [{"configMap": {"name": "a"}, "secret": {"name": "b"}}]}),
            "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
        ),
    ],
    "ports": [
        (port("a", "a"), f'{C}.ports[1].name: Duplicate value: "a"'),
        (port("a" * 16), f'{C}.ports[0].name: Invalid value: "aaaaaaaaaaaaaaaa": must be no more than 15 characters'),
        (port("Web"), f'{C}.ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9)'),
        (port("80"), f'{C}.ports[0].name: Invalid value: "80": must contain at least one letter (a-z)'),
        (port("a--b"), f'{C}.ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens'),
        (port("a-"), f'{C}.ports[0].name: Invalid value: "a-": must not begin or end with a hyphen'),
        (port("a", hostPort=70000), f"{C}.ports[0].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
    ],
    "other fields": [
        (container(image=" a:1"), f'{C}.image: Invalid value: " a:1": must not have leading or trailing whitespace'),
        (container(terminationMessagePolicy="Mail"), f'{C}.terminationMessagePolicy: Unsupported value: "Mail"'),
        (
            container(securityContext={"runAsUser": -1}),
            f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        ),
        ({**container(), "securityContext": {"fsGroup": -1}}, "spec.securityContext.fsGroup: Invalid value: -1"),
        ({**container(), "activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and"),
        (
            {**container(), "nodeSelector": {"a b": "c"}},
            'spec.nodeSelector: Invalid value: "a b": name part must consist of',
        ),
        (
            {**container(), "hostname": "A_"},
            'spec.hostname: Invalid value: "A_": a lowercase RFC 1123 label must consist of',
        ),
        ({**container(), "os": {"name": "plan9"}}, 'spec.os.name: Unsupported value: "plan9"'),
        (
            {**container(), "ephemeralContainers": [CONTAINER]},
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        (
            toleration(operator="Like"),
            'spec.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"',
        ),
        (toleration(operator="Exists", value="a"), "value must be empty when `operator` is 'Exists'"),
        (toleration(value="a"), 'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key`'),
        (toleration(key="a", effect="Pause"), 'spec.tolerations[0].effect: Unsupported value: "Pause"'),
    ],
}


@pytest.mark.parametrize("about", RULES)
def test_an_invalid_pod_is_refused_in_a_real_servers_words(http: Http, about: str) -> None:
    for spec, message in RULES[about]:
        code, status = http("POST", f"{PODS}?dryRun=All", json.dumps({"metadata": {"name": "wrong"}, "spec": spec}))
        assert (code, status.get("reason")) == (422, "Invalid"), message
        assert message in status["message"]


def test_a_pod_that_a_real_server_accepts_is_accepted(http: Http) -> None:
    main = CONTAINER | {
        "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
        "env": [
            {"name": "A", "value": "", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['example.com/a']"}}},
            {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "a"}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/..b"}],
        "readinessProbe": {"httpGet": {"port": "http"}, "successThreshold": 3},
        "livenessProbe": {"grpc": {"port": 80}, "terminationGracePeriodSeconds": 1},
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "0.5", "example.com/a": "3"}},
        "securityContext": {"runAsUser": 0},
    }
    spec = {
        "containers": [main],
        "initContainers": [
            {**CONTAINER, "name": "side", "restartPolicy": "Always", "startupProbe": {"exec": {"command": ["a"]}}}
        ],
        "volumes": [{"name": "v"}],
        "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute"}],
        "os": {"name": "linux"},
    }
    code, made = http("POST", f"{PODS}?dryRun=All", json.dumps({"metadata": {"name": "right"}, "spec": spec}))
    assert (code, made["kind"]) == (201, "Pod"), made


def test_a_limit_is_the_default_request(http: Http) -> None:
    spec = resources(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "500m"})
    made = http("POST", f"{PODS}?dryRun=All", json.dumps({"metadata": {"name": "limited"}, "spec": spec}))[1]
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert made["status"]["qosClass"] == "Burstable"


def test_a_pod_needs_its_service_account(http: Http) -> None:
    body = {"metadata": {"name": "stranger"}, "spec": container() | {"serviceAccountName": "missing"}}
    code, status = http("POST", PODS, json.dumps(body))
    assert (code, status["reason"]) == (403, "Forbidden")
    message = 'error looking up service account models/missing: serviceaccount "missing" not found'
    assert status["message"] == f'pods "stranger" is forbidden: {message}'


def test_an_amount_may_be_a_number(http: Http) -> None:
    spec = {"containers": [{**CONTAINER, "resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}}}]}
    code, made = http("POST", f"{PODS}?dryRun=All", json.dumps({"metadata": {"name": "sized"}, "spec": spec}))
    assert (code, made["spec"]["containers"][0]["resources"]["limits"]) == (201, {"cpu": "1", "memory": "1.5Gi"})
