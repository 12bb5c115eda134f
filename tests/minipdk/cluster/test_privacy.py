"""After it was used, a cluster's folder has no file that another user could read, under any umask."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pps
from tests.conftest import ServiceProcess, new_home, wait_for
from tests.minipdk.services.kserve.conftest import Cluster, FakeS3
from tests.minipdk.services.pachyderm.conftest import connect
from tests.minipdk.services.pachyderm.pipelines import Workbench
from tests.privacy import readable_by_others, with_secrets

from minipdk.cluster.services import SERVICES
from minipdk.common.home import Home, save
from minipdk.images import ImageStore

PROCESSES = {
    "kubernetes": ("kubernetes",),
    "pachyderm": ("pachd", "s3"),
    "serving": ("ingress",),
    "determined": ("determined",),
}
CONTENT_OF_USERS = ("layers",)
"""Folders of images, whose files have the modes that their Dockerfiles give them; no secret is there."""
SECRET = "a secret of the user's"


@pytest.fixture(scope="module", params=[0o000, 0o022], ids=["umask 000", "umask 022"])
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_service: Callable[..., ServiceProcess]
) -> Iterator[Home]:
    """A cluster that was used under a umask, in a folder that was there before."""
    before = os.umask(request.param)
    path = tmp_path_factory.mktemp("cluster") / "home"
    home = new_home(path)
    path.chmod(0o755)
    home = save(path, home.identity)  # as each start does
    for service in SERVICES:
        service.write_client_files(home)
    for name, ports in PROCESSES.items():
        run_service(home, name, *ports)
    use(home, connect(home), path.parent)
    yield home
    os.umask(before)


def use(home: Home, client: Client, folder: Path) -> None:
    """Put a secret into a pipeline, a pod and an image's build."""
    (folder / "Dockerfile").write_text("FROM python:3.11\nRUN touch /made\n")
    ImageStore(home).build(folder, "made:1.0")
    bench = Workbench(client)
    client.pps.create_secret(name="mine", data={"key": SECRET})
    secrets = [pps.SecretMount(name="mine", mount_path="/secret")]
    transform = pps.Transform(
        image="made:1.0", cmd=["sh"], stdin=["cat /secret/key; cp /secret/key /pfs/out"], secrets=secrets
    )
    bench.job(bench.pipeline(bench.repo(a=SECRET), transform=transform))
    s3 = FakeS3()
    cluster = Cluster(home, ServiceProcess(home, "serving"), s3)
    container = {
        "name": "main",
        "image": "made:1.0",
        "command": ["sh", "-c", "cat /secret/*; echo; cp /secret/* /scratch; sleep 1000"],
        "volumeMounts": [{"name": "secret", "mountPath": "/secret"}, {"name": "scratch", "mountPath": "/scratch"}],
    }
    volumes = [{"name": "secret", "secret": {"secretName": "mine"}}, {"name": "scratch", "emptyDir": {}}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reads"}, "spec": {"containers": [container]}}
    pod["spec"]["volumes"] = volumes  # type: ignore[index]
    cluster.kubectl("create", "secret", "generic", "mine", f"--from-literal=key={SECRET}")
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("wait", "pod/reads", "--for=condition=Ready", "--timeout=120s")
    wait_for(lambda: SECRET in cluster.kubectl("logs", "reads"), what="the pod to read its secret")
    s3.close()


def test_only_the_owner_enters_the_folder_and_those_in_it(home: Home) -> None:
    folders = [home.path, *(path for path in home.path.iterdir() if path.is_dir())]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folders if path.stat().st_mode & 0o077} == {}


def test_no_file_but_those_of_images_can_be_read_by_others(home: Home) -> None:
    assert [str(path.relative_to(home.path)) for path in readable_by_others(home.path, CONTENT_OF_USERS)] == []


def test_no_file_with_a_secret_can_be_read_by_others(home: Home) -> None:
    readable = [path for path in home.path.rglob("*") if path.is_file() and path.stat().st_mode & 0o044]
    reachable = [path for path in readable if all(parent.stat().st_mode & 0o011 for parent in _up_to(home.path, path))]
    assert with_secrets(reachable, [home.token.encode(), SECRET.encode()]) == []


def _up_to(home: Path, path: Path) -> Iterator[Path]:
    """The folders above ``path`` up to the cluster's, without that one, whose mode would protect everything."""
    return (parent for parent in path.parents if parent.is_relative_to(home) and parent != home)


def test_the_files_of_the_clone_that_hold_a_profile_s_secrets_are_private() -> None:
    """Whatever `make setup` and the notebooks have left behind in it."""
    clone = Path(__file__).parents[3]
    profile = clone / "profiles" / "embedded.env"
    lines = profile.read_text().splitlines() if profile.exists() else []
    names = ("TOKEN", "PASS", "SECRET_ACCESS_KEY")
    secrets = {line.partition("=")[2].strip("'\"") for line in lines if line.partition("=")[0].endswith(names)}
    files = readable_by_others(clone, (".git", ".venv", ".minipdk", "__pycache__"))
    assert with_secrets(files, [secret.encode() for secret in secrets if secret]) == []
