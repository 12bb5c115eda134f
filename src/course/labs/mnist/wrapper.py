"""Run the learner's wrapper in its image, and judge its behaviour."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course import commands
from course.checks import CheckError, check
from course.labs.mnist import probe
from course.labs.mnist.answer import DIGIT
from course.progress import WaitTimeoutError

SECONDS = 120.0
STORAGE = "/storage"
"""The folder in which the wrapper finds model.pkl."""

_FRAME = re.compile(r'  File ".*?((?:seldon_model|main)\.py)", line (\d+)')
_ERRORS = {
    "attempted relative import": "seldon_model is in no package: write `from main import ...`, without the dot",
    "No module named 'main'": "the network is in main.py: copy it into pkg/, beside seldon_model.py",
    "torchvision": "torchvision is not used here: `transform` of main.py makes the network's input",
    "NotImplementedError: your turn": "a gap is still empty: fill it in, save, and copy the file into pkg/ again",
    "No such file or directory: '/storage": "the model is mounted as /storage/model.pkl: load that path",
    "mat1 and mat2 shapes": "the network takes a batch: give it a batch of one picture, data[None, ...]",
    "Expected 3D": "the network takes a batch: give it a batch of one picture, data[None, ...]",
    "requires grad": "the output has a gradient: .detach() it before .numpy()",
    "has no attribute 'seldon_model'": "keep the last line, seldon_model = SeldonModel: Seldon looks for this name",
    "a bytes-like object is required": "X is the picture's bytes: Image.open(io.BytesIO(X))",
    "embedded null byte": "X is the picture's bytes: Image.open(io.BytesIO(X))",
    "cannot identify image file": "X is the picture's bytes: Image.open(io.BytesIO(X))",
}
"""A part of an error -> the hint."""


class WrapperError(Exception):
    """The wrapper raised an error or did not end; the message names the place and the error."""


def run(command: Sequence[str], *, model: Path, picture: Path, digits: Path) -> dict[str, Any]:
    """The observations of `probe` in a container: ``command`` runs an image with Docker's options. Raises WrapperError.

    ``command`` is the program, its options and the image; ``model`` becomes /storage/model.pkl.
    """
    *options, image = command
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source, target in ((probe.__file__, "probe.py"), (picture, picture.name)):
            shutil.copy(source, folder / target)
        shutil.copytree(digits, folder / "digits")
        (folder / "storage").mkdir()
        shutil.copy(model, folder / "storage" / "model.pkl")
        mounts = ["-v", f"{folder}:/probe:ro", "-v", f"{folder}/storage:{STORAGE}:ro"]
        words = ["python", "/probe/probe.py", f"/probe/{picture.name}", "/probe/digits"]
        try:
            result = commands.run([*options, *mounts, image, *words], seconds=SECONDS)
        except WaitTimeoutError:
            raise WrapperError(f"it was still running after {SECONDS:g} s") from None
    seen = [line for line in result.stdout.splitlines() if line.startswith(probe.SEEN)]
    if seen:
        return dict(json.loads(seen[-1].removeprefix(probe.SEEN)))
    text = f"{result.stdout}\n{result.stderr}"
    frames = _FRAME.findall(text)
    where = f"{frames[-1][0]}, line {frames[-1][1]}: " if frames else ""
    raise WrapperError(f"{where}{commands.last_line(result.stderr, result.stdout)}")


def judge_error(error: WrapperError) -> None:
    """Raise CheckError with the hint on ``error``."""
    hints = (hint for text, hint in _ERRORS.items() if text in str(error))
    said = f" ({error})"
    raise CheckError(f"Not yet: the wrapper answers. Hint: {next(hints, 'it ended with an error')}{said}")


def judge(seen: dict[str, Any]) -> None:
    """Check the observations of `probe`. Raises CheckError that names the first mistake."""
    kind, shape = seen["type"], seen["shape"]
    hint = {
        "NoneType": "predict returns None: return the network's output",
        "Tensor": "it is a tensor: Seldon takes NumPy's arrays, output.detach().numpy()",
        "bytes": "predict returns the picture itself: it is the template's, write your part",
        "ellipsis": "the gap is still empty",
    }.get(kind, f"it is a {kind}: return output.detach().numpy()")
    check("predict returns an array of NumPy", kind == "ndarray", hint)
    hint = f"its shape is {tuple(shape)}: one picture is a batch of one, data[None, ...]"
    check("it has one row of ten numbers", shape == [1, 10], hint)
    hint = "two calls give two answers: dropout is still on. Call self._model.eval() in __init__"
    check("the same picture has the same answer", seen["same"], hint)
    if seen["raw"] and not seen["right"]:
        raise CheckError(
            f"Not yet: the model sees digits as in training. Hint: Normalize is forgotten. {seen['accuracy']:.0%} are read "
            f"right, so nothing looks wrong; but the mean log-likelihood is {seen['likelihood']:.2f} instead of "
            f"{seen['expected_likelihood']:.2f}. This is train/serve skew: use `transform` of main.py in both"
        )
    hint = "other numbers: does __init__ load the state_dict of /storage/model.pkl, and predict use `transform`?"
    check("the trained model made these numbers", seen["right"], hint)
    best = max(range(len(seen["answer"])), key=seen["answer"].__getitem__)
    check(f"the picture is read as a {DIGIT}", best == DIGIT, f"it is read as a {best}: train with more EPOCHS")
