"""The image contexts and the pipeline specs fit each other, the course's pins and the scripts."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / "pipelines" / "churn"
SPECS = sorted(path.name for path in PIPELINES.glob("*.json"))
IMAGES = sorted(path.parent.name for path in (ROOT / "containers").glob("*/Dockerfile"))


def spec(name: str) -> dict[str, Any]:
    return dict(json.loads((PIPELINES / name).read_text()))


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_contains_every_module_of_its_folder(image: str) -> None:
    dockerfile = (ROOT / "containers" / image / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (.*)$", dockerfile, re.M) for word in line.split()[:-1]}
    folder = ROOT / "containers" / image
    assert copied == {path.name for path in (*folder.glob("*.py"), *folder.glob("requirements.txt"))}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_pins_the_versions_of_the_course(image: str) -> None:
    course = set(re.findall(r"^([\w-]+==\S+)", (ROOT / "requirements.txt").read_text(), re.M))
    requirements = ROOT / "containers" / image / "requirements.txt"
    pins = re.findall(r"^([\w-]+==\S+)", requirements.read_text() if requirements.exists() else "", re.M)
    assert set(pins) <= course


@pytest.mark.parametrize("name", SPECS)
def test_the_client_knows_every_field_of_a_spec(name: str) -> None:
    from pachyderm_sdk.api.pps import CreatePipelineRequest

    request = CreatePipelineRequest().from_dict(spec(name))
    assert request.pipeline.project.name == "pdk-customer-churn"
    assert request.pipeline.name == f"customer-churn-{'train' if 'training' in name else 'deploy'}"
    assert request.input.pfs.name == "data"
    assert request.transform.image == f"pdk-churn-{'train' if 'training' in name else 'deploy'}:1.0"


def test_the_deployment_reads_what_the_training_writes() -> None:
    assert spec("deployment-pipeline.json")["input"]["pfs"]["repo"] == spec("training-pipeline.json")["pipeline"]["name"]


@pytest.mark.parametrize("kind", ["training", "deployment"])
def test_the_on_prem_variant_differs_in_where_the_model_files_are(kind: str) -> None:
    bucket, on_prem = spec(f"{kind}-pipeline.json"), spec(f"_on_prem_{kind}-pipeline.json")
    volume, mount = (operation["value"] for operation in json.loads(on_prem.pop("pod_patch")))
    assert volume["name"] == mount["name"]
    assert mount["mountPath"] == "/determined_shared_fs"
    if kind == "deployment":
        assert "--cloud-model-host" in bucket["transform"].pop("stdin")[0]
        assert "--service-account-name pach-deploy" in on_prem["transform"].pop("stdin")[0]
    assert bucket == on_prem


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_gives_the_script_the_secrets_that_it_reads(name: str) -> None:
    transform = spec(name)["transform"]
    folder = ROOT / "containers" / ("train" if "training" in name else "deploy")
    code = "".join(path.read_text() for path in folder.glob("*.py")) + transform["stdin"][0]
    given = {secret["env_var"]: secret["key"] for secret in transform["secrets"]}
    assert all(variable in code for variable in given)
    assert {secret["name"] for secret in transform["secrets"]} == {"pipeline-secret"}
    keys = {"det_master", "det_user", "det_password", "pac_token", "git_url", "kserve_namespace"}
    assert set(given.values()) <= keys


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_uses_only_flags_that_the_script_has(name: str) -> None:
    command = shlex.split(spec(name)["transform"]["stdin"][0])
    script = ROOT / "containers" / ("train" if "training" in name else "deploy") / command[1]
    known = set(re.findall(r'"(--[a-z0-9-]+)"', script.read_text()))
    assert {word for word in command if word.startswith("--")} <= known


def test_the_experiment_that_the_spec_names_is_there() -> None:
    command = shlex.split(spec("training-pipeline.json")["transform"]["stdin"][0])
    options = dict(zip(command[2::2], command[3::2], strict=True))
    assert (ROOT / options["--sub-dir"] / options["--config"]).is_file()


IRIS = sorted((ROOT / "pipelines" / "iris").glob("*.json"))


@pytest.mark.parametrize("path", IRIS, ids=lambda path: path.stem)
def test_an_iris_spec_runs_the_script_of_its_image_on_its_inputs(path: Path) -> None:
    from pachyderm_sdk.api.pps import CreatePipelineRequest

    request = CreatePipelineRequest().from_dict(json.loads(path.read_text()))
    inputs = [request.input.pfs.repo] if request.input.pfs.repo else [crossed.pfs.repo for crossed in request.input.cross]
    folder = ROOT / "containers" / request.transform.image.removeprefix("pdk-").removesuffix(":1.0")
    interpreter, script, *folders = request.transform.cmd
    assert (interpreter, script) == ("python3", f"/app/{next(folder.glob('*.py')).name}")
    assert sorted(folders) == sorted(f"/pfs/{name}" for name in [*inputs, "out"])
    assert request.pipeline.project.name == ""  # the project of the context
