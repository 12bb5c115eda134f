"""Requests to the Kubernetes API, repeated until it accepts them."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from minipdk.controller import api
from minipdk.controller.api import until_accepted
from minipdk.controller.errors import ApiError, ConflictError, GoneError, NotFoundError

FAILURES = [ApiError(500, "busy"), aiohttp.ClientConnectionError("refused"), TimeoutError(), OSError("no route")]


class Request:
    """A request that raises ``failures`` one after the other, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = [*failures]

    async def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "accepted"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.0)


def test_a_request_is_repeated_until_it_is_accepted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert asyncio.run(until_accepted("pod a", Request(*FAILURES))) == "accepted"
    assert [record.message for record in caplog.records] == [
        "pod a: 500: busy; trying again",
        "pod a: refused; trying again",
        "pod a: TimeoutError; trying again",
        "pod a: no route; trying again",
    ]


@pytest.mark.parametrize("error", [NotFoundError(404, "no such pod"), ConflictError(409, "changed")])
def test_a_final_error_is_raised(error: ApiError) -> None:
    with pytest.raises(type(error)):
        asyncio.run(until_accepted("pod a", Request(error)))
    assert asyncio.run(until_accepted("pod a", Request(error), final=(GoneError,))) == "accepted"


def test_an_error_of_this_program_is_raised() -> None:
    with pytest.raises(KeyError):
        asyncio.run(until_accepted("pod a", Request(KeyError("x"))))
