"""Read the learner's InferenceService from the cluster: its object, its answers and its Pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from course import Profile, endpoint, readiness
from course.checks import CheckError
from course.endpoint import hostname
from course.progress import wait_for

TIMEOUT_SECONDS = 30


class Endpoint:
    """The InferenceService ``name`` in the profile's namespace. Nothing here changes it."""

    def __init__(self, profile: Profile, name: str) -> None:
        self._profile, self._name, self._namespace = profile, name, profile["KSERVE_NAMESPACE"]
        self.label = f"serving.kserve.io/inferenceservice={name}"

    def find(self) -> dict[str, Any] | None:
        """The object, if it is there."""
        return endpoint.find(self._profile, self._name)

    def is_gone(self) -> bool:
        """Whether it was deleted. KServe ends a deleted service's Pods before it lets the object go."""

        def look() -> tuple[bool, str, bool]:
            service = self.find()
            is_ending = service is not None and "deletionTimestamp" in service["metadata"]
            return not is_ending, "its Pods end", service is None

        return wait_for(f"{self._name} to be gone", look, seconds=TIMEOUT_SECONDS)

    def get(self) -> dict[str, Any]:
        """The object. Raises CheckError if it is not there."""
        service = self.find()
        if service is None:
            raise CheckError(f"Not yet: {self._name} is there. Hint: apply the manifest in the cell above")
        return service

    def shares(self) -> list[int]:
        """The percentages of the requests that its revisions get, the smallest first."""
        traffic = self.get().get("status", {}).get("components", {}).get("predictor", {}).get("traffic", [])
        return sorted(target.get("percent", 0) for target in traffic)

    def predict(self, flower: list[float]) -> list[int]:
        """Its answer in protocol v1. Raises CheckError with the text of an error."""
        return list(self._expect(self.ask("v1", {"instances": [flower]}))["predictions"])

    def infer(self, flower: list[float]) -> list[int]:
        """Its answer in protocol v2. Raises CheckError with the text of an error."""
        tensor = {"name": "input-0", "shape": [1, len(flower)], "datatype": "FP64", "data": flower}
        return list(self._expect(self.ask("v2", {"inputs": [tensor]}))["outputs"][0]["data"])

    def ask(self, protocol: str, body: dict[str, Any]) -> requests.Response:
        """The answer to ``body``, in protocol v1 or v2. Raises CheckError without a service or before it has a host name."""
        self.get()
        path = {"v1": f"/v1/models/{self._name}:predict", "v2": f"/v2/models/{self._name}/infer"}[protocol]
        try:
            host = {"Host": hostname(self._profile, self._name)}
        except RuntimeError as error:
            raise CheckError(f"Not yet: {self._name} answers. Hint: {error}") from None
        return requests.post(f"{self._profile.ingress}{path}", json=body, headers=host, timeout=TIMEOUT_SECONDS)

    def _expect(self, response: requests.Response) -> dict[str, Any]:
        if not response.ok:
            raise CheckError(f"Not yet: {self._name} answers. Hint: it says {response.status_code}: {response.text}")
        return dict(response.json())

    def wait_until_settled(self) -> str:
        """Wait until the newest generation is ready or its revision has failed; return the reason of a failure, else ""."""

        def look() -> tuple[bool, str, str]:
            service = self.get()
            failure = endpoint.failure(service)
            settled = bool(failure) or _is_ready(service)
            return settled, "" if settled else readiness.reason(self._profile, service), failure

        return wait_for(self._name, look)

    def _pods(self) -> list[Any]:
        return list(self._profile.kubernetes.list_namespaced_pod(self._namespace, label_selector=self.label).items)

    def wait_until_broken(self) -> str:
        """Wait until the server in one of its Pods has failed; return the Pod's name, or "" if the new revision is ready."""

        def look() -> tuple[bool, str, str]:
            failed = [pod.metadata.name for pod in self._pods() if _has_failed(pod)]
            settled = bool(failed) or _is_ready(self.get())
            return settled, "the new revision is starting", "".join(failed[:1])

        return wait_for(self._name, look)


def _is_ready(service: dict[str, Any]) -> bool:
    """Whether the newest generation of ``service`` is ready and its roll-out complete."""
    status = service.get("status", {})
    ready = any((condition["type"], condition["status"]) == ("Ready", "True") for condition in status.get("conditions", []))
    up_to_date = status.get("modelStatus", {}).get("transitionStatus", "UpToDate") == "UpToDate"
    return ready and up_to_date and status.get("observedGeneration") == service["metadata"]["generation"]


def storage_uri(predictor: Mapping[str, Any]) -> str:
    """The STORAGE_URI of a predictor's first container; empty if it has none."""
    containers = predictor.get("containers") or [{}]
    variables = containers[0].get("env") or []
    return next((variable.get("value", "") for variable in variables if variable["name"] == "STORAGE_URI"), "")


def _has_failed(pod: Any) -> bool:
    """Whether the Pod's server has ended with an error and was started again, so that its previous log has the reason."""
    for container in pod.status.container_statuses or []:
        ended = container.last_state.terminated if container.last_state else None
        failed = container.restart_count and ended and ended.exit_code
        if container.name == "kserve-container" and not container.ready and failed:
            return True
    return False
