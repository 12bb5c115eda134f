"""The iris lab's checks, against a real pachd: each likely mistake is named, and none ends in a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

from course import Profile
from course.labs.index import load
from course.labs.iris_pipeline.check import FOLDERS, Checks
from minipdk.common.home import Home
from minipdk.common.ports import HOST

ROOT = Path(__file__).parents[4]
IRIS = ROOT / "sample-data" / "iris"
PROJECT = pfs.Project(name="pdk-iris")


class Lab:
    """A learner at the lab: their actions on the cluster, and the answers of the checks."""

    def __init__(self, client: Client, checks: Checks, capsys: pytest.CaptureFixture[str]) -> None:
        self.client, self.checks, self._capsys = client, checks, capsys

    def repos(self, *names: str, project: pfs.Project = PROJECT) -> None:
        for name in names:
            self.client.pfs.create_repo(repo=pfs.Repo(name=name, type="user", project=project), update=True)

    def commit(self, repo: str, *, append: bool = False, **files: bytes) -> pfs.Commit:
        """Commit CSV files, named without their suffix."""
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"pdk-iris/{repo}@master")) as commit:
            for name, data in files.items():
                commit.put_file_from_bytes(path=f"/{name}.csv", data=data, append=append)
        return commit

    def pipeline(self, name: str, source: dict[str, Any], *script: str, update: bool = False, **fields: Any) -> None:
        """A pipeline of that name that runs a shell script instead of the lab's own code."""
        transform = {"image": "python:3.11", "cmd": ["sh", "-e"], "stdin": script or ["true"]}
        spec = {
            "pipeline": {"name": name, "project": {"name": "pdk-iris"}},
            "transform": transform,
            "input": source,
        } | fields
        self.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec), update=update)

    def stages(self) -> None:
        """The whole lab as far as step 7, with scripts that copy instead of learn."""
        self.repos("training", "attributes")
        self.commit("training", iris=(IRIS / "iris.csv").read_bytes())
        self.pipeline(
            "pre_process",
            pfs_input("training", "/"),
            "cp /pfs/training/iris.csv /pfs/out/x_train.csv",
            "touch /pfs/out/y_train.csv",
        )
        self.pipeline("train", pfs_input("pre_process", "/"), "cp /pfs/pre_process/x_train.csv /pfs/out/model.pt")
        self.commit("attributes", test1=b"1\n", test2=b"2\n")
        self.pipeline("inference", CROSS, "cp /pfs/attributes/* /pfs/out")

    def says(self, check: str, *arguments: object) -> str:
        """The last line that the check prints: a tick or a hint."""
        self._capsys.readouterr()
        getattr(self.checks, check)(*arguments)
        return self._capsys.readouterr().out.splitlines()[-1]


def pfs_input(repo: str, glob: str) -> dict[str, Any]:
    return {"pfs": {"repo": repo, "glob": glob}}


CROSS = {"cross": [pfs_input("attributes", "/*"), pfs_input("train", "/")]}


@pytest.fixture(scope="module")
def client(home: Home, run_service: Callable[..., Any]) -> Client:
    run_service(home, "pachyderm", "pachd", "s3")
    return Client(host=HOST, port=home.port("pachd"), auth_token=home.token)


@pytest.fixture
def lab(client: Client, capsys: pytest.CaptureFixture[str]) -> Lab:
    """The lab, started over."""
    if client.pfs.project_exists(PROJECT):
        client.pps.delete_pipelines(projects=[PROJECT])
        client.pfs.delete_repos(projects=[PROJECT])
    else:
        client.pfs.create_project(project=PROJECT)
    return Lab(client, checks_with(client), capsys)


def checks_with(client: object) -> Checks:
    """The checks of a profile that has only a Pachyderm client."""
    return Checks(cast(Profile, SimpleNamespace(pachyderm=client)))


def test_the_pipelines_run_the_images_of_the_lab() -> None:
    images = load(ROOT).lab("iris-pipeline").images
    assert [f"containers/{folder}" for folder in FOLDERS.values()] == [image.folder for image in images]


def test_a_repository_that_is_missing_misnamed_or_elsewhere_gets_its_hint(lab: Lab) -> None:
    assert lab.says("repositories") == (
        "✗ Not yet: the repository training is there. Hint: create it: pachctl create repo training"
    )
    lab.repos("trainning")
    assert lab.says("repositories").endswith("Hint: there is 'trainning', which has to be called 'training'")
    lab.repos("training")
    lab.repos("attributes", project=pfs.Project(name="default"))
    assert lab.says("repositories").endswith("Hint: there is default/attributes, in another project: make it in pdk-iris")
    lab.repos("attributes")
    assert lab.says("repositories") == "✓ the repository attributes is there"


def test_missing_misnamed_appended_and_short_data_get_their_hints(lab: Lab) -> None:
    iris = (IRIS / "iris.csv").read_bytes()
    lab.repos("training", "attributes")
    assert lab.says("training_data").endswith("Hint: nothing has been committed to training@master")
    lab.commit("training", irises=iris)
    assert lab.says("training_data").endswith("Hint: there is '/irises.csv', which has to be called '/iris.csv'")
    lab.commit("training", iris=iris)
    assert lab.says("training_data").endswith("Hint: there is also /irises.csv: delete it")
    with lab.client.pfs.commit(branch=pfs.Branch.from_uri("pdk-iris/training@master")) as commit:
        commit.delete_file(path="/irises.csv")
    assert lab.says("training_data") == "✓ iris.csv holds 150 flowers"
    lab.commit("training", append=True, iris=iris)
    assert lab.says("training_data").endswith("Hint: it has 301: appended to the old file? Put it without append=True")
    lab.commit("training", iris=b"".join(iris.splitlines(keepends=True)[:11]))
    assert lab.says("training_data").endswith("Hint: it has 10: put the whole iris.csv")
    lab.commit("attributes", test1=b"1\n")
    assert lab.says("attributes").endswith("Hint: /test2.csv is missing: there is /test1.csv")


def test_a_commit_that_is_still_open_is_named(lab: Lab) -> None:
    lab.repos("training")
    branch = pfs.Branch.from_uri("pdk-iris/training@master")
    lab.client.pfs.start_commit(branch=branch)
    assert lab.says("training_data").endswith("Hint: its newest commit is open: pachctl finish commit training@master")


def test_a_pipeline_that_is_missing_misnamed_or_reads_something_else_gets_its_hint(lab: Lab) -> None:
    lab.repos("training", "attributes")
    assert lab.says("pre_process").endswith(
        "Not yet: the pipeline pre_process is there. Hint: create it in the cell of this step"
    )
    lab.pipeline("pre-process", pfs_input("training", "/"))
    assert lab.says("pre_process").endswith("Hint: there is 'pre-process', which has to be called 'pre_process'")
    lab.pipeline("pre_process", pfs_input("attributes", "/"))
    assert lab.says("pre_process").endswith(
        "Not yet: pre_process reads training with the glob /. Hint: its input is attributes"
    )
    lab.pipeline("pre_process", pfs_input("training", "/*"), update=True)
    assert lab.says("pre_process").endswith("Hint: its glob is /*: the whole repository has to be one datum")


def test_a_failed_job_a_missing_image_and_a_missing_output_get_their_hints(lab: Lab) -> None:
    lab.repos("training")
    lab.commit("training", iris=b"broken\n")
    source = pfs_input("training", "/")
    lab.pipeline("pre_process", source, "echo 'error: iris.csv has no column species'", "exit 1", datum_tries=1)
    assert lab.says("pre_process").endswith(
        "Hint: its job is JOB_FAILURE; its log ends with: error: iris.csv has no column species"
    )
    lab.pipeline("pre_process", source, "touch /pfs/out/x_train.csv", update=True)
    assert lab.says("pre_process").endswith("Hint: /y_train.csv is missing: there is /x_train.csv")
    lab.pipeline("train", pfs_input("pre_process", "/"), transform={"image": "pdk-iris-train:0.9", "cmd": ["true"]})
    hint = lab.says("train")
    assert hint.startswith("✗ Not yet: train has run. Hint: the pipeline cannot start: ")
    assert "`minipdk image build containers/iris-train -t pdk-iris-train:0.9`" in hint


def test_an_inference_without_the_cross_or_with_the_wrong_glob_gets_its_hint(lab: Lab) -> None:
    lab.repos("attributes", "train")
    lab.pipeline("inference", pfs_input("attributes", "/*"))
    assert "Not yet: inference crosses attributes and train. Hint: its input has to be" in lab.says("inference")
    lab.pipeline("inference", {"cross": [pfs_input("attributes", "/"), pfs_input("train", "/")]}, update=True)
    assert lab.says("inference").endswith("Hint: its glob is /: each file has to be a separate datum")
    lab.pipeline("inference", CROSS, update=True)
    assert lab.says("inference").endswith("Hint: commit test1.csv and test2.csv to attributes")


def test_from_the_results_to_the_provenance_each_mistake_is_named(lab: Lab) -> None:
    lab.stages()
    assert lab.says("inference") == "✓ inference holds test1.csv, test2.csv"
    assert "keep its lines in `species`" in lab.says("results", [])
    assert "keep its lines in `species`" in lab.says("results", ...)
    assert lab.says("results", ["2"]).endswith("Hint: that is test2.csv: read /test1.csv")
    assert lab.says("results", b"1\n") == "✓ test1.csv holds these species"

    assert "parallelism_spec.constant is 1: set it to 3" in lab.says("workers")
    assert "/batch6.csv is missing: there is /test1.csv, /test2.csv" in lab.says("parallel")
    lab.commit("attributes", batch1=b"1\n", batch2=b"1\n", batch3=b"1\n", batch4=b"1\n", batch5=b"1\n", batch6=b"1\n")
    assert "commit all six files in one commit" in lab.says("parallel")
    assert "delete /batch1.csv, " in lab.says("cleared")
    first = lab.client.pps.list_job(pipeline=pps.Pipeline(name="inference", project=PROJECT))
    old = [job.output_commit for job in first][-1]
    with lab.client.pfs.commit(branch=pfs.Branch.from_uri("pdk-iris/attributes@master")) as commit:
        for number in range(1, 7):
            commit.delete_file(path=f"/batch{number}.csv")
    assert lab.says("cleared") == "✓ their results are gone too"

    assert lab.says("training_update").endswith("Hint: it is as it was: commit it without a few lines")
    before = lab.client.pfs.inspect_branch(branch=pfs.Branch.from_uri("pdk-iris/training@master")).head
    after = lab.commit("training", iris=b"".join((IRIS / "iris.csv").read_bytes().splitlines(keepends=True)[:-2]))
    assert lab.says("training_update") == "✓ its datums were processed again"
    assert lab.says("attributes_update").endswith("Hint: both files are as before: change a line of test2.csv")
    lab.commit("attributes", test1=b"3\n", test2=b"4\n")
    assert lab.says("attributes_update").endswith("Hint: both files have changed: put test2.csv alone")
    newest = lab.commit("attributes", test2=b"5\n")
    assert lab.says("attributes_update") == "✓ one datum was processed and one skipped"

    assert "keep the commit of train, found in the provenance" in lab.says("provenance", None, None)
    assert "that is the inference's own commit" in lab.says("provenance", newest, None)
    assert "there is no commit nonsense in train" in lab.says("provenance", "nonsense", None)
    assert "is another commit of training" in lab.says("provenance", after.id, before.id)
    assert lab.says("provenance", after.id, after.id) == "✓ it was trained on 148 flowers"
    assert "this made the newest one; ask an older commit" in lab.says("older_provenance", after.id, after.id)
    model = next(
        origin
        for origin in lab.client.pfs.inspect_commit(commit=old).direct_provenance
        if origin.repo.name == "train" and origin.repo.type == "user"
    )
    assert lab.says("older_provenance", model, before) == "✓ it was trained on 150 flowers"


def test_a_cluster_that_does_not_answer_gives_a_hint_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Gone:
        """A client without a server."""

        def get_version(self) -> None:
            raise ConnectionError("Could not connect to pachyderm instance")

    checks_with(Gone()).connected()
    assert capsys.readouterr().out.startswith("✗ ")
