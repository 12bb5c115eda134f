"""A job as Kubernetes objects, and the state of its Pod as the job's."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from minipdk.controller.pods import IMAGE_ERROR
from minipdk.services.neuro.messages import http_path
from minipdk.services.neuro.model import Job, Status
from minipdk.services.neuro.names import CLUSTER, NAMESPACE, ORGANIZATION, PROJECT, REGISTRY_SECRET, Addresses
from minipdk.services.neuro.storage import Place, Storage

Object = dict[str, Any]

CONTAINER = "job"
JOB_LABEL = "platform.neuromation.io/job"
GRACE_SECONDS = 60
"""How long a request to a job may take, and a Pod's end when `kubectl delete` does not say otherwise."""
STRIP_PREFIX, AUTHENTICATION = "ingress.minipdk/strip-prefix", "ingress.minipdk/authentication"
JOB_DOMAIN = "jobs.example.com"
PASSED_CONFIG = ("APOLO_PASSED_CONFIG", "NEURO_PASSED_CONFIG")
WAITING = ("ContainerCreating", "PodInitializing", "")
"""Reasons of a container that will start."""


@dataclass(frozen=True)
class PodState:
    """The state of a job's Pod."""

    status: Status
    reason: str = ""
    description: str = ""
    exit_code: int | None = None
    started: bool = False
    """Whether the container has begun to run, so that it has a log."""


def pod(job: Job, storage: Storage, addresses: Addresses, token: str) -> Object:
    """The Pod that runs ``job``. Raises PlatformError if a volume has vanished."""
    container = job.container
    mounts, volumes = [], []
    for number, volume in enumerate(container.volumes):
        source = storage.resolve(Place(tuple(part for part in volume.path.split("/") if part)))
        volumes.append({"name": f"storage-{number}", "hostPath": {"path": str(source)}})
        mounts.append({"name": f"storage-{number}", "mountPath": volume.target, "readOnly": volume.read_only})
    limits = {"cpu": f"{job.resources.cpu:g}", "memory": str(job.resources.memory)}
    program: Object = {
        "name": CONTAINER,
        "image": container.image,
        "env": [{"name": name, "value": value} for name, value in _environment(job, addresses, token).items()],
        "resources": {"limits": limits, "requests": limits},
        "volumeMounts": mounts,
        # A literal $(NAME) of the client's command must not be expanded (Kubernetes writes $$ for $).
        **({"command": [_literal(word) for word in container.entrypoint]} if container.entrypoint else {}),
        **({"args": [_literal(word) for word in container.command]} if container.command else {}),
        **({"workingDir": container.working_dir} if container.working_dir else {}),
        **({"ports": [{"containerPort": container.http.port, "name": "http"}]} if container.http else {}),
        **({"tty": True, "stdin": True} if container.tty else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job),
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "imagePullSecrets": [{"name": REGISTRY_SECRET}],
            "volumes": volumes,
            "containers": [program],
        },
    }


def service(job: Job) -> Object | None:
    """The Service in front of the Pod; None for a job without HTTP."""
    if job.container.http is None:
        return None
    port = job.container.http.port
    spec = {"selector": {JOB_LABEL: job.id}, "ports": [{"name": "http", "port": port, "targetPort": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(job), "spec": spec}


def ingress(job: Job) -> Object | None:
    """The Ingress with the job's addresses; None for a job without HTTP."""
    http = job.container.http
    if http is None:
        return None
    backend = {"service": {"name": job.id, "port": {"number": http.port}}}

    def rule(path: str, host: str = "") -> Object:
        return {
            **({"host": host} if host else {}),
            "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]},
        }

    rules = [rule(http_path(job.id)), rule("/", f"{job.id}.{JOB_DOMAIN}")]
    if job.name:
        rules += [rule(http_path(job.public_name)), rule("/", f"{job.public_name}.{JOB_DOMAIN}")]
    annotations = {STRIP_PREFIX: "true"} | ({AUTHENTICATION: "token"} if http.requires_auth else {})
    metadata = _metadata(job) | {"annotations": annotations}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata,
        "spec": {"ingressClassName": "minipdk", "rules": rules},
    }


def registry_secret(user: str, token: str, addresses: Addresses) -> Object:
    """The Secret with which the kubelet pulls the jobs' images."""
    credentials = base64.b64encode(f"{user}:{token}".encode()).decode()
    document = json.dumps({"auths": {addresses.registry: {"auth": credentials}}})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": REGISTRY_SECRET, "namespace": NAMESPACE},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(document.encode()).decode()},
    }


def state(pod: Object) -> PodState:
    """The state of a job, from the status of its Pod."""
    status = pod.get("status") or {}
    container: Object = next(iter(status.get("containerStatuses") or ()), {})
    current = container.get("state") or {}
    if ended := current.get("terminated"):
        code = int(ended.get("exitCode", 0))
        if code == 0:
            return PodState(Status.SUCCEEDED, exit_code=0, started=True)
        return PodState(Status.FAILED, ended.get("reason") or "Error", ended.get("message") or "", code, started=True)
    if "running" in current:
        return PodState(Status.RUNNING, started=True)
    waiting = current.get("waiting") or {}
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    if reason in WAITING:
        condition = next((entry for entry in status.get("conditions") or () if entry.get("reason") == "Unschedulable"), None)
        if condition and condition.get("status") == "False":
            return PodState(Status.PENDING, "Scheduling", condition.get("message") or "")
        return PodState(Status.PENDING, "ContainerCreating" if pod["spec"].get("nodeName") else "Creating", message)
    return PodState(Status.FAILED, reason, message)


def is_missing_image(state: PodState) -> bool:
    return state.reason in (IMAGE_ERROR, "ImagePullBackOff")


def _metadata(job: Job) -> Object:
    return {"name": job.id, "namespace": NAMESPACE, "labels": {JOB_LABEL: job.id}}


def _environment(job: Job, addresses: Addresses, token: str) -> dict[str, str]:
    """The job's variables, and the platform's."""
    http = job.container.http
    added = {
        "NEURO_JOB_ID": job.id,
        "NEURO_JOB_NAME": job.name,
        "NEURO_JOB_OWNER": job.owner,
        "NEURO_JOB_CLUSTER": CLUSTER,
        "NEURO_JOB_PRESET": job.preset_name,
        "NEURO_JOB_HTTP_PORT": str(http.port) if http else "",
        "NEURO_JOB_HTTP_AUTH": str(http.requires_auth) if http else "",
    }
    if job.pass_config:
        document = {
            "token": token,
            "cluster": CLUSTER,
            "url": addresses.api,
            "org_name": ORGANIZATION,
            "project_name": PROJECT,
        }
        added |= dict.fromkeys(PASSED_CONFIG, base64.b64encode(json.dumps(document).encode()).decode())
    return {name: _literal(value) for name, value in {**added, **job.container.env}.items()}


def _literal(text: str) -> str:
    return text.replace("$(", "$$(")
