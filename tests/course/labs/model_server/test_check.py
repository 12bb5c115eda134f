"""The model-server lab's checks: each likely mistake in the package is named, and none ends in a traceback."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

import course
from course import commands
from course.labs.model_server import old_names, probe
from course.labs.model_server.check import Checks
from course.local_server import LocalServer

ROOT = Path(__file__).parents[4]
LAB = "model-server"


class Profile(SimpleNamespace):
    """The part of a profile that the checks of the package need."""

    def __getitem__(self, name: str) -> str:
        return str(getattr(self, name))


def copy_package(folder: Path) -> None:
    """Copy the solution's package without the models that a run of the solution has trained."""
    shutil.copytree(ROOT / "solutions" / LAB / "packages" / "sklearn", folder)
    for trained in (folder / "sklearnserver" / "trainer").glob("0*"):
        shutil.rmtree(trained)


class Learner:
    """A learner who edits the package, and the answers of the checks."""

    def __init__(self, folder: Path, checks: Checks, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.checks, self._capsys = folder, checks, capsys

    def writes(self, file: str, right: str, wrong: str) -> None:
        """Undo earlier edits, then replace ``right``, the solution's text, by ``wrong``."""
        shutil.rmtree(self.folder)
        copy_package(self.folder)
        path = self.folder / file
        text = path.read_text()
        assert right in text
        path.write_text(text.replace(right, wrong))

    def says(self, check: str, *arguments: object) -> str:
        """The last line that the check prints: a tick or a hint."""
        self._capsys.readouterr()
        getattr(self.checks, check)(*arguments)
        return self._capsys.readouterr().out.splitlines()[-1]


@pytest.fixture
def learner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Learner:
    """A learner with a copy of the solution's package."""
    folder = tmp_path / "sklearn"
    copy_package(folder)
    return Learner(folder, Checks(cast(course.Profile, Profile(KSERVE_NAMESPACE="models")), folder), capsys)


@pytest.fixture
def in_process(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the probes in this process: to import kserve for every mistake would take minutes."""

    def run(package: Path, name: str, *arguments: str) -> dict[str, Any]:
        forget_package()
        for cache in package.rglob("__pycache__"):
            shutil.rmtree(cache)
        monkeypatch.chdir(package)  # each time: the folder may be another one of the same name
        return dict(probe.PROBES[name](*arguments))

    monkeypatch.setattr(probe, "run", run)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(learner.folder))
    yield
    forget_package()


def forget_package() -> None:
    """Make the next import of the package read its files."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearnserver"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("return table", "those are all four: index the table's second axis"),
        ("return table[:, [name in columns for name in config.MEASURES]]", "the right columns in another order"),
        ("return table[:, [2, 1]]", "the same columns for every value of `columns`"),
        ("return table[:, [0, 1]]", "the same columns for every value of `columns`"),
        ("return table[[config.MEASURES.index(name) for name in columns]]", "those are rows"),
        ("return table[[config.MEASURES.index(name) for name in columns]][:, :2]", "prep_func returned"),
        ("table[:, [config.MEASURES.index(name) for name in columns]]", "prep_func returns None"),
    ],
)
def test_each_kind_of_wrong_columns_gets_its_hint(in_process: None, learner: Learner, wrong: str, hint: str) -> None:
    assert learner.says("preprocess") == "✓ bad input is refused"
    right = "return table[:, [config.MEASURES.index(name) for name in columns]]"
    learner.writes("sklearnserver/trainer/preprocessor.py", right, wrong)
    assert hint in learner.says("preprocess")


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("inputs = self.preprocess(flowers)", "inputs = flowers", "preprocess the flowers first"),
        (
            "return self.postprocess(_core.probabilities(self.model, inputs))",
            "return _core.probabilities(self.model, inputs)",
            "postprocess them",
        ),
        ("return self.postprocess(_core", "self.postprocess(_core", "predict returns None"),
    ],
)
def test_each_part_of_predict_that_is_missing_is_named(
    in_process: None, learner: Learner, right: str, wrong: str, hint: str
) -> None:
    assert learner.says("predict") == "✓ two flowers have two classes"
    learner.writes("sklearnserver/trainer/model.py", right, wrong)
    assert hint in learner.says("predict")


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("Storage.download(self.model_dir)", "self.model_dir", "the local folder that Storage.download returns"),
        ("        self.ready = True\n", "", "it returns False: return self.ready"),
        ("        return self.ready\n", "", "it returns None: return self.ready"),
        ("        self.ready = True\n        return self.ready\n", "        return True\n", "set it to True"),
        (
            "return get_predict_response(payload, classes, self.name)",
            "return classes",
            "get_predict_response makes an answer",
        ),
        ("return get_predict_response(payload", "get_predict_response(payload", "predict returns None"),
        ("get_predict_response(payload,", "get_predict_response({},", "give get_predict_response the payload itself"),
        (
            "self._model = MyModel(",
            "self.model = MyModel(",
            "✗ Not yet: it keeps the model. Hint: keep the MyModel as self._model",
        ),
        (
            "get_predict_input(payload)",
            'payload["instances"]',
            "a v2 payload is no dictionary: get_predict_input reads both",
        ),
        ("get_predict_input(payload)", 'payload["instance"]', "it refuses a right request: let get_predict_input read it"),
        ("get_predict_response(payload, classes,", "get_predict_response(classes, payload,", "wants the payload first"),
        ("classes, self.name)", 'classes, "iris")', "it names iris: give it self.name"),
        ("except (TypeError, ValueError)", "except ZeroDivisionError", "leave the two `except` below your part"),
    ],
)
def test_each_mistake_in_load_and_predict_is_named(
    in_process: None, learner: Learner, right: str, wrong: str, hint: str
) -> None:
    learner.writes("sklearnserver/inferencer/model.py", right, wrong)
    assert hint in learner.says("load_and_predict")


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("        model.load()\n", "", "call its load()"),
        ("        self.update(model)\n", "", "self.update(model) makes the server know it"),
        ("        return model.ready\n", "", "it returns None: return model.ready"),
        (
            "str(Path(self.models_dir) / name))",
            "str(Path(self.models_dir) / self.names()[0]))",
            "the model's folder is its name",
        ),
    ],
)
def test_each_mistake_in_the_repository_is_named(
    in_process: None, learner: Learner, right: str, wrong: str, hint: str
) -> None:
    assert learner.says("repository") == "✓ each name is its own folder"
    learner.writes("sklearnserver/inferencer/model_repository.py", right, wrong)
    assert hint in learner.says("repository")


def test_a_gap_and_an_error_of_python_are_reported_with_file_and_line(learner: Learner) -> None:
    file = "sklearnserver/trainer/preprocessor.py"
    shutil.copy(ROOT / "labs" / LAB / "packages" / "sklearn" / file, learner.folder / file)
    assert re.search(
        r"^✗ .* Hint: sklearnserver/trainer/preprocessor\.py, line \d+: the gap is still empty$", learner.says("preprocess")
    )
    learner.writes(file, "return table[:,", "return tabel[:,")
    assert re.search(r"preprocessor\.py, line \d+: NameError: name 'tabel' is not defined", learner.says("preprocess"))
    learner.writes(file, "return table[:,", "return table[[:,")
    assert re.search(r"preprocessor\.py, line \d+: SyntaxError: ", learner.says("preprocess"))
    learner.writes(file, "    return table[:,", '    print("here", end="")\n    return table[:,')
    assert learner.says("preprocess") == "✓ bad input is refused"
    learner.writes(file, "import numpy", "raise SystemExit\nimport numpy")
    assert learner.says("preprocess").endswith("it ended with status 0 half-way: does a module call sys.exit?")


def test_a_loop_that_never_ends_is_named(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SECONDS", 3.0)
    learner.writes(
        "sklearnserver/trainer/preprocessor.py", "    return table[:,", "    while True: pass\n    return table[:,"
    )
    assert learner.says("preprocess").endswith("it was still running after 3 s: is there a loop that never ends?")


def test_a_model_that_is_missing_or_looks_at_other_columns_gets_its_hint(in_process: None, learner: Learner) -> None:
    petals = ("petal_length", "petal_width")
    assert learner.says("trained", "0002", petals).endswith(
        "Hint: train it: python -m sklearnserver.trainer --version 0002 --columns petal_length petal_width"
    )
    shutil.copytree(learner.folder / "sklearnserver/example_models/0001", learner.folder / "sklearnserver/trainer/0002")
    assert "it looks at sepal_length, sepal_width: python -m" in learner.says("trained", "0002", petals)


OLD_NAMES = {
    "sklearnserver.yaml": [
        ("serving.kserve.io/v1beta1", "serving.kubeflow.org/v1beta1", "today it is serving.kserve.io"),
        ("- name: kserve-container", "- name: kfserving-container", "today it is kserve-container"),
        ("--grpc_max_receive_message_length", "--max_buffer_size", "today it is --grpc_max_receive_message_length"),
    ],
    "sklearnserver/inferencer/model.py": [
        ("from kserve import InferRequest, InferResponse, Model", "from kfserving import KFModel", "today it is Model"),
        ("class SKLearnServingModel(Model)", "class SKLearnServingModel(kfserving.KFModel)", "today it is kserve.Model"),
        ("Storage.download(", "kfserving.Storage.download(", "today it is kserve.storage.Storage"),
    ],
    "sklearnserver/inferencer/model_repository.py": [
        ("from kserve import ModelRepository", "from kfserving import KFModelRepository", "today it is ModelRepository"),
    ],
    "sklearnserver.Dockerfile": [("ENV HOST", "ENV KFSERVING_HOST", "today it is KSERVE_")],
    "requirements.txt": [("kserve==", "kfserving==", "today it is kserve")],
}


@pytest.mark.parametrize("check", ["preprocess", "manifest"])
def test_a_name_of_kfserving_is_reported_in_every_kind_of_file(learner: Learner, check: str) -> None:
    for file, changes in OLD_NAMES.items():
        for right, wrong, hint in changes:
            learner.writes(file, right, wrong)
            assert learner.says(check).startswith(f"✗ Not yet: the package speaks KServe. Hint: {file}, line ")
            assert learner.says(check).endswith(hint)


def test_the_lab_lists_the_old_names_that_the_check_knows() -> None:
    import nbformat

    prose = nbformat.read(ROOT / "solutions" / LAB / "lab.ipynb", as_version=4).cells[0].source
    rows = [line for line in prose.splitlines() if line.startswith("| ")]
    for old, new in old_names.TODAY.items():
        last = old.removeprefix("kfserving.")
        assert any(last in row and new in row.split("|")[2] for row in rows), old


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (
            lambda service: service.update(kind="InferenceServices"),
            "it is serving.kserve.io/v1beta1 InferenceServices: write",
        ),
        (
            lambda service: service.update(apiVersion="serving.kserve.io/v1alpha2"),
            "kserve.io/v1alpha2 InferenceService: write",
        ),
        (lambda service: service["metadata"].update(name="iris"), "metadata.name is iris"),
        (lambda service: service["metadata"].update(namespace="test"), "leave it out, or write models"),
        (lambda service: service.pop("spec"), "`spec` is empty: indent its fields below it"),
        (lambda service: service["spec"].update(predictor="x"), "`predictor` is the text 'x'"),
        (lambda service: predictor(service).pop("containers"), "there is none yet: indent it below `predictor`"),
        (
            lambda service: service["spec"].update(containers=predictor(service).pop("containers")),
            "it stands further to the left than it should",
        ),
        (lambda service: predictor(service).update(container=predictor(service).pop("containers")), "without its s"),
        (lambda service: predictor(service).update(containers=container(service)), "`containers` is an object with"),
        (lambda service: predictor(service).update(containers=["kserve-container"]), "`containers` is a list of 1"),
        (lambda service: container(service).update(name="server"), "it is called server"),
        (
            lambda service: container(service).update(image="sklearnserver"),
            "it is sklearnserver: write the image that step 7",
        ),
        (
            lambda service: container(service).update(env={"MODEL_NAME": "x"}),
            "`env` is an object with MODEL_NAME: each entry",
        ),
        (lambda service: container(service)["env"].append({"MODEL_NAME": "x"}), "each entry is an object with `name` and"),
        (lambda service: container(service)["env"].pop(0), "add an entry {name: MODEL_NAME, value: ...} to env"),
        (lambda service: container(service)["env"][1].update(value="s3://models/0001"), "it is s3://models/0001"),
        (lambda service: container(service).pop("args"), "`args` is []: write a list with --grpc_max"),
        (lambda service: container(service).update(args=container(service)["args"][0]), "`args` is --grpc_max_receive"),
        (lambda service: predictor(service).pop("serviceAccountName"), "serviceAccountName is None: model-reader has the"),
    ],
)
def test_each_mistake_in_the_manifest_is_named(
    learner: Learner, change: Callable[[dict[str, Any]], object], hint: str
) -> None:
    assert learner.says("manifest") == "✓ it may read the model"
    path = learner.folder / "sklearnserver.yaml"
    manifest = yaml.safe_load(path.read_text())
    change(manifest)
    path.write_text(yaml.safe_dump(manifest))
    line = learner.says("manifest")
    assert line.startswith("✗ Not yet: ")
    assert hint in line


def predictor(service: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = service["spec"]["predictor"]
    return fields


def container(service: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = predictor(service)["containers"][0]
    return fields


@pytest.mark.parametrize(("text", "hint"), [("", "it holds empty"), ("- a\n", "it holds a list of 1"), (None, "is gone")])
def test_a_manifest_that_is_not_an_object_is_named(learner: Learner, text: str | None, hint: str) -> None:
    path = learner.folder / "sklearnserver.yaml"
    path.unlink() if text is None else path.write_text(text)
    assert hint in learner.says("manifest")


def test_a_manifest_that_is_not_yaml_is_named_with_its_line(learner: Learner) -> None:
    learner.writes("sklearnserver.yaml", "    containers:", "    containers: x:")
    assert re.search(
        r"sklearnserver\.yaml can be read as YAML\. Hint: line \d+, column 18: mapping values are not allowed here$",
        learner.says("manifest"),
    )


ANSWERS = """
import http.server, json, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self, status=200):
        body = json.dumps({"models": sys.argv[1:2], "predictions": [int(sys.argv[2])]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET(int(*sys.argv[3:] or [200]))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Answers).serve_forever()
"""


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ("python answers.py sklearnserver-test 0", "✓ it knows a setosa"),
        ("python answers.py sklearnserver-test 2", "mount the model that you mean"),
        ("python answers.py sklearnserver 0", "it has sklearnserver: -e MODEL_NAME=sklearnserver-test names the one"),
        ("echo there is no /mnt/models/model.joblib; exit 1", "its log ends with: there is no /mnt/models/model.joblib"),
        ("python answers.py sklearnserver-test 7", "do step 4 again"),
        ("python answers.py sklearnserver-test 0 503", "it answers 503: "),
    ],
)
def test_a_container_without_its_model_gets_the_hint_that_it_needs(
    learner: Learner, tmp_path: Path, recipe: str, line: str
) -> None:
    (tmp_path / "Makefile").write_text(f"run:\n\t@{recipe.replace('python', sys.executable)}\n")
    (tmp_path / "answers.py").write_text(ANSWERS)
    server = LocalServer("make run", tmp_path)
    try:
        assert line in learner.says("running_image", server)
    finally:
        server.stop()


def test_a_failed_build_and_a_failed_test_show_their_reason(learner: Learner, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("build:\n\t@echo COPY: there is no nonsense >&2; exit 1\n")
    assert learner.says("built", commands.run("make build", tmp_path)).endswith("Hint: COPY: there is no nonsense")
    learner.writes("sklearnserver/trainer/postprocessor.py", "argmax", "argmin")
    tests = commands.run([sys.executable, "-m", "pytest", "-q"], learner.folder)
    assert "Hint: sklearnserver/inferencer/test_model.py::test_" in learner.says("tests", tests)
