"""The hints on main.py and on the training job. 1 s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from course.labs.mnist import training
from course.labs.mnist.neuro import Job

ROOT = Path(__file__).parents[4]
MAIN = (ROOT / "solutions" / "mnist" / "main.py").read_text()
VOLUME = "/var/storage storage:examples/mnist"
JOB = Job("succeeded", "", (VOLUME,), {"MODEL_PATH": "/var/storage/model.pkl"}, "", "80")
LOG = "Train Epoch: 4 [1280/1437 (87%)]\tLoss: 0.1\n\nTest set: Average loss: 0.1392, Accuracy: 345/360 (96%)\n\n"
Hint = Callable[..., str]


def test_the_solution_passes(hint: Hint) -> None:
    assert hint(training.judge_epochs, MAIN) == ""
    assert hint(training.judge_mount, JOB) == ""
    assert hint(training.judge_end, JOB, LOG) == ""
    assert hint(training.judge_accuracy, LOG) == ""


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("", "write EPOCHS = ..., at the left margin"),
        ('raise NotImplementedError("your turn")', "the gap is still empty"),
        ("EPOCHS = 1", "after 1, about one digit in ten or more is read wrong: make 4"),
        ("EPOCHS = 'four'", "it is 'four': write a whole number"),
        ("EPOCHS = -4", "it is -4: write a whole number"),
        ("EPOCHS = ", "main.py is Python. Hint: line 26: invalid syntax"),
    ],
)
def test_wrong_epochs_get_their_hint(hint: Hint, wrong: str, expected: str) -> None:
    assert expected in hint(training.judge_epochs, MAIN.replace("EPOCHS = 4", wrong))


def test_digits_that_were_not_generated_are_named_with_the_remedy(hint: Hint, tmp_path: Path) -> None:
    said = hint(training.judge_data, tmp_path)
    assert (
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte is missing" in said
    )
    assert said.endswith("python sample-data/mnist/generate.py")
    for name in training.DATA:
        (tmp_path / f"{name}.gz").touch()
    assert hint(training.judge_data, tmp_path) == ""


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (replace(JOB, volumes=()), "the job has a volume. Hint: -v storage:examples/mnist:/var/storage"),
        (replace(JOB, volumes=("/var/storage storage:other",)), "mount storage:examples/mnist"),
        (replace(JOB, variables={}), "the job has the variable MODEL_PATH. Hint: -e MODEL_PATH=/var/storage/model.pkl"),
        (
            replace(JOB, variables={"MODEL_PATH": "/tmp/model.pkl"}),
            "/tmp/model.pkl is not below /var/storage, where the storage is mounted: there the file is in the container, "
            "and vanishes with it. Give the job -e MODEL_PATH=/var/storage/model.pkl",
        ),
        (replace(JOB, volumes=(f"{VOLUME} READONLY",)), "it is mounted read-only: leave out the :ro at the end of -v"),
    ],
)
def test_a_model_that_would_vanish_is_noticed(hint: Hint, job: Job, expected: str) -> None:
    assert expected in hint(training.judge_mount, job)


def test_a_job_that_did_not_succeed_is_named_with_its_reason(hint: Hint) -> None:
    killed = replace(JOB, status="cancelled")
    assert "it was killed before its end: run it again" in hint(training.judge_end, killed, LOG)
    failed = replace(JOB, status="failed", reason="OOMKilled")
    assert "it is failed (OOMKilled); its log ends with: Killed" in hint(training.judge_end, failed, "x\nKilled\n")
    missing = replace(JOB, status="failed", reason="ErrImagePull")
    assert "there is no such image: step 4 builds" in hint(training.judge_end, missing, "")


def test_the_accuracy_of_the_last_epoch_counts(hint: Hint) -> None:
    weak = LOG + LOG.replace("345/360 (96%)", "277/360 (77%)")
    assert "it is 0.77: more EPOCHS in main.py, then build and run again" in hint(training.judge_accuracy, weak)
    assert "its log names an accuracy" in hint(training.judge_accuracy, "nothing")
