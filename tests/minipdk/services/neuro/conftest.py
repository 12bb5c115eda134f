"""The platform with the services that run its jobs, and its real clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import REPOSITORY, ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.kubernetes.certificates import write_kubeconfig
from minipdk.services.kubernetes.service import kubeconfig
from minipdk.services.neuro.service import variables

ENDED = ("succeeded", "failed", "cancelled")
KANIKO = "gcr.io/kaniko-project/executor:v1.20.0-debug"
PROJECT = "course/default"


@dataclass
class Client:
    """The programs of one environment, logged in or not, with separate folders for their configuration and their work.

    ``separator`` stands between the image and the command of a job.
    """

    programs: Path
    environment: dict[str, str]
    folder: Path

    def run(self, *command: str, status: int | None = 0, stdin: str | None = None) -> str:
        """The output of a command, both streams, which must end with ``status``; None for any but 0."""
        done = subprocess.run(
            [self.programs / command[0], *command[1:]],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            input=stdin,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status if status is not None else done.returncode != 0, output
        return output


@dataclass
class Platform:
    """The platform at its port, with requests of its user."""

    home: Home
    process: ServiceProcess
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    @property
    def token(self) -> str:
        return variables(self.home)["NEURO_TOKEN"]

    @property
    def url(self) -> str:
        return self.home.url("neuro")

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=60, **options)

    def storage(self, method: str, path: str, op: str, **options: Any) -> requests.Response:
        params = {"op": op, **options.pop("params", {})}
        return self.ask(method, f"/storage/{PROJECT}/{path}", params=params, **options)

    def upload(self, path: str, content: bytes) -> None:
        folder, _, _ = path.rpartition("/")
        if folder:
            assert self.storage("PUT", folder, "MKDIRS").status_code == 201
        assert self.storage("PUT", path, "CREATE", data=content).status_code == 201

    def submit(self, image: str, command: str = "", **fields: Any) -> requests.Response:
        body = {"image": image, "command": command, "preset_name": "cpu-small", "http": {"port": 80}, **fields}
        return self.ask("POST", "/api/v1/jobs?from_preset", json=body)

    def start(self, image: str, command: str = "", **fields: Any) -> str:
        """The id of a new job."""
        answer = self.submit(image, command, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def build(self, context: str, destination: str, *, dockerfile: str = "Dockerfile", options: str = "") -> str:
        """The id of a build whose context is in the storage."""
        command = (
            f"--context=/kaniko_context --dockerfile=/kaniko_context/{dockerfile} "
            f"--destination={self.registry}/{PROJECT}/{destination} {options}"
        )
        volume = {"src_storage_uri": f"storage://minipdk/{PROJECT}/{context}", "dst_path": "/kaniko_context"}
        return self.start(KANIKO, command, volumes=[volume])

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.home.port('neuro')}"

    def job(self, job_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("GET", f"/api/v1/jobs/{job_id}").json()
        return answer

    def waited(self, job_id: str, *statuses: str) -> dict[str, Any]:
        """The job once it has one of the ``statuses``, or has ended."""
        expected = statuses or ENDED

        def reached() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in expected or job["status"] in ENDED else None

        job = wait_for(reached, what=f"{job_id} to be {' or '.join(expected)}")
        assert job["status"] in expected, job["history"]
        return job

    def kubectl(self, *arguments: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig(self.home))}
        command = ["kubectl", "--namespace", "neuro-jobs", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def platform(home: Home, run_service: Callable[..., ServiceProcess]) -> Platform:
    """The platform alone: it accepts jobs, and runs builds."""
    return Platform(home, run_service(home, "neuro", "neuro"))


@pytest.fixture(scope="module")
def cluster(home: Home, run_service: Callable[..., ServiceProcess]) -> Platform:
    """The platform with the Kubernetes API, the node and the ingress."""
    run_service(home, "kubernetes", "kubernetes")
    write_kubeconfig(home)
    run_service(home, "serving", "ingress")
    return Platform(home, run_service(home, "neuro", "neuro"))


@pytest.fixture(scope="session")
def environments() -> Callable[[str], Path]:
    """``environments("neuro")`` is the folder with the programs of `.venv-neuro`, made first if it is missing."""

    def programs(name: str) -> Path:
        folder = REPOSITORY / f".venv-{name}"
        script = REPOSITORY / "requirements" / "clients.py"
        subprocess.run([sys.executable, script, name, folder], check=True, stdout=subprocess.DEVNULL)
        return folder / "bin"

    return programs


@pytest.fixture(scope="module")
def client_of(
    environments: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Platform, str], Client]:
    """``client_of(platform, "neuro")`` is a client that is not logged in."""

    def client(platform: Platform, name: str) -> Client:
        folder = tmp_path_factory.mktemp("client")
        programs = environments(name)
        own = variables(platform.home) | dict.fromkeys(("APOLO_CONFIG", "NEUROMATION_CONFIG"), str(folder / "config"))
        path = f"{programs}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", "COLUMNS": "200", "TZ": "UTC", **own}
        (folder / "work").mkdir()
        return Client(programs, environment, folder / "work")

    return client
