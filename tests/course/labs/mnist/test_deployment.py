"""The reasons of a deployment that cannot start, in the words of the kubelet or of the init container. 1 s."""

from __future__ import annotations

from typing import Any

from course.labs.mnist import deployment

CREATING: dict[str, Any] = {"status": {"state": "Creating"}}


def pod(*, init: dict[str, Any] | None = None, model: dict[str, Any] | None = None) -> dict[str, Any]:
    statuses = {
        "initContainerStatuses": [{"name": "apolo-download", "state": init or {"waiting": {"reason": "PodInitializing"}}}],
        "containerStatuses": [{"name": "model", "state": model or {"waiting": {"reason": "PodInitializing"}}}],
    }
    return {"metadata": {"name": "neuro-model-1", "namespace": "seldon"}, "status": statuses}


def reason(*pods: dict[str, Any], events: list[dict[str, Any]] | None = None, log: str = "") -> str:
    return deployment.reason(CREATING, pods, events or [], lambda *_: log)


def test_a_deployment_that_still_starts_has_no_obstacle() -> None:
    assert reason() == ""
    assert reason(pod()) == ""
    assert reason(pod(init={"terminated": {"exitCode": 0}}, model={"running": {}})) == ""


def test_without_the_registrys_secret_the_pull_fails() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}}
    said = reason(pod(init={"terminated": {"exitCode": 0}}, model=waiting))
    assert said.startswith("model: ErrImagePull: 401 Unauthorized. Without the secret apolo-registry of step 12")


def test_without_the_clients_secret_the_volume_is_not_there() -> None:
    event = {
        "involvedObject": {"name": "neuro-model-1"},
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "apolo-secret": secret "apolo" not found',
    }
    said = reason(pod(), events=[event])
    assert said.endswith('secret "apolo" not found. The client\'s configuration is missing: step 12 makes the secret apolo')
    assert reason(pod(init={"running": {}}), events=[event]) == ""


def test_a_wrong_path_is_reported_in_the_init_containers_words() -> None:
    log = "Copying ...\nERROR: storage://c/o/p/examples/mnist/modell.pkl not found\n"
    said = reason(pod(init={"terminated": {"exitCode": 72}}), log=log)
    assert said == (
        "the init container apolo-download says: ERROR: storage://c/o/p/examples/mnist/modell.pkl not found. "
        "Step 7 lists the files of the storage: the model is storage:examples/mnist/model.pkl"
    )
    again = pod(init={"waiting": {"reason": "CrashLoopBackOff"}})
    again["status"]["initContainerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 72}}
    assert "modell.pkl not found" in reason(again, log=log)


def test_a_failed_state_is_reported_with_its_description() -> None:
    failed = {"status": {"state": "Failed", "description": "no container model"}}
    assert deployment.reason(failed, [], [], lambda *_: "") == "no container model"
