"""The hints on train.Dockerfile. 1 s."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from course.labs.generator import finished
from course.labs.mnist import dockerfile

ROOT = Path(__file__).parents[4]
SOLUTION = finished((ROOT / "solutions" / "mnist" / "train.Dockerfile").read_text())
Hint = Callable[..., str]


def test_the_solution_passes(hint: Hint, capsys: pytest.CaptureFixture[str]) -> None:
    assert hint(dockerfile.judge, SOLUTION) == ""
    assert capsys.readouterr().out.count("✓") == 9


def test_the_seeds_own_command_passes(hint: Hint) -> None:
    text = SOLUTION.replace("&&", ";")
    assert text != SOLUTION
    assert hint(dockerfile.judge, text) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("ENV MODEL_PATH=/var/storage/model.pkl", "", "MODEL_PATH is set. Hint: ENV MODEL_PATH=/var/storage/model.pkl"),
        ("ENV MODEL_PATH=/var/storage/model.pkl", "ENV MODEL_PATH=model.pkl", "it is model.pkl: write the whole path"),
        (
            "COPY main.py .",
            "",
            "main.py is in the image. Hint: COPY main.py: without it the job would end with No such file",
        ),
        ("COPY data data", "", "data is in the image. Hint: COPY data: without it it has nothing to train on"),
        ("CMD", "RUN", "there is a CMD. Hint: write the program that the job runs"),
        (" --save-model", "", "main.py saves its model. Hint: give main.py the option --save-model"),
        (" && mv mnist_cnn.pt $MODEL_PATH", "", "the model moves to $MODEL_PATH. Hint: main.py writes mnist_cnn.pt"),
        ("$MODEL_PATH", "/tmp", "the model moves to $MODEL_PATH"),
        ("pytorch/pytorch", "python", "leave the line FROM pytorch/pytorch:... as it was"),
    ],
)
def test_each_part_that_is_missing_is_named(hint: Hint, right: str, wrong: str, expected: str) -> None:
    assert right in SOLUTION
    assert expected in hint(dockerfile.judge, SOLUTION.replace(right, wrong))


def test_a_list_as_cmd_has_no_shell_that_expands_the_variable(hint: Hint) -> None:
    head = SOLUTION.partition("CMD")[0]
    said = hint(
        dockerfile.judge, f'{head}CMD ["python", "main.py", "--save-model", ";", "mv", "mnist_cnn.pt", "$MODEL_PATH"]'
    )
    assert "CMD has a shell. Hint: a list in brackets runs without a shell, and $MODEL_PATH stays as it is" in said
    shell = f'{head}CMD ["bash", "-c", "python main.py --save-model; mv mnist_cnn.pt $MODEL_PATH"]'
    assert hint(dockerfile.judge, shell) == ""


@pytest.mark.parametrize(
    "copy",
    [
        "COPY . .",
        "COPY main.py data/ ./",
        'COPY ["main.py", "data", "./"]',
        "COPY --chmod=644 main.py data \\\n  /workspace/",
    ],
)
def test_other_ways_to_copy_pass(hint: Hint, copy: str) -> None:
    text = SOLUTION.replace("COPY main.py .\n", "").replace("COPY data data", copy)
    assert hint(dockerfile.judge, text) == ""


def test_a_learners_file_without_answers_gets_its_first_hint(hint: Hint) -> None:
    text = (ROOT / "labs" / "mnist" / "train.Dockerfile").read_text()
    assert "MODEL_PATH is set" in hint(dockerfile.judge, text)
