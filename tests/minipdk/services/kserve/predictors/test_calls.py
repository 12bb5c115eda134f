"""A model's calls: one at a time, in a thread after a long call, directly while recent calls were short."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.services.kserve.predictors.calls import SHORT_SECONDS, Calls

LONG = 2 * SHORT_SECONDS


def spend(seconds: float) -> threading.Thread:
    """Take ``seconds``, and return the thread."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
    return threading.current_thread()


async def warmed_up(calls: Calls) -> None:
    while await calls.make(spend, 0) is not threading.current_thread():  # the test's time limit ends it
        pass


def test_short_calls_are_made_directly_and_a_long_one_sends_the_next_to_the_thread() -> None:
    async def run() -> None:
        calls, here = Calls("model"), threading.current_thread()
        assert await calls.make(spend, 0) is not here
        await warmed_up(calls)
        assert await calls.make(spend, LONG) is here
        assert await calls.make(spend, 0) is not here

    asyncio.run(run())


def test_the_server_answers_others_while_a_long_call_is_made() -> None:
    async def run() -> None:
        calls, go_on = Calls("model"), threading.Event()
        call = asyncio.create_task(calls.make(go_on.wait, 60))
        await asyncio.sleep(0)  # others have their turn
        assert not call.done()
        go_on.set()
        assert await call

    asyncio.run(run())


@settings(max_examples=20)
@given(seconds=st.lists(st.sampled_from([0.0, LONG]), max_size=80))
def test_calls_never_overlap_in_any_thread_even_if_their_callers_have_gone(seconds: list[float]) -> None:
    made, alone = [], threading.Lock()

    def call(number: int) -> None:
        assert alone.acquire(blocking=False), "two calls overlap"
        made.append(spend(seconds[number]))
        alone.release()

    async def run() -> None:
        calls = Calls("model")
        await warmed_up(calls)
        tasks = [asyncio.create_task(calls.make(call, number)) for number in range(len(seconds))]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            assert task.cancelled() or task.exception() is None
        await calls.make(spend, 0)  # after the calls whose callers have gone

    asyncio.run(run())
    assert len(made) >= len(seconds) - len(seconds[::3])


def test_a_calls_error_is_raised_for_its_caller() -> None:
    async def run() -> None:
        calls = Calls("model")
        for _ in range(2):
            with pytest.raises(ValueError, match="three"):
                await calls.make(int, "three")
            await warmed_up(calls)

    asyncio.run(run())
