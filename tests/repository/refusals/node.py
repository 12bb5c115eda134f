"""Refusals of docs/node.md: a pod for each field, and the reason that the node gives."""

from __future__ import annotations

from typing import Any

from tests.repository.refusals.cluster import Answer, Check, Cluster, answers_of, in_models

CAPABILITY = {"capabilities": {"add": ["NET_ADMIN"]}}
POD_FIELDS: dict[str, Any] = {
    "hostPID": True,
    "hostIPC": True,
    "hostUsers": False,
    "os": {"name": "windows"},
    "shareProcessNamespace": True,
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}],
    "hostname": "a",
    "subdomain": "a",
    "setHostnameAsFQDN": True,
    "dnsConfig": {"nameservers": ["192.0.2.1"]},
    "activeDeadlineSeconds": 5,
    "readinessGates": [{"conditionType": "a"}],
    "runtimeClassName": "a",
    "schedulingGates": [{"name": "a"}],
    "resourceClaims": [{"name": "a", "resourceClaimName": "b"}],
    "overhead": {"cpu": "1"},
}
POD_SECURITY: dict[str, Any] = {"sysctls": [{"name": "a", "value": "b"}], "windowsOptions": {"runAsUserName": "a"}}
CONTAINER_FIELDS: dict[str, Any] = {
    "lifecycle": {"preStop": {"exec": {"command": ["a"]}}},
    "volumeDevices": [{"name": "a", "devicePath": "/a"}],
    "restartPolicy": "Always",
}
CONTAINER_SECURITY: dict[str, Any] = {
    "privileged": {"privileged": True},
    "readOnlyRootFilesystem": {"readOnlyRootFilesystem": True},
    "procMount": {"procMount": "Unmasked"},
    "windowsOptions": {"windowsOptions": {"runAsUserName": "a"}},
    "capabilities.add": CAPABILITY,
}
PARTS: dict[str, Any] = {
    "hostPort": {"ports": [{"containerPort": 80, "hostPort": 8080}]},
    "mountPropagation": {"volumeMounts": [{"name": "data", "mountPath": "/data", "mountPropagation": "Bidirectional"}]},
    "host": {"readinessProbe": {"httpGet": {"host": "192.0.2.1", "port": 80}}},
    "resources.claims": {"resources": {"claims": [{"name": "a"}]}},
}
VOLUMES: dict[str, Any] = {
    "nfs": {"server": "a", "path": "/"},
    "downwardAPI": {},
    "projected": {"sources": []},
    "csi": {"driver": "a"},
    "ephemeral": {},
    "image": {"reference": "a"},
}


def _pod(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "busybox:1", "command": ["true"], **container}
    return {"spec": {"restartPolicy": "Never", "containers": [main], **(spec or {})}}


def _waiting(pod: Any) -> str:
    (status,) = pod["status"].get("containerStatuses") or [{}]
    reason = status.get("state", {}).get("waiting", {}).get("reason", "")
    return "" if reason in ("ContainerCreating", "PodInitializing") else str(reason)


def _config_errors(cluster: Cluster, bodies: dict[str, Any]) -> list[Answer]:
    return answers_of(cluster, in_models("pods"), bodies, _waiting)


def pod_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _config_errors(cluster, {name: _pod({name: POD_FIELDS[name]}) for name in names})


def pod_security(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _config_errors(cluster, {name: _pod({"securityContext": {name: POD_SECURITY[name]}}) for name in names})


def container_fields(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _config_errors(cluster, {name: _pod(**{name: CONTAINER_FIELDS[name]}) for name in names})


def container_security(cluster: Cluster, names: list[str]) -> list[Answer]:
    return _config_errors(cluster, {name: _pod(securityContext=CONTAINER_SECURITY[name]) for name in names})


def parts(cluster: Cluster, names: list[str]) -> list[Answer]:
    volume = {"volumes": [{"name": "data", "emptyDir": {}}]}
    return _config_errors(cluster, {name: _pod(volume, **PARTS[name]) for name in names})


def volumes(cluster: Cluster, names: list[str]) -> list[Answer]:
    mount = [{"name": "data", "mountPath": "/data"}]
    bodies = {name: _pod({"volumes": [{"name": "data", name: VOLUMES[name]}]}, volumeMounts=mount) for name in names}

    def reason(pod: Any) -> str:
        """The reason of the pod's event that says that minipdk does not support its volume."""
        events = cluster.kubernetes.get(in_models("events"))["items"]
        for event in events:
            if event["involvedObject"].get("uid") == pod["metadata"]["uid"] and "not supported" in event["message"]:
                return str(event["reason"])
        return ""

    return answers_of(cluster, in_models("pods"), bodies, reason)


def absent_resources(cluster: Cluster, names: list[str]) -> list[Answer]:
    def condition(pod: Any) -> str:
        return next((str(entry["reason"]) for entry in pod["status"].get("conditions", []) if entry.get("reason")), "")

    bodies = {name: _pod(resources={"limits": {name: "1"}}) for name in names}
    return answers_of(cluster, in_models("pods"), bodies, condition)


CHECKS: dict[str, Check] = {
    "the fields * (false), * (Windows), * of a pod": pod_fields,
    "the fields * of a pod's security context": pod_security,
    "the fields * of a container": container_fields,
    "the fields * of a container's security context, and added capabilities (*)": container_security,
    "* of a container port, * of a mount, * of a probe, *": parts,
    "volumes of another kind, such as *": volumes,
    "resources that this machine does not have, such as *": absent_resources,
}
