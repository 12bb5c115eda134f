"""Judge the training job: its program, its mount, its variable, its log."""

from __future__ import annotations

import ast
import re
from pathlib import Path, PurePosixPath

from course.checks import CheckError, check
from course.labs.mnist.neuro import Job

DATA = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LEAST_EPOCHS = 3
LEAST_ACCURACY = 0.9
_ACCURACY = re.compile(r"Accuracy: (\d+)/(\d+)")
_GAP = "NotImplementedError"


def judge_epochs(source: str) -> None:
    """Check the constant EPOCHS in main.py's ``source``. Raises CheckError."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise CheckError(f"Not yet: main.py is Python. Hint: line {error.lineno}: {error.msg}") from None
    assigned = (each for each in statements if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name))
    values = {each.targets[0].id: each.value for each in assigned if isinstance(each.targets[0], ast.Name)}
    hint = "the gap is still empty: write EPOCHS = ..." if _GAP in source else "write EPOCHS = ..., at the left margin"
    check("main.py sets EPOCHS", "EPOCHS" in values, hint)
    value = values["EPOCHS"]
    text = ast.unparse(value)
    check("EPOCHS is a number", text.isdecimal(), f"it is {text}: write a whole number")
    hint = f"after {text}, about one digit in ten or more is read wrong: make 4"
    check(f"{text} passes are enough", int(text) >= LEAST_EPOCHS, hint)


def judge_data(folder: Path) -> None:
    """Check that the digits are in ``folder``. Raises CheckError."""
    missing = [name for name in DATA if not (folder / name).exists() and not (folder / f"{name}.gz").exists()]
    hint = (
        f"{', '.join(missing)} is missing in {folder}/: run the cell that copies the digits. If sample-data/mnist has none, "
        "they were not generated: python sample-data/mnist/generate.py"
    )
    check("the digits are here", not missing, hint)


def judge_mount(job: Job) -> None:
    """Check where the job's model goes. Raises CheckError."""
    check("the job has a volume", job.volumes, "-v storage:examples/mnist:/var/storage mounts the storage")
    mount = next((volume for volume in job.volumes if "examples/mnist" in volume), "")
    hint = f"it is {', '.join(job.volumes)}: mount storage:examples/mnist"
    check("it is the storage's folder examples/mnist", mount, hint)
    target, path = mount.split()[0], job.variables.get("MODEL_PATH", "")
    hint = "-e MODEL_PATH=/var/storage/model.pkl shows the job where its model goes"
    check("the job has the variable MODEL_PATH", path, hint)
    hint = (
        f"{path} is not below {target}, where the storage is mounted: there the file is in the container, and vanishes "
        f"with it. Give the job -e MODEL_PATH={target.rstrip('/')}/model.pkl"
    )
    check("MODEL_PATH is on the storage", PurePosixPath(path).is_relative_to(target), hint)
    hint = "it is mounted read-only: leave out the :ro at the end of -v"
    check("the job may write there", "READONLY" not in mount, hint)


def judge_end(job: Job, log: str) -> None:
    """Check how the job ended. Raises CheckError, with the last line of its ``log`` if it failed."""
    if job.status == "cancelled":
        raise CheckError("Not yet: the job has succeeded. Hint: it was killed before its end: run it again")
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = lines[-1] if lines else "nothing"
    hint = f"it is {job.status}{f' ({job.reason})' if job.reason else ''}; its log ends with: {said}"
    if job.reason in ("ErrImagePull", "ImagePullBackOff"):
        hint = "there is no such image: step 4 builds image:examples/mnist:train"
    check("the job has succeeded", job.status == "succeeded", hint)


def accuracy(log: str) -> float | None:
    """The share of test digits that the model has read right after its last epoch; None if the log names none."""
    counts = _ACCURACY.findall(log)
    return int(counts[-1][0]) / int(counts[-1][1]) if counts else None


def judge_accuracy(log: str) -> None:
    """Check the accuracy in the job's ``log``. Raises CheckError."""
    share = accuracy(log)
    check("its log names an accuracy", share is not None, "does CMD in train.Dockerfile run main.py?")
    hint = f"it is {share:.2f}: more EPOCHS in main.py, then build and run again" if share is not None else ""
    check("at least nine of ten test digits are read right", share is not None and share >= LEAST_ACCURACY, hint)
