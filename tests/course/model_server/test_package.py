"""The model server's package: one set of templates for every framework, and for the lab's own package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.conftest import end, free_ports, wait_for

from course.model_server import FRAMEWORKS, render

ROOT = Path(__file__).parents[3]
LABS_OWN = ROOT / "solutions" / "model-server" / "packages" / "sklearn"
FLOWER = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
OVERLAPPING = [7.0, 3.2, 4.7, 1.4]
"""A versicolor that looks like a virginica by its sepals."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True)


def texts(folder: Path, paths: list[Path]) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for a second framework, made by the one command."""
    folder = tmp_path_factory.mktemp("packages") / "pytorch"
    made = run(ROOT, "course.model_server", "pytorch", str(folder))
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[3] == "Saved pytorchserver/example_models/0001/model.pt"
    return folder


def test_the_labs_package_is_rendered_from_the_templates(tmp_path: Path) -> None:
    made = render("sklearn", tmp_path, keep_markers=True)
    left_behind = {"__pycache__", ".pytest_cache", "0001", "0002"}
    files = [path for path in LABS_OWN.rglob("*") if path.is_file() and not left_behind & set(path.parts)]
    assert texts(LABS_OWN, files) == texts(tmp_path, made), "run `make labs`"


def test_every_framework_has_a_core_that_saves_the_file_it_names() -> None:
    for framework in FRAMEWORKS.values():
        core = (ROOT / "src/course/model_server/cores" / f"{framework.name}.py").read_text()
        assert f'MODEL_FILE = "{framework.model_file}"\n' in core


def test_training_makes_the_example_model_of_the_lab(tmp_path: Path) -> None:
    script = "import sys; from sklearnserver.trainer import config, utils; from sklearnserver.trainer.model import MyModel; "
    script += "print([MyModel(path).predict(utils.read_flowers(config.DATA)[0]).tolist() for path in sys.argv[1:]])"
    assert run(LABS_OWN, "sklearnserver.trainer", "--output", str(tmp_path)).returncode == 0
    command = [sys.executable, "-W", "error", "-c", script, "sklearnserver/example_models/0001", str(tmp_path)]
    predicted = subprocess.run(command, cwd=LABS_OWN, capture_output=True, text=True)
    committed, trained = json.loads(predicted.stdout or "[0, 1]")
    assert committed == trained, predicted.stderr


def test_a_package_is_finished_and_passes_its_own_tests(package: Path) -> None:
    text = "".join(path.read_text() for path in package.rglob("*.*") if path.suffix in {".py", ".yaml"})
    assert "<solution>" not in text
    assert "Your turn" not in text
    tests = run(package, "pytest", "-q")
    assert tests.returncode == 0, tests.stdout
    assert "14 passed" in tests.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["tensorflow", "new"],
            "there is no framework 'tensorflow': choose sklearn or pytorch, or add one to FRAMEWORKS",
        ),
        (["tensorflow", "new", "--marked"], "there is no framework 'tensorflow'"),
        (["pytorch", "."], "is not an empty folder"),
        (["pytorch", "course/py.typed/new"], "course/py.typed"),
    ],
)
def test_an_unknown_framework_and_a_folder_in_use_are_refused(arguments: list[str], message: str) -> None:
    refused = run(ROOT / "src", "course.model_server", *arguments)
    assert refused.returncode == 1
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture(scope="module")
def served(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with two models: 0001 knows the sepals, 0002 the petals."""
    models = tmp_path_factory.mktemp("models")
    for version, part in (("0001", "sepal"), ("0002", "petal")):
        columns = [f"{part}_length", f"{part}_width"]
        trained = run(package, "pytorchserver.trainer", "--output", str(models / version), "--columns", *columns)
        assert trained.returncode == 0, trained.stderr
    [port] = free_ports(1)
    address, environment = f"http://127.0.0.1:{port}", os.environ | {"MODEL_DIR": str(models), "HTTP_PORT": str(port)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (models / "log").open("w") as log:
        process = subprocess.Popen([package / "run_pytorchserver"], cwd=package, env=environment, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (models / "log").read_text()
        try:
            return requests.get(f"{address}/v2/health/ready", timeout=10).ok
        except requests.ConnectionError:
            return False

    try:
        wait_for(answers, what="the server to answer")
        yield address
    finally:
        end(process, seconds=60)


def ask(address: str, model: str, flower: list[float]) -> list[int]:
    """The classes by v1, which have to be the same by v2."""
    v1 = requests.post(f"{address}/v1/models/{model}:predict", json={"instances": [flower]}, timeout=60)
    tensor = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": flower}
    v2 = requests.post(f"{address}/v2/models/{model}/infer", json={"inputs": [tensor]}, timeout=60)
    assert v1.json()["predictions"] == v2.json()["outputs"][0]["data"]
    return list(v1.json()["predictions"])


def test_every_folder_is_served_as_a_model_in_both_protocols(served: str) -> None:
    assert requests.get(f"{served}/v2/models", timeout=60).json() == {"models": ["0001", "0002"]}
    assert ask(served, "0001", FLOWER["instances"][0]) == ask(served, "0002", FLOWER["instances"][0]) == [0]
    assert (ask(served, "0001", OVERLAPPING), ask(served, "0002", OVERLAPPING)) == ([2], [1])


def test_a_model_is_unloaded_and_loaded_while_the_other_answers(served: str) -> None:
    model = f"{served}/v2/repository/models/0002"
    assert requests.post(f"{model}/unload", timeout=60).json() == {"name": "0002", "unload": True}
    gone = requests.post(f"{served}/v1/models/0002:predict", json=FLOWER, timeout=60)
    assert (gone.status_code, gone.json()["error"]) == (404, "Model with name 0002 does not exist.")
    assert ask(served, "0001", OVERLAPPING) == [2]
    assert requests.post(f"{model}/load", timeout=60).json() == {"name": "0002", "load": True}
    assert ask(served, "0002", OVERLAPPING) == [1]
    unknown = requests.post(f"{served}/v2/repository/models/0009/load", timeout=60)
    assert unknown.status_code == 503
    assert "there is 0001, 0002" in unknown.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "nonsense",
        '{"instances": 1}',
        '{"instances": [[1, 2], [3]]}',
        '{"instances": [{"a": 1}]}',
        '{"instances": []}',
    ],
)
def test_an_invalid_request_is_answered_with_400_and_a_reason(served: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    refused = requests.post(f"{served}/v1/models/0001:predict", data=body, headers=headers, timeout=60)
    assert (refused.status_code, bool(refused.json()["error"])) == (400, True)


def test_the_server_listens_on_loopback_alone(served: str) -> None:
    import psutil

    port = int(served.rsplit(":", 1)[1])
    sockets = [socket for socket in psutil.net_connections("tcp") if socket.status == "LISTEN"]
    listening = [socket.laddr for socket in sockets if socket.laddr.port == port]
    assert [address.ip for address in listening] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--columns", "sepal_length", "sepal_length"], "name each column once"),
        (["--version", "../../elsewhere"], "--version: use letters, digits, points and hyphens"),
        (["--output", "/dev/null"], "/dev/null"),
    ],
)
def test_an_impossible_training_is_refused_in_a_sentence(package: Path, arguments: list[str], message: str) -> None:
    refused = run(package, "pytorchserver.trainer", *arguments)
    assert refused.returncode
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("content", [b"n\x01o pickle", b"", b"\x80\x05"])
def test_a_file_that_is_not_a_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.joblib").write_bytes(content)
    script = "import sys; from sklearnserver.inferencer.__main__ import main; main()"
    for folder, message in ((tmp_path, f"{tmp_path}/model.joblib is no file of joblib's"), (tmp_path / "gone", "no folder")):
        command = [sys.executable, "-c", script, "--model_dir", str(folder)]
        refused = subprocess.run(command, cwd=LABS_OWN, capture_output=True, text=True)
        assert refused.stderr.splitlines()[-1].startswith("sklearnserver: ")
        assert message in refused.stderr.splitlines()[-1]
