"""Blobs are named by the hash of their bytes, and complete or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.storage import BlobStore


@given(data=st.binary(max_size=200))
def test_a_blob_is_kept_once_under_the_hash_of_its_bytes(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    store, digest = BlobStore(tmp_path_factory.mktemp("blobs")), hashlib.sha256(data).hexdigest()
    store.put(digest, data)
    store.put(digest, data)
    store.sync([digest])
    assert list(store.digests()) == [digest]
    with store.open(digest) as file:
        assert file.read() == data
    store.delete(digest)
    assert list(store.digests()) == []


def test_a_put_that_was_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    with pytest.raises(TypeError):
        store.put("0" * 64, ["not bytes"])  # type: ignore[arg-type]
    (tmp_path / "incoming" / "left by kill -9").write_bytes(b"half of it")
    BlobStore(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
