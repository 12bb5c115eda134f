"""Read the learner's SeldonDeployment and its Pods, and find the reason when it cannot start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from course import Profile
from course.checks import CheckError
from course.progress import wait_for

GROUP, VERSION, PLURAL = "machinelearning.seldon.io", "v1", "seldondeployments"
LABEL = "seldon-deployment-id"
PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName"}
WAIT_SECONDS = 300
LINES_OF_LOG = 20
_HINTS = {
    "pull": "without the secret apolo-registry of step 12 the registry refuses the cluster; the image is of step 10",
    "secret": "the client's configuration is missing: step 12 makes the secret apolo",
    "storage": "step 7 lists the files of the storage: the model is storage:examples/mnist/model.pkl",
    "init": "the model could not be fetched: is the path behind storage: right, and the secret apolo of step 12 there?",
}


def find(profile: Profile, namespace: str, name: str) -> dict[str, Any] | None:
    """The SeldonDeployment; None if there is none."""
    from kubernetes import client

    _ = profile.kubernetes  # loads the configuration
    try:
        deployment = client.CustomObjectsApi().get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
    except client.ApiException as error:
        if error.status == 404:
            return None
        raise
    return dict(deployment)


def wait(profile: Profile, namespace: str, name: str) -> str:
    """Wait until it is available or cannot become so; return the reason of a failure, else ""."""

    def look() -> tuple[bool, str, str]:
        deployment = find(profile, namespace, name)
        if deployment is None:
            hint = f"generate it with --name {name}, and apply it in the namespace {namespace}"
            raise CheckError(f"Not yet: the SeldonDeployment {name} is there. Hint: {hint}")
        state = str(deployment.get("status", {}).get("state", "Creating"))
        if state == "Available":
            return True, "", ""
        pods = profile.kubernetes.list_namespaced_pod(namespace, label_selector=f"{LABEL}={name}").items
        events = profile.kubernetes.list_namespaced_event(namespace).items
        obstacle = reason(deployment, [_plain(pod) for pod in pods], [_plain(event) for event in events], _log(profile))
        return bool(obstacle), state, obstacle

    return wait_for(name, look, seconds=WAIT_SECONDS)


Log = Any
"""A function that returns a container's log: of a Pod's namespace, name and container, and whether of its previous run."""


def reason(deployment: Mapping[str, Any], pods: Sequence[Any], events: Sequence[Any], log: Log) -> str:
    """Why the deployment cannot become available, with a hint; "" while it still may."""
    for pod in pods:
        if obstacle := _obstacle(pod, events, log):
            return obstacle
    status = deployment.get("status", {})
    if status.get("state") == "Failed":
        return str(status.get("description") or status.get("reason") or "its state is Failed, without a reason")
    return ""


def _obstacle(pod: Mapping[str, Any], events: Sequence[Any], log: Log) -> str:
    """The obstacle of one Pod, in the words of the kubelet or of its init container."""
    metadata, status = pod["metadata"], pod.get("status", {})
    for container in status.get("initContainerStatuses") or []:
        state, last = container.get("state", {}), container.get("lastState", {})
        ended = state.get("terminated") or last.get("terminated")
        if ended and ended.get("exitCode"):
            place = (metadata["namespace"], metadata["name"], container["name"])
            # It may have been started again since: then its words are in the log of the previous run.
            said = _last_line(ended.get("message") or log(*place, False)) or _last_line(log(*place, True))
            hint = _HINTS["storage"] if "not found" in said.lower() or "no such" in said.lower() else _HINTS["init"]
            return f"the init container {container['name']} says: {said or 'nothing'}. {_sentence(hint)}"
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in PULL:
            said = waiting.get("message") or waiting["reason"]
            return f"{container['name']}: {waiting['reason']}: {said}. {_sentence(_HINTS['pull'])}"
    if any("running" in container.get("state", {}) for container in containers):
        return ""
    for event in events:
        if event.get("involvedObject", {}).get("name") == metadata["name"] and event.get("reason") == "FailedMount":
            hint = f" {_sentence(_HINTS['secret'])}" if "secret" in str(event.get("message")) else ""
            return f"FailedMount: {event.get('message')}.{hint}"
    return ""


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _plain(value: Any) -> dict[str, Any]:
    """A typed object of the `kubernetes` package as the API's JSON."""
    from kubernetes import client

    return dict(client.ApiClient().sanitize_for_serialization(value))


def _log(profile: Profile) -> Log:
    def read(namespace: str, pod: str, container: str, previous: bool) -> str:
        from kubernetes import client

        options = {"container": container, "tail_lines": LINES_OF_LOG, "previous": previous, "_preload_content": False}
        try:  # the client would show the bytes of the log as Python's literal
            return str(profile.kubernetes.read_namespaced_pod_log(pod, namespace, **options).data.decode(errors="replace"))
        except client.ApiException as error:
            return f"its log cannot be read: {error.reason}"

    return read
