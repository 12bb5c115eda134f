"""Judge the answer of Seldon's server to a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from subprocess import CompletedProcess
from typing import Any

from course.checks import CheckError, check
from course.commands import last_line

CLASSES = 10
NAMES = [f"t:{digit}" for digit in range(CLASSES)]
DIGIT = 2
"""The digit on img_103.jpg."""

TOLERANCE = 1e-5
_REFUSED = (
    "connection refused",
    "could not resolve",
    "failed to connect",
    "couldn't connect",
    "no host part",
    "url rejected",
)
_STARTING = ("503", "upstream", "no healthy", "not ready", "starting")


def judge(curl: CompletedProcess[str], expected: Sequence[float]) -> None:
    """Check an answer against the model's own output ``expected``. Raises CheckError that names the first mistake."""
    data = _data(curl)
    names = data.get("names")
    check("the classes are called t:0 to t:9", names == NAMES, f"they are called {names}: does predict return ten numbers?")
    tensor = data.get("tensor") or {}
    shape, values = tensor.get("shape"), tensor.get("values") or []
    check("the answer has one row of ten numbers", shape == [1, CLASSES], f"its shape is {shape}: keep the batch axis")
    best = max(range(CLASSES), key=values.__getitem__)
    check(
        f"the largest is that of {DIGIT}", best == DIGIT, f"it is that of {best}: is img_103.jpg the picture that you sent?"
    )
    error = max(abs(value - other) for value, other in zip(values, expected, strict=True))
    hint = (
        f"they differ by up to {error:.5f}: build and run the image again after a change of seldon_model.py or of the model"
    )
    check("they are the model's own numbers", error <= TOLERANCE, hint)


def _data(curl: CompletedProcess[str]) -> dict[str, Any]:
    """The member `data` of the answer. Raises CheckError with a hint on how to get one."""
    text = curl.stdout.strip()
    try:
        content = json.loads(text)
    except ValueError:
        raise CheckError(f"Not yet: the server answers in JSON. Hint: {_failure(curl)}") from None
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        return dict(content["data"])
    status = content.get("status") if isinstance(content, dict) else None
    said = str(status.get("info") or status.get("reason")) if isinstance(status, dict) else text
    raise CheckError(f"Not yet: the server answers with data. Hint: {_complaint(said)}")


def _failure(curl: CompletedProcess[str]) -> str:
    said = last_line(curl.stderr, curl.stdout)
    if not curl.args or said == "nothing":
        return "there is no answer: fill in the command"
    if any(text in said.lower() for text in _REFUSED):
        return f"{said}. Is the address the Http URL of `neuro status`?"
    if any(text in said.lower() for text in _STARTING):
        return f"{said}. The server is still starting, or has another port than 5000: see `neuro status` and `neuro logs`"
    if "404" in said or "not found" in said.lower():
        return (
            f"{said}. The path is /predict on the platform, /seldon/seldon/neuro-model/api/v1.0/predictions on the gateway"
        )
    if "401" in said or "unauthorized" in said.lower():
        return f"{said}. The job asks for the platform's token: run it with --no-http-auth"
    return said


def _complaint(said: str) -> str:
    if any(text in said.lower() for text in ("bindata", "empty", "can't find", "codec can't decode")):
        return f"{said}. The picture is the form's field binData: -F binData=@img_103.jpg"
    if "cannot identify image" in said.lower() or "unidentifiedimage" in said.lower():
        return f"{said}. The file is not a picture: send img_103.jpg"
    return f"{said}. The server's log has the details"
