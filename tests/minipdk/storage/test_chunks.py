"""Chunks depend on the bytes alone, and a small change leaves most of them as they were."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.storage.chunks import LARGEST, SMALLEST, chunks

VARIED = random.Random(7).randbytes(12 << 20)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=5, deadline=None)
def test_chunks_depend_on_the_bytes_alone_and_not_on_how_they_arrive(seed: int) -> None:
    chance, pieces, at = random.Random(seed), list[bytes](), 0
    while at < len(VARIED):
        size = chance.choice([1, 100, 300_000, 5_000_000])
        pieces.append(VARIED[at : at + size])
        at += size
    assert list(map(bytes, chunks(pieces))) == list(map(bytes, chunks([VARIED])))


@pytest.mark.parametrize(
    "data", [b"", b"1", VARIED, bytes(9 << 20), b"abc" * (3 << 20)], ids=["empty", "1", "varied", "0", "abc"]
)
def test_chunks_make_up_the_whole_and_keep_their_limits(data: bytes) -> None:
    cut = list(map(bytes, chunks([data])))
    assert b"".join(cut) == data
    assert all(SMALLEST <= len(chunk) <= LARGEST for chunk in cut[:-1])
    assert all(0 < len(chunk) <= LARGEST for chunk in cut[-1:])


def test_a_small_change_leaves_most_chunks_as_they_were() -> None:
    before = set(map(bytes, chunks([VARIED])))
    after = set(map(bytes, chunks([VARIED[:3_000_000] + b"put in" + VARIED[3_000_000:]])))
    assert len(after - before) <= 2
