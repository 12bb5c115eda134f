"""Create or replace the KServe InferenceService of a model."""

from __future__ import annotations

import time
from typing import Any

from deployment_errors import DeploymentError
from kserve import (
    KServeClient,
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1PredictorSpec,
    V1beta1TorchServeSpec,
)
from kubernetes.client import ApiException, V1ObjectMeta, V1ResourceRequirements, V1Toleration
from kubernetes.config import ConfigException

API_VERSION = "serving.kserve.io/v1beta1"
PROTOCOL = "v1"
CONFLICT = 409
NOT_FOUND = 404
TRIES = 5
POLL_SECONDS = 5


def connect(config_file: str | None) -> KServeClient:
    """A client for the cluster this pod runs in, or for the cluster that ``config_file`` names."""
    try:
        return KServeClient(config_file=config_file)
    except ConfigException as error:
        raise DeploymentError(f"no Kubernetes cluster to deploy to: {error}. Name one with --k8s-config-file") from error


def build(
    name: str,
    namespace: str,
    *,
    version: str,
    storage_uri: str,
    service_account: str | None = None,
    arguments: list[str] | None = None,
    tolerations: dict[str, str] | None = None,
    requests: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
) -> V1beta1InferenceService:
    """The InferenceService ``name`` that serves the model at ``storage_uri``; its pach_id notes the model's version."""
    predictor = V1beta1PredictorSpec(
        service_account_name=service_account,
        tolerations=[
            V1Toleration(effect="NoSchedule", operator="Equal", key=key, value=value)
            for key, value in (tolerations or {}).items()
        ],
        pytorch=V1beta1TorchServeSpec(
            protocol_version=PROTOCOL,
            storage_uri=storage_uri,
            args=arguments,
            resources=V1ResourceRequirements(requests=requests or {}, limits=limits or {}),
        ),
    )
    annotations = {"sidecar.istio.io/inject": "false", "pach_id": version}
    return V1beta1InferenceService(
        api_version=API_VERSION,
        kind="InferenceService",
        metadata=V1ObjectMeta(name=name, namespace=namespace, annotations=annotations),
        spec=V1beta1InferenceServiceSpec(predictor=predictor),
    )


def create_or_replace(client: KServeClient, service: V1beta1InferenceService) -> None:
    """Create or replace ``service`` in the cluster. Raises DeploymentError with the cluster's own words if it refuses."""
    name, namespace = service.metadata.name, service.metadata.namespace
    for _ in range(TRIES):
        try:
            if _exists(client, name, namespace):
                service.metadata.resource_version = None  # KServeClient then takes the current one
                client.replace(name, service, namespace=namespace)
                print(f"Replaced the InferenceService {namespace}/{name}")
            else:
                client.create(service, namespace=namespace)
                print(f"Created the InferenceService {namespace}/{name}")
        except RuntimeError as error:
            # The controller, or another job, has changed the service since it was read: read it again.
            if _status(error) == CONFLICT:
                continue
            raise DeploymentError(f"Kubernetes refuses the InferenceService {namespace}/{name}: {_words(error)}") from error
        return
    raise DeploymentError(f"the InferenceService {namespace}/{name} changes faster than it can be replaced: try again")


def wait_until_ready(client: KServeClient, name: str, namespace: str) -> None:
    """Return once the service's predictor is ready. Raises DeploymentError with the reason when its revision has failed."""
    while not client.is_isvc_ready(name, namespace=namespace):
        if reason := failure(client.get(name, namespace=namespace)):
            raise DeploymentError(f"the InferenceService {namespace}/{name} cannot become ready: {reason}")
        print(f"The InferenceService {namespace}/{name} is not ready yet")
        time.sleep(POLL_SECONDS)
    status: dict[str, Any] = client.get(name, namespace=namespace).get("status", {})
    print(f"The InferenceService {namespace}/{name} is ready at {status.get('url', '')}")


def failure(service: dict[str, Any]) -> str:
    """The reason for which the newest revision has failed or KServe refuses the spec; empty while it may become ready."""
    status = service.get("status", {})
    if status.get("observedGeneration") not in (None, service["metadata"].get("generation")):
        return ""
    for condition in status.get("conditions", []):
        if (condition["type"], condition["status"]) == ("PredictorConfigurationReady", "False"):
            return str(condition.get("message") or condition.get("reason"))
    model = status.get("modelStatus", {})
    if model.get("transitionStatus") == "InvalidSpec":
        return str(model.get("lastFailureInfo", {}).get("message"))
    return ""


def _exists(client: KServeClient, name: str, namespace: str) -> bool:
    try:
        client.get(name, namespace=namespace)
    except RuntimeError as error:
        if _status(error) == NOT_FOUND:
            return False
        raise
    return True


def _status(error: RuntimeError) -> int | None:
    """The HTTP status behind KServeClient's RuntimeError."""
    cause = error.__context__
    return cause.status if isinstance(cause, ApiException) else None


def _words(error: RuntimeError) -> str:
    cause = error.__context__
    return f"{cause.status} {cause.body or cause.reason}" if isinstance(cause, ApiException) else str(error)
