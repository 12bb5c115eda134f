"""The learner's wrapper, run in a container: each likely mistake is named. 20 s."""

from __future__ import annotations

import io
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import pytest
import torch

from course import commands
from course.checks import CheckError
from course.labs.mnist import probe, wrapper
from minipdk.common.home import Home

ROOT = Path(__file__).parents[4]
LAB, DIGITS = ROOT / "solutions" / "mnist", ROOT / "sample-data" / "mnist"
STEPS = 8
UNNORMALIZED = "torch.from_numpy(np.array(pixels, dtype=np.float32) / 255)[None, None]"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, import_from: Callable[[str, str], ModuleType]) -> Path:
    """A model that a few steps have trained: it is right about some digits."""
    script = import_from("solutions/mnist", "main")
    torch.manual_seed(1)
    network = script.Net()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    digits = torch.utils.data.DataLoader(script.read_digits(DIGITS, "train"), batch_size=64)
    network.train()
    for images, labels in islice(digits, STEPS):
        optimizer.zero_grad()
        torch.nn.functional.nll_loss(network(images), labels).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("model") / "model.pkl"
    torch.save(network.state_dict(), path)
    return path


class Learner:
    """A learner who edits the wrapper, and the hint of the check."""

    def __init__(self, home: Home, folder: Path, model: Path) -> None:
        self._home, self.folder, self._model = home, folder, model
        for name in ("main.py", "seldon_model.py"):
            shutil.copy(LAB / name, folder)

    def writes(self, right: str, wrong: str) -> None:
        """Replace ``right``, the solution's text, by ``wrong``."""
        path = self.folder / "seldon_model.py"
        text = path.read_text()
        assert right in text
        path.write_text(text.replace(right, wrong))

    def loses(self, name: str) -> None:
        (self.folder / name).unlink()

    def hint(self) -> str:
        """The message of the check; empty if it passes."""
        minipdk = str(Path(sys.executable).with_name("minipdk"))
        options = ["--home", str(self._home.path), "--rm", "-v", f"{self.folder}:/microservice", "-w", "/microservice"]
        try:
            seen = wrapper.run(
                [minipdk, "image", "run", *options, "python:3.11"],
                model=self._model,
                picture=LAB / "img_103.jpg",
                digits=DIGITS,
            )
            wrapper.judge(seen)
        except wrapper.WrapperError as error:
            try:
                wrapper.judge_error(error)
            except CheckError as hint:
                return str(hint)
        except CheckError as hint:
            return str(hint)
        return ""


@pytest.fixture
def learner(home: Home, tmp_path: Path, model: Path) -> Learner:
    folder = tmp_path / "pkg"
    folder.mkdir()
    return Learner(home, folder, model)


@pytest.fixture
def in_process(learner: Learner, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the probe in this process: a container that imports torch for every mistake would take minutes."""
    load = torch.load

    def run(*_: object, **__: object) -> CompletedProcess[str]:
        output, errors, status = io.StringIO(), io.StringIO(), 0
        for name in ("main", "seldon_model"):
            sys.modules.pop(name, None)
        monkeypatch.chdir(learner.folder)
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setattr(sys, "argv", ["probe.py", str(LAB / "img_103.jpg"), str(DIGITS)])
        with redirect_stdout(output), redirect_stderr(errors):
            try:
                probe.main()
            except Exception:
                traceback.print_exc()
                status = 1
        return CompletedProcess([], status, output.getvalue(), errors.getvalue())

    def load_mounted(path: str, **options: object) -> object:
        return load(model if path == "/storage/model.pkl" else path, **options)

    monkeypatch.setattr(torch, "load", load_mounted)
    monkeypatch.setattr(commands, "run", run)


def test_the_solution_answers_with_the_trained_models_numbers(learner: Learner, capsys: pytest.CaptureFixture[str]) -> None:
    learner.hint()  # so few steps need not read the picture right
    assert "✓ the trained model made these numbers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("        self._model.eval()\n", "", "two calls give two answers: dropout is still on. Call self._model.eval()"),
        ("[None, ...]", "", "give it a batch of one picture, data[None, ...]"),
        (".detach().numpy()", ".numpy()", "the output has a gradient: .detach() it before .numpy()"),
        (".detach().numpy()", "", "it is a tensor: Seldon takes NumPy's arrays, output.detach().numpy()"),
        ("return self._model(", "self._model(", "predict returns None: return the network's output"),
        ("self._model.load_state_dict(", "print(", "does __init__ load the state_dict of /storage/model.pkl"),
        ("/storage/model.pkl", "/storage/model.pt", "the model is mounted as /storage/model.pkl: load that path"),
        ("\nseldon_model = SeldonModel", "", "keep the last line, seldon_model = SeldonModel"),
        ("Image.open(io.BytesIO(X))", "Image.open(X)", "X is the picture's bytes: Image.open(io.BytesIO(X))"),
        ("from main import Net, transform", "from torchvision import transforms", "torchvision is not used here"),
        (
            "from main import Net, transform",
            'raise NotImplementedError("your turn: see the comment above this line")',
            "a gap is still empty: fill it in, save, and copy the file into pkg/ again",
        ),
    ],
)
def test_each_mistake_is_named(in_process: None, learner: Learner, right: str, wrong: str, expected: str) -> None:
    learner.writes(right, wrong)
    assert expected in learner.hint()


def test_a_relative_import_is_named_with_its_line(learner: Learner) -> None:
    learner.writes("from main import", "from .main import")
    assert "write `from main import ...`, without the dot (seldon_model.py, line 1" in learner.hint()


def test_a_skew_between_training_and_serving_is_shown_in_numbers(in_process: None, learner: Learner) -> None:
    learner.writes("transform(pixels)[None, ...]", UNNORMALIZED)
    assert "so nothing looks wrong; but the mean log-likelihood is -" in learner.hint()


def test_a_network_that_was_not_copied_is_named(learner: Learner) -> None:
    learner.loses("main.py")
    assert "copy it into pkg/, beside seldon_model.py" in learner.hint()
