"""The queue of objects to reconcile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from minipdk.controller import queue
from minipdk.controller.objects import Key
from minipdk.controller.queue import WorkQueue

A, B = ("models", "a"), ("models", "b")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(queue, "LONGEST_SECONDS", 1000.0)


def in_loop(work: Callable[[WorkQueue], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(work(WorkQueue()), 60)

    asyncio.run(run())


def test_a_key_is_taken_once_however_often_it_was_added() -> None:
    async def work(tasks: WorkQueue) -> None:
        for key in (A, B, A):
            tasks.add(key)
        assert [await tasks.take(), await tasks.take()] == [A, B]
        tasks.add(B)
        assert await tasks.take() == B

    in_loop(work)


def test_a_failing_key_comes_back_after_growing_pauses_until_it_succeeds() -> None:
    async def work(tasks: WorkQueue) -> None:
        clock = asyncio.get_running_loop().time

        async def retried(key: Key) -> float:
            began = clock()
            tasks.retry(key)
            assert await tasks.take() == key
            return clock() - began

        pauses = [await retried(A) for _ in range(10)]
        assert pauses[9] > 0.5 > pauses[0]
        tasks.succeeded(A)
        assert await retried(A) < pauses[9]

    in_loop(work)


def test_a_change_does_not_wait_for_the_pause_which_then_brings_the_key_once_more() -> None:
    async def work(tasks: WorkQueue) -> None:
        tasks.retry(A)
        tasks.add(A)
        tasks.add(B)
        assert [await tasks.take() for _ in range(3)] == [A, B, A]

    in_loop(work)


def test_success_ends_the_wait() -> None:
    async def work(tasks: WorkQueue) -> None:
        tasks.retry(A)
        tasks.succeeded(A)
        tasks.retry(B)
        assert await tasks.take() == B

    in_loop(work)
