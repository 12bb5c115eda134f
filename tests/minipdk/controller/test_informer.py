"""Informers: they list, watch, and list again when a watch is too old or breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

import pytest

from minipdk.controller import api
from minipdk.controller.api import Api
from minipdk.controller.errors import ApiError, GoneError
from minipdk.controller.informer import Informer
from minipdk.controller.objects import PODS, Object, Resource

KEY = ("models", "a")
Step = Sequence[Object] | Exception


def pod(version: int, uid: str = "1") -> Object:
    return {"metadata": {"namespace": "models", "name": "a", "uid": uid, "resourceVersion": str(version)}}


def event(kind: str, thing: Object) -> Object:
    return {"type": kind, "object": thing}


class FakeApi:
    """An API server whose lists and watches are given; the last watch never ends."""

    def __init__(self, lists: Sequence[Step], watches: Sequence[Step]) -> None:
        self._lists, self._watches = iter(lists), iter(watches)
        self.versions: list[str] = []
        self.done = asyncio.Event()

    async def list(self, resource: Resource) -> Object:
        items = self._next(self._lists)
        return {"items": items, "metadata": {"resourceVersion": "10"}}

    async def watch(self, resource: Resource, version: str) -> AsyncIterator[Object]:
        self.versions.append(version)
        for change in self._next(self._watches):
            yield change

    def _next(self, steps: Iterator[Step]) -> Sequence[Object]:
        step = next(steps, None)
        if step is None:
            self.done.set()
            raise asyncio.CancelledError
        if isinstance(step, Exception):
            raise step
        return step


def follow(lists: Sequence[Step], watches: Sequence[Step]) -> tuple[Informer, list[int], list[str]]:
    """The informer after ``lists`` and ``watches``, the versions that it reported, and the versions that it watched from."""
    reported: list[int] = []

    async def run() -> tuple[Informer, list[str]]:
        fake = FakeApi(lists, watches)
        informer = Informer(
            cast("Api", fake), PODS, lambda thing: reported.append(int(thing["metadata"]["resourceVersion"]))
        )
        await asyncio.gather(informer.run(), return_exceptions=True)
        assert fake.done.is_set()
        return informer, fake.versions

    informer, versions = asyncio.run(run())
    return informer, reported, versions


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "RETRY_SECONDS", 0.0)


def test_changes_are_kept_and_reported_in_order() -> None:
    informer, reported, versions = follow(
        [[pod(5)]], [[event("MODIFIED", pod(11)), event("BOOKMARK", pod(12))], [event("MODIFIED", pod(13))]]
    )
    assert informer.synced.is_set()
    assert informer.get(KEY) == pod(13)
    assert (reported, versions) == ([5, 11, 13], ["10", "12", "13"])


def test_a_deleted_object_is_forgotten_unless_another_has_its_name() -> None:
    informer, reported, _ = follow([[pod(5)]], [[event("DELETED", pod(11))]])
    assert (informer.all(), reported) == ([], [5, 11])
    informer, reported, _ = follow([[pod(5, uid="2")]], [[event("DELETED", pod(11, uid="1"))]])
    assert (informer.all(), reported) == ([pod(5, uid="2")], [5, 11])


def test_an_older_object_than_the_known_one_is_ignored() -> None:
    informer, reported, _ = follow([[pod(5)]], [[event("MODIFIED", pod(4))]])
    assert (informer.get(KEY), reported) == (pod(5), [5])


@pytest.mark.parametrize("failure", [GoneError(410, "too old"), ApiError(500, "busy"), OSError("refused"), TimeoutError()])
def test_after_a_failure_the_objects_are_listed_again(failure: Exception) -> None:
    informer, reported, versions = follow([failure, [pod(5)], []], [failure, []])
    assert informer.all() == []
    assert (reported, versions) == ([5, 5], ["10", "10", "10"])
