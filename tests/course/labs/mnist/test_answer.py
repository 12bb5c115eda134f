"""The hints on an answer of Seldon's server. 1 s."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest

from course.labs.mnist import answer

Hint = Callable[..., str]
OUTPUT = [-13.8, -7.6, -0.0007, -9.0, -13.3, -13.3, -13.0, -11.3, -10.6, -12.2]
ANSWER: dict[str, Any] = {
    "data": {"names": answer.NAMES, "tensor": {"shape": [1, 10], "values": OUTPUT}},
    "meta": {},
}


def curl(stdout: object, stderr: str = "") -> CompletedProcess[str]:
    text = stdout if isinstance(stdout, str) else json.dumps(stdout)
    return CompletedProcess(["bash", "-c", "curl"], 0, text, stderr)


def with_tensor(**changes: object) -> dict[str, Any]:
    return ANSWER | {"data": ANSWER["data"] | {"tensor": ANSWER["data"]["tensor"] | changes}}


def test_the_models_own_numbers_pass(hint: Hint) -> None:
    assert hint(answer.judge, curl(ANSWER), OUTPUT) == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (with_tensor(shape=[10]), "its shape is [10]: keep the batch axis"),
        (with_tensor(values=[0.0, *OUTPUT[1:]]), "it is that of 0: is img_103.jpg the picture that you sent?"),
        (with_tensor(values=[-13.7, *OUTPUT[1:]]), "they differ by up to 0.10000: build and run the image again"),
        (ANSWER | {"data": ANSWER["data"] | {"names": ["t:0"]}}, "they are called ['t:0']"),
    ],
)
def test_wrong_numbers_get_their_hint(hint: Hint, content: dict[str, Any], expected: str) -> None:
    assert expected in hint(answer.judge, curl(content), OUTPUT)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Empty json parameter in data", "The picture is the form's field binData: -F binData=@img_103.jpg"),
        (
            "'utf-8' codec can't decode byte 0xff in position 0",
            "The picture is the form's field binData: -F binData=@img_103.jpg",
        ),
        ("cannot identify image file <_io.BytesIO object>", "The file is not a picture: send img_103.jpg"),
        ("something else", "something else. The server's log has the details"),
    ],
)
def test_seldons_own_errors_get_their_hint(hint: Hint, said: str, expected: str) -> None:
    content = {"status": {"status": 1, "info": said, "code": -1, "reason": "MICROSERVICE_BAD_DATA"}}
    assert hint(answer.judge, curl(content), OUTPUT).endswith(expected)


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        ("", "curl: (7) Failed to connect to 127.0.0.1 port 1", "Is the address the Http URL of `neuro status`?"),
        ("", "curl: (3) URL rejected: No host part in the URL", "Is the address the Http URL of `neuro status`?"),
        ("no healthy upstream", "", "The server is still starting, or has another port than 5000"),
        ("404 page not found", "", "The path is /predict on the platform"),
        ("Unauthorized", "", "run it with --no-http-auth"),
        ("", "", "there is no answer: fill in the command"),
    ],
)
def test_an_answer_of_no_server_gets_its_hint(hint: Hint, stdout: str, stderr: str, expected: str) -> None:
    assert expected in hint(answer.judge, curl(stdout, stderr), OUTPUT)
