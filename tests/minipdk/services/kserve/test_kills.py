"""kill -9 during a roll-out and a canary: both continue, no acknowledged change is lost, no process is left."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import psutil
import pytest
import requests
from kserve import V1beta1SKLearnSpec
from kubernetes import client as k8s
from sklearn.linear_model import LinearRegression
from tests import conftest
from tests.conftest import ServiceProcess
from tests.minipdk.services.kserve.conftest import NAMESPACE, Cluster, FakeS3, inference_service, predictors

from minipdk.common.home import Home

NAME = "steady"
wait_for = functools.partial(conftest.wait_for, seconds=240)


class Rollouts(Cluster):
    """A cluster with the models ``two`` and ``twenty``, which multiply by that, and its services by name."""

    services: dict[str, ServiceProcess]

    def manifest(self, model: str, **predictor: Any) -> Any:
        resources = k8s.V1ResourceRequirements(requests={}, limits={})
        sklearn = V1beta1SKLearnSpec(storage_uri=f"s3://models/{model}", resources=resources)
        return inference_service(NAME, "", pytorch=None, sklearn=sklearn, **predictor)

    def replace_model(self, model: str, **predictor: Any) -> None:
        self.kserve.replace(NAME, self.manifest(model, **predictor), namespace=NAMESPACE)

    def answer(self) -> float | None:
        """The endpoint's prediction for 1; None if it does not answer."""
        url = f"http://127.0.0.1:{self.home.port('ingress')}/v1/models/{NAME}:predict"
        try:
            answer = requests.post(
                url, json={"instances": [[1]]}, headers={"Host": f"{NAME}.models.example.com"}, timeout=30
            )
        except requests.ConnectionError:
            return None
        return round(answer.json()["predictions"][0]) if answer.ok else None

    def traffic(self) -> list[int]:
        return [target["percent"] for target in self.status(NAME)["components"]["predictor"].get("traffic", [])]

    def is_rolled_out(self, value: int) -> bool:
        """Whether the newest revision has all the traffic, answers ``value``, and no other has a pod."""
        predictor = self.status(NAME)["components"]["predictor"]
        newest = predictor["latestCreatedRevision"]
        return (
            self.is_ready(NAME)
            and predictor.get("latestRolledoutRevision") == newest
            and [pod.metadata.labels["serving.knative.dev/revision"] for pod in self.pods(NAME)] == [newest]
            and self.answer() == value
        )

    def kill(self, victim: str) -> None:
        """kill -9 of a service, which is started again; of Envoy; or of the newest pod's processes once it has some."""
        if victim == "envoy":
            process = self.services["serving"].process
            assert process
            [envoy] = [child for child in psutil.Process(process.pid).children() if child.name() == "envoy"]
            envoy.kill()
        elif victim == "predictor":
            newest = max(self.pods(NAME), key=lambda pod: pod.metadata.labels["serving.knative.dev/revision"])
            for pid in wait_for(lambda: predictors(newest.metadata.uid), what="the new predictor"):
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(pid).kill()
        else:
            self.services[victim].kill()
            self.services[victim].start()


@pytest.fixture(scope="module")
def cluster(
    home: Home, run_service: Callable[..., ServiceProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rollouts]:
    services = {"kubernetes": run_service(home, "kubernetes", "kubernetes")}
    services["serving"] = run_service(home, "serving", "ingress")
    s3 = FakeS3()
    for model, factor in (("two", 2), ("twenty", 20)):
        folder: Path = tmp_path_factory.mktemp(model)
        joblib.dump(LinearRegression(fit_intercept=False).fit([[1], [2]], [factor, 2 * factor]), folder / "model.joblib")
        s3.put_folder("models", folder, f"{model}/")
    cluster = Rollouts(home, services["serving"], s3)
    cluster.services = services
    cluster.add_credentials()
    cluster.kserve.create(cluster.manifest("two"))
    wait_for(lambda: cluster.is_ready(NAME), what="the first model")
    yield cluster
    s3.close()


@pytest.mark.parametrize(
    ("victim", "model", "value"),
    [("kubernetes", "twenty", 20), ("serving", "two", 2), ("envoy", "twenty", 20), ("predictor", "two", 2)],
)
def test_a_roll_out_goes_on_after_kill_9_of(cluster: Rollouts, victim: str, model: str, value: int) -> None:
    [old] = cluster.pods(NAME)
    cluster.replace_model(model)
    wait_for(lambda: len(cluster.pods(NAME)) == 2, what="the new revision's pod")
    cluster.kill(victim)
    wait_for(lambda: cluster.is_rolled_out(value), what=f"the model {model}")
    assert not predictors(old.metadata.uid)


def test_a_canary_keeps_its_share_after_kill_9_of_the_services(cluster: Rollouts) -> None:
    cluster.replace_model("twenty", canary_traffic_percent=30)
    wait_for(lambda: sorted(cluster.traffic()) == [30, 70], what="the canary's share")
    pods = {pod.metadata.uid for pod in cluster.pods(NAME)}
    for victim in ("serving", "kubernetes"):
        cluster.kill(victim)
    seen: set[float | None] = set()

    def both_answered() -> bool:
        seen.add(cluster.answer())
        return seen >= {2, 20}

    wait_for(both_answered, what="answers of both revisions")
    assert sorted(cluster.traffic()) == [30, 70]
    assert {pod.metadata.uid for pod in cluster.pods(NAME)} == pods
    cluster.replace_model("twenty")
    wait_for(lambda: cluster.is_rolled_out(20), what="the promotion")
