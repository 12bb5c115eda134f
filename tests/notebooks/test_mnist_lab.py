"""The parts of the MNIST lab that no other lab has: gaps in files, secrets that no output shows, hints on mistakes. 120 s.

The mistakes are made with the real clients on the real platform, in the order of the lab, so that each hint fits the words
that a learner gets.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

import course
from course import commands
from course.labs.mnist.check import Checks
from course.profile import REQUIRED
from tests.notebooks.conftest import ROOT, CourseCluster, prose

LAB = ROOT / "labs" / "mnist" / "lab.ipynb"
SOLUTION, DIGITS = ROOT / "solutions" / "mnist", ROOT / "sample-data" / "mnist"
TOKEN = re.compile(r"eyJ[\w-]{10,}|U1FMaXRl|\"auths\"|dockerconfigjson:")
"""The beginning of a JSON Web Token, of a database in base64, and parts of a registry's secret."""

FEW = 64
"""Digits to train on here, so that a job takes a moment."""

CLEARED = """
kubectl delete namespace seldon --ignore-not-found
neuro image rm -f image:examples/mnist:train image:examples/mnist:seldon || true
neuro rm -r storage:examples/mnist || true
neuro mkdir -p storage:examples/mnist
"""
RUN = "neuro run -n train-mnist --detach -s cpu-small"
VOLUME = "-v storage:examples/mnist:/var/storage"
SERVE = "neuro run -n example-mnist --no-http-auth --detach -s cpu-small -v storage:examples/mnist:/storage:ro"
APPLY = "kubectl -n seldon apply -f -"
DEPLOY = "neuro-extras seldon generate-deployment --name neuro-model image:examples/mnist:seldon"
pytestmark = pytest.mark.timeout(1800)


def test_every_file_with_a_gap_is_named_in_the_lab() -> None:
    text = prose(LAB)
    gaps = [
        path for path in LAB.parent.iterdir() if path.suffix in {".py", ".Dockerfile"} and "Your turn:" in path.read_text()
    ]
    assert sorted(path.name for path in gaps) == ["main.py", "seldon_model.py", "train.Dockerfile"]
    for path in gaps:
        assert f"**Your turn in** `{path.name}`" in text


def test_no_output_of_the_solution_shows_a_secret() -> None:
    cells = nbformat.read(ROOT / "solutions" / "mnist" / "lab.ipynb", as_version=4).cells
    outputs = [str(cell.outputs) for cell in cells if cell.cell_type == "code"]
    assert [output for output in outputs if TOKEN.search(output)] == []


class Learner:
    """A learner in a copy of the solution, and the answers of the checks."""

    def __init__(self, folder: Path, profile: course.Profile, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.profile, self._capsys = folder, profile, capsys
        self.checks = Checks(profile)

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        return commands.shell(command)

    def says(self, check: Callable[..., None], *arguments: object) -> str:
        """The last line that the check prints: a tick or a hint."""
        self._capsys.readouterr()
        check(*arguments)
        return self._capsys.readouterr().out.splitlines()[-1]

    def trains(self, options: str) -> str:
        """The answer of the check of step 6 after a job with these options."""
        run = self.types(f"{RUN} {options} image:examples/mnist:train")
        return self.says(self.checks.trained, run, commands.shell("neuro logs train-mnist"))


@pytest.fixture(scope="module")
def folder() -> Path:
    """A copy of the solution's files with few digits, in the repository."""
    folder = ROOT / "build" / "mnist-mistakes"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOLUTION, folder, ignore=shutil.ignore_patterns("data", "pkg", "lab.ipynb", "__pycache__"))
    return folder


@pytest.fixture
def learner(
    course_cluster: CourseCluster,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Learner:
    for name in (*REQUIRED, "NEURO_API", "NEURO_TOKEN", "APOLO_CONFIG", "NEUROMATION_CONFIG"):
        monkeypatch.setenv(name, "")  # restored afterwards: loading the profile sets them
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.chdir(folder)
    return Learner(folder, course.load(str(course_cluster.profile)), capsys)


def write_few_digits(folder: Path) -> None:
    """The first digits of each file: another set, as Fashion-MNIST would be."""
    folder.mkdir(exist_ok=True)
    for path in DIGITS.glob("*-ubyte"):
        data = path.read_bytes()
        head, size = 4 + 4 * data[3], 784 if data[3] == 3 else 1
        content = data[:4] + FEW.to_bytes(4, "big") + data[8:head] + data[head : head + FEW * size]
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(content))


def test_step_1_names_another_login(learner: Learner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    login = 'neuro config login-with-token "$NEURO_TOKEN" "$NEURO_API"'
    monkeypatch.setenv("APOLO_CONFIG", str(tmp_path))
    assert "another folder than the profile's: run the first cells again" in learner.says(learner.checks.logged_in)
    monkeypatch.setenv("APOLO_CONFIG", learner.profile["APOLO_CONFIG"])
    learner.types("rm $APOLO_CONFIG/*")
    assert "✗ Not yet: `neuro config show` works. Hint: " in learner.says(learner.checks.logged_in)
    learner.types(login)
    assert learner.says(learner.checks.logged_in) == "✓ current project: default"
    other = learner.profile["NEURO_API"].replace("127.0.0.1", "localhost")
    assert learner.types(f'neuro config login-with-token "$NEURO_TOKEN" {other}').returncode == 0
    assert "Hint: you are logged in at http" in learner.says(learner.checks.logged_in)
    learner.types(login)


def test_every_command_in_the_text_works(learner: Learner) -> None:
    """The others are in cells, or want a browser, as `neuro login` does."""
    blocks = "".join(re.findall(r"```bash\n(.*?)```", prose(LAB), re.S))
    typed = [line for line in blocks.splitlines() if line and not line.startswith(("eval", "neuro login"))]
    assert typed == ["neuro config show", "neuro-extras image build --help", "neuro image ls"]
    for command in typed:
        assert learner.types(command).returncode == 0, command


def test_step_2_names_missing_digits(learner: Learner) -> None:
    assert learner.says(learner.checks.program).endswith("python sample-data/mnist/generate.py")
    write_few_digits(learner.folder / "data")
    assert learner.says(learner.checks.program) == "✓ a step on 64 digits works"


def test_step_4_names_a_build_without_f_and_an_image_that_exists(learner: Learner) -> None:
    learner.types(CLEARED)
    build = learner.types("neuro-extras image build . image:examples/mnist:train")
    said = learner.says(learner.checks.built, "train", build)
    assert "Hint: without -f it looks for a file called Dockerfile: -f train.Dockerfile" in said
    command = "neuro-extras image build -f train.Dockerfile . image:examples/mnist:train"
    assert learner.says(learner.checks.built, "train", learner.types(command)).startswith("✓ the registry has")
    again = learner.types(command)
    assert learner.says(learner.checks.built, "train", again).endswith(
        "Hint: the image exists already: with -F the build replaces it"
    )


def test_steps_6_and_7_name_a_model_that_vanished_and_a_killed_job(learner: Learner) -> None:
    assert "/tmp/model.pkl is not below /var/storage" in learner.trains(f"{VOLUME} -e MODEL_PATH=/tmp/model.pkl")
    assert "storage:examples/mnist has model.pkl. Hint: the folder is empty: is MODEL_PATH in step 6" in learner.says(
        learner.checks.stored
    )
    variable = "-e MODEL_PATH=/var/storage/model.pkl"
    run = learner.types(f"{RUN} {VOLUME} {variable} image:examples/mnist:train; neuro kill train-mnist")
    logs = commands.shell("neuro logs train-mnist")
    assert "it was killed before its end: run it again" in learner.says(learner.checks.trained, run, logs)
    assert "more EPOCHS in main.py, then build and run again" in learner.trains(f"{VOLUME} {variable}")
    assert learner.says(learner.checks.stored) == "✓ it has 4.8 MB"


def test_step_8_names_a_folder_that_is_there(learner: Learner) -> None:
    assert learner.types("neuro-extras seldon init-package .").returncode == 1
    assert "it makes a new folder, so `.` is refused" in learner.says(learner.checks.scaffolded)
    learner.types("neuro-extras seldon init-package pkg")
    assert learner.says(learner.checks.scaffolded) == "✓ pkg/seldon.Dockerfile is there"


def test_step_10_names_a_wrong_port_and_a_misspelt_field(learner: Learner) -> None:
    learner.types("cp seldon_model.py main.py requirements.txt pkg/")
    build = learner.types("neuro-extras image build -F -f seldon.Dockerfile pkg image:examples/mnist:seldon")
    assert learner.says(learner.checks.built, "seldon", build).startswith("✓ the registry has")
    run = learner.types(f"{SERVE} --http 9000 image:examples/mnist:seldon")
    assert "it is 9000: Seldon's server listens on 5000, so run it with --http 5000" in learner.says(
        learner.checks.running, run
    )
    assert "Hint: it is running: neuro kill example-mnist" in learner.says(learner.checks.killed)
    learner.types("neuro kill example-mnist")
    assert learner.says(learner.checks.killed) == "✓ example-mnist is cancelled"
    run = learner.types(f"{SERVE} --http 5000 image:examples/mnist:seldon")
    assert learner.says(learner.checks.running, run) == "✓ its server answers"
    url = commands.shell("neuro status example-mnist | awk '/Http URL/ {print $3}'").stdout.strip().rstrip("/")
    for form, hint in {
        "bindata=@img_103.jpg": "The picture is the form's field binData: -F binData=@img_103.jpg",
        "binData=@main.py": "The file is not a picture: send img_103.jpg",
    }.items():
        curl = learner.types(f"curl -sS -F {form} {url}/predict")
        assert learner.says(learner.checks.answered, curl).endswith(hint)
    learner.types("neuro kill example-mnist")


def test_step_12_names_swapped_and_misplaced_secrets_and_a_token_on_disk(learner: Learner) -> None:
    registry, config = (f"neuro-extras k8s generate-{kind}secret" for kind in ("registry-", ""))
    learner.types(f"kubectl create namespace seldon && {registry} | kubectl apply -n default -f -")
    assert "apolo-registry is in seldon. Hint: it is in default" in learner.says(learner.checks.secrets)
    learner.types(f"{registry} --name apolo | {APPLY}; {config} --name apolo-registry | {APPLY}")
    assert "they are swapped" in learner.says(learner.checks.secrets)
    learner.types("kubectl -n seldon delete secret apolo apolo-registry; kubectl -n default delete secret apolo-registry")
    learner.types(f"{registry} > secret.yaml; cat secret.yaml | {APPLY}; {config} | {APPLY}")
    assert "secret.yaml has one: delete it. Pipe secrets into kubectl" in learner.says(learner.checks.secrets)
    (learner.folder / "secret.yaml").unlink()
    assert learner.says(learner.checks.secrets) == "✓ no file here has a token"


def test_step_13_names_missing_secrets_and_a_wrong_path_in_the_clusters_words(learner: Learner) -> None:
    learner.types(f"{DEPLOY} storage:examples/mnist/modell.pkl | {APPLY}")
    said = learner.says(learner.checks.deployed)
    assert "the init container apolo-download says: " in said
    assert said.endswith("the model is storage:examples/mnist/model.pkl"), said
    learner.types("kubectl -n seldon delete sdep neuro-model; kubectl -n seldon delete secret apolo-registry")
    learner.types(f"{DEPLOY} storage:examples/mnist/model.pkl | {APPLY}")
    said = learner.says(learner.checks.deployed)
    assert "ErrImagePull: " in said or "ImagePullBackOff: " in said
    assert "Without the secret apolo-registry of step 12 the registry refuses the cluster" in said
    learner.types("kubectl -n seldon delete sdep neuro-model; kubectl -n seldon delete secret apolo")
    learner.types(f"{DEPLOY} storage:examples/mnist/model.pkl | {APPLY}")
    assert "The client's configuration is missing: step 12 makes the secret apolo" in learner.says(learner.checks.deployed)
    learner.types("kubectl delete namespace seldon")
