"""The Pod of a revision, as KServe, Knative and a Deployment would together make it."""

from __future__ import annotations

import secrets

from minipdk.serving.api import Object
from minipdk.serving.gateway.routes import PREDICTOR_SUFFIX
from minipdk.serving.runtimes import STORAGE_INITIALIZER_COMMAND, STORAGE_INITIALIZER_IMAGE

from .predictor import Predictor

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
REVISION_LABEL = "serving.knative.dev/revision"
HASH_LABEL = "pod-template-hash"
STORAGE_INITIALIZER, KSERVE_CONTAINER = "storage-initializer", "kserve-container"
MODELS = "/mnt/models"
MODEL_VOLUME = "kserve-provision-location"
PORT = 8080
READY_PATH = "/v2/health/ready"


def predictor_name(isvc: Object) -> str:
    return f"{isvc['metadata']['name']}{PREDICTOR_SUFFIX}"


def revision_name(isvc: Object, number: int) -> str:
    return f"{predictor_name(isvc)}-{number:05}"


def revision_number(revision: str) -> int:
    """The number at the end of a revision's name; 0 for the empty name."""
    return int(revision.rpartition("-")[2] or 0)


def revision_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"][REVISION_LABEL])


def is_owned(pod: Object, isvc: Object) -> bool:
    return any(owner["uid"] == isvc["metadata"]["uid"] for owner in pod["metadata"].get("ownerReferences") or [])


def pod_for(isvc: Object, predictor: Predictor, revision: str, storage_environment: list[Object]) -> Object:
    """The Pod object that serves ``predictor`` as ``revision``."""
    mount = {"name": MODEL_VOLUME, "mountPath": MODELS}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(isvc, predictor, revision),
        "spec": {
            "serviceAccountName": predictor.service_account,
            "restartPolicy": "Always",
            "hostNetwork": True,
            "terminationGracePeriodSeconds": int(predictor.timeout),
            **({"tolerations": predictor.tolerations} if predictor.tolerations else {}),
            "volumes": [{"name": MODEL_VOLUME, "emptyDir": {}}],
            "initContainers": [
                {
                    "name": STORAGE_INITIALIZER,
                    "image": STORAGE_INITIALIZER_IMAGE,
                    "command": list(STORAGE_INITIALIZER_COMMAND),
                    "args": [predictor.storage_uri, MODELS],
                    "env": storage_environment,
                    "volumeMounts": [mount],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "containers": [_model_container(isvc, predictor, revision, {**mount, "readOnly": True})],
        },
    }


def _metadata(isvc: Object, predictor: Predictor, revision: str) -> Object:
    template_hash = predictor.template_hash()
    name = predictor_name(isvc)
    return {
        # Kubernetes would shorten the prefix too: a Pod's name is at most 63 characters where it becomes a label.
        "name": f"{revision}-deployment-{template_hash}-{secrets.token_hex(3)[:5]}",
        "namespace": isvc["metadata"]["namespace"],
        "labels": {
            **predictor.labels,
            "app": revision,
            "component": "predictor",
            SERVICE_LABEL: isvc["metadata"]["name"],
            "serving.knative.dev/service": name,
            "serving.knative.dev/configuration": name,
            REVISION_LABEL: revision,
            HASH_LABEL: template_hash,
        },
        "annotations": {
            **predictor.annotations,
            "internal.serving.kserve.io/storage-initializer-sourceuri": predictor.storage_uri,
        },
        "ownerReferences": [
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "name": isvc["metadata"]["name"],
                "uid": isvc["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def _model_container(isvc: Object, predictor: Predictor, revision: str, mount: Object) -> Object:
    runtime = predictor.runtime
    return {
        "name": KSERVE_CONTAINER,
        "image": predictor.image or runtime.image,
        "command": list(runtime.command),
        "args": [
            f"--model_name={isvc['metadata']['name']}",
            f"--model_dir={MODELS}",
            f"--protocol={predictor.protocol}",
            *predictor.args,
        ],
        "env": [*_knative_environment(isvc, revision), *predictor.env],
        **({"resources": predictor.resources} if predictor.resources else {}),
        "ports": [{"name": "user-port", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": READY_PATH, "port": PORT}},
        "volumeMounts": [mount],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _knative_environment(isvc: Object, revision: str) -> list[Object]:
    """Knative's runtime contract: what tells a server who it is."""
    name = predictor_name(isvc)
    values = {"K_SERVICE": name, "K_CONFIGURATION": name, "K_REVISION": revision}
    return [{"name": variable, "value": value} for variable, value in values.items()]
