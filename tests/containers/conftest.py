"""The steps of the churn pipelines run as scripts against a real pachd, Determined master and Kubernetes API."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml
from pachyderm_sdk import Client
from pachyderm_sdk.api.pfs import Branch, Project, Repo

from minipdk.common.home import Home
from minipdk.services.determined.service import master_url
from minipdk.services.kubernetes.certificates import ensure_tls, write_kubeconfig

ROOT = Path(__file__).parents[2]
PROJECT, REPO, MODEL = "pdk-customer-churn", "customer-churn-data", "customer-churn"


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return pd.read_csv(ROOT / "sample-data" / "customer_churn_sample.csv", keep_default_na=False)


@pytest.fixture(scope="module", autouse=True)
def own_user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Determined's client keeps its tokens in the user's folder, so it gets another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("user")))
        yield


@pytest.fixture(scope="module")
def services(home: Home, run_service: Callable[..., Any]) -> Home:
    run_service(home, "pachyderm", "pachd", "s3")
    run_service(home, "determined", "determined")
    ensure_tls(home)
    write_kubeconfig(home)
    run_service(home, "kubernetes", "kubernetes")
    return home


@pytest.fixture(scope="module")
def pachyderm(services: Home) -> Client:
    client = Client(host="127.0.0.1", port=services.port("pachd"), auth_token=services.token)
    client.pfs.create_project(project=Project(name=PROJECT))
    client.pfs.create_repo(repo=Repo(name=REPO, type="user", project=Project(name=PROJECT)))
    return client


@pytest.fixture(scope="module")
def determined(services: Home) -> Any:
    from determined.experimental import Determined

    client = Determined(master_url(services), "determined", services.token)
    client.create_workspace("PDK Demos").create_project(PROJECT)
    return client


@pytest.fixture(scope="module")
def commit(pachyderm: Client) -> Callable[[dict[str, bytes | None]], str]:
    """Commit files (None deletes) to master and return the commit's id."""

    def put(files: dict[str, bytes | None]) -> str:
        branch = Branch(name="master", repo=Repo(name=REPO, type="user", project=Project(name=PROJECT)))
        with pachyderm.pfs.commit(branch=branch) as open_commit:
            for path, content in files.items():
                if content is None:
                    open_commit.delete_file(path=path)
                else:
                    open_commit.put_file_from_bytes(path=path, data=content)
        return str(open_commit.id)

    return put


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with the ported experiment, shortened to twenty batches."""
    folder = tmp_path_factory.mktemp("git") / "course"
    experiment = folder / "experiment"
    shutil.copytree(ROOT / "solutions/port-experiment/experiment", experiment, ignore=shutil.ignore_patterns("__pycache__"))
    config = yaml.safe_load((experiment / "const.yaml").read_text())
    config["searcher"]["max_length"], config["min_validation_period"] = {"batches": 20}, {"batches": 10}
    (experiment / "const.yaml").write_text(yaml.safe_dump(config))
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The experiment"]):
        subprocess.run([*git, *arguments], check=True)
    return folder


@pytest.fixture
def train(
    services: Home,
    determined: Any,
    repository: Path,
    import_from: Callable[[str, str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., dict[str, Any]]:
    """Run the step for a job and return the model-info.yaml it writes."""
    module = import_from("containers/train", "train")
    monkeypatch.setattr(module, "OUTPUT", tmp_path)

    def run(job: str, *options: str, **environment: str) -> dict[str, Any]:
        variables = {
            "HOME": str(tmp_path),  # as in a container, no token is kept there
            "DET_MASTER": master_url(services),
            "DET_USER": "determined",
            "DET_PASSWORD": services.token,
            "PAC_TOKEN": services.token,
            "PACH_JOB_ID": job,
            "PACHD_PEER_SERVICE_HOST": "127.0.0.1",
            "PACHD_PEER_SERVICE_PORT": str(services.port("pachd")),
            "PPS_PIPELINE_NAME": "customer-churn-train",
            "data_COMMIT": job,
        }
        for name, value in (variables | environment).items():
            monkeypatch.setenv(name, value)
        command = ["train.py", "--git-url", repository.as_uri(), "--git-ref", "main", "--sub-dir", "experiment"]
        command += ["--config", "const.yaml", "--repo", REPO, "--model", MODEL, "--project", PROJECT]
        monkeypatch.setattr(sys, "argv", [*command, *options])
        module.main()
        return dict(yaml.safe_load((tmp_path / "model-info.yaml").read_text()))

    return run
