"""The steps of the MNIST lab on the platform, typed into both generations of the real clients."""

from __future__ import annotations

import json
import re
import stat
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests
import yaml
from tests.conftest import wait_for
from tests.minipdk.services.neuro.conftest import Client, Platform

TRAIN = """\
FROM pytorch/pytorch:1.5-cuda10.1-cudnn7-runtime
ENV MODEL_PATH=/var/storage/model.pkl
COPY main.py .
CMD bash -c "python main.py --save-model; mv mnist_cnn.pt $MODEL_PATH"
"""
MAIN = """\
open("mnist_cnn.pt", "wb").write(bytes(4800957))
print("Test set: Average loss: 0.0265, Accuracy: 9910/10000 (99%)")
"""


@dataclass(frozen=True)
class Generation:
    """Clients of one generation: the names of their programs, and the word before a job's command."""

    environment: str
    platform: str
    extras: str
    before_command: tuple[str, ...] = ("--",)


NEURO = Generation("neuro", "neuro", "neuro-extras", ())
APOLO = Generation("apolo", "apolo", "apolo-extras")


@pytest.fixture(scope="module", params=[NEURO, APOLO], ids=["25.5", "26.9"])
def generation(request: pytest.FixtureRequest) -> Generation:
    generation: Generation = request.param
    return generation


@pytest.fixture(scope="module")
def client(cluster: Platform, client_of: Callable[[Platform, str], Client], generation: Generation) -> Client:
    """A client that has logged in, with a token or with a browser, in a folder with the lab's files."""
    client = client_of(cluster, generation.environment)
    browser = client.folder / "browser"
    browser.write_text('#!/bin/sh\ncurl -sSL --noproxy "*" --data-urlencode "token=$NEURO_TOKEN" "$1"\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    client.environment["BROWSER"] = f"{browser} %s"
    token, api = client.environment["NEURO_TOKEN"], client.environment["NEURO_API"]
    login = ["config", "login-with-token", token, api] if generation is NEURO else ["login", api]
    welcome = client.run(generation.platform, *login)
    assert "as user, current cluster is minipdk, org is course project is default" in welcome
    browser.unlink()
    (client.folder / "train.Dockerfile").write_text(TRAIN)
    (client.folder / "main.py").write_text(MAIN)
    return client


def test_an_image_is_built_and_trains_a_model(client: Client, generation: Generation) -> None:
    image, folder = f"image:examples/{generation.environment}", f"storage:examples/{generation.environment}"
    build = [generation.extras, "image", "build", "-f", "train.Dockerfile", ".", f"{image}:train"]
    built = client.run(*build)
    assert "Step 4/4 : CMD bash -c" in built
    assert f"Successfully built {image}:train" in built
    assert "train" in client.run(generation.platform, "image", "tags", image)
    options = ["-s", "gpu-small", "-v", f"{folder}:/var/storage", "-e", "MODEL_PATH=/var/storage/model.pkl"]
    trained = client.run(generation.platform, "run", *options, f"{image}:train")
    assert "Accuracy: 9910/10000 (99%)" in trained
    listed = client.run(generation.platform, "ls", "-l", folder)
    assert re.search(r"-m +4800957 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +model\.pkl", listed)


def test_a_job_with_a_port_answers_at_the_ingress_until_it_is_killed(
    cluster: Platform, client: Client, generation: Generation
) -> None:
    name = f"example-{generation.environment}"
    cluster.upload(f"examples/{generation.environment}/hello.txt", b"hello")
    command = [*generation.before_command, "python", "-m", "http.server", "5000", "--directory", "/storage"]
    port = ["--http", "5000"] if generation is NEURO else ["--http-port", "5000"]
    volume = f"storage:examples/{generation.environment}:/storage:ro"
    options = ["-n", name, *port, "--no-http-auth", "--detach", "-v", volume]
    client.run(generation.platform, "run", *options, "python:3.11", *command)
    url = f"{cluster.home.url('ingress')}/jobs/{name}--user/"
    assert url in client.run(generation.platform, "status", name).replace("\n", "")
    assert wait_for(lambda: requests.get(f"{url}hello.txt", timeout=60).ok, what="the job to answer")
    assert name in client.run(generation.platform, "ps")
    job_id = client.run(generation.platform, "kill", name).strip()
    assert '"GET /hello.txt HTTP/1.1" 200' in client.run(generation.platform, "logs", job_id)
    assert cluster.job(job_id)["status"] == "cancelled"


def test_an_exit_code_reaches_the_client(client: Client, generation: Generation) -> None:
    command = ["sh", "-c", "echo before; exit 3"]
    assert "before" in client.run(generation.platform, "run", "ubuntu", *generation.before_command, *command, status=3)


@pytest.mark.parametrize("generation", [NEURO], indirect=True, ids=["25.5"])
class TestTheClientsOfTheLab:
    def test_the_configuration_shows_the_presets(self, client: Client) -> None:
        shown = client.run("neuro", "config", "show")
        assert re.search(r"cpu-small +2\.0 +4\.3 GB", shown)
        assert re.search(r"gpu-small +2\.0 +8\.6 GB", shown)

    def test_the_secrets_hold_the_registrys_credentials_and_the_configuration(
        self, cluster: Platform, client: Client
    ) -> None:
        registry = yaml.safe_load(client.run("neuro-extras", "k8s", "generate-registry-secret"))
        assert registry["type"] == "kubernetes.io/dockerconfigjson"
        [(host, entry)] = json.loads(b64decode(registry["data"][".dockerconfigjson"]))["auths"].items()
        assert host == cluster.registry
        headers = {"Authorization": f"Basic {entry['auth']}"}
        assert requests.get(f"http://{host}/v2/_catalog", headers=headers, timeout=60).ok
        secret = yaml.safe_load(client.run("neuro-extras", "k8s", "generate-secret"))
        assert [*secret["data"]] == ["db"]
        assert b64decode(secret["data"]["db"]).startswith(b"SQLite format 3")

    def test_the_seldon_package_and_its_deployment_are_generated(self, cluster: Platform, client: Client) -> None:
        client.run("neuro-extras", "seldon", "init-package", "pkg")
        assert sorted(path.name for path in (client.folder / "pkg").iterdir()) == ["seldon.Dockerfile", "seldon_model.py"]
        arguments = ["--name", "neuro-model", "image:examples/mnist:seldon", "storage:examples/mnist/model.pkl"]
        deployment = yaml.safe_load(client.run("neuro-extras", "seldon", "generate-deployment", *arguments))
        pod = deployment["spec"]["predictors"][0]["componentSpecs"][0]["spec"]
        assert pod["containers"][0]["image"] == f"{cluster.registry}/course/default/examples/mnist:seldon"

    def test_an_image_has_a_digest_until_it_is_removed(self, cluster: Platform, client: Client) -> None:
        cluster.upload("contexts/gone/Dockerfile", b"FROM ubuntu\n")
        cluster.waited(cluster.build("contexts/gone", "examples/gone:1"), "succeeded")
        assert "sha256:" in client.run("neuro", "image", "digest", "image:examples/gone:1")
        client.run("neuro", "image", "rm", "image:examples/gone:1")
        assert "examples/gone" not in client.run("neuro", "image", "ls")

    @pytest.mark.parametrize(
        "command",
        [["exec", "--no-tty", "{job}", "true"], ["secret", "ls"]],
        ids=["exec", "secrets"],
    )
    def test_missing_features_are_refused_by_name(self, cluster: Platform, client: Client, command: list[str]) -> None:
        job_id = cluster.start("ubuntu", "sleep 1000")
        cluster.waited(job_id, "running")
        refused = client.run("neuro", *[word.format(job=job_id) for word in command], status=None)
        assert "is not supported by minipdk" in refused.replace("\n", " ")
        cluster.ask("DELETE", f"/api/v1/jobs/{job_id}")
