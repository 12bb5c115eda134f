"""One flipped bit on the disk is never delivered: every way to read a file reports the loss and names the file."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.minipdk.services.pachyderm.conftest import at, new_repo, put, read
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home

SMALL, MEDIUM, LARGE = 1_000, 100_000, 12_000_000
"""Sizes of a file in the database, of a file that is one blob, and of a file of several."""
CHANCE = random.Random(14)


def flip(path: Path, at: int = 50) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def blobs_of(home: Home, data: bytes) -> list[Path]:
    """The blobs with pieces of ``data``, in their order."""
    found = [path for path in home.folder("blobs").glob("??/*") if path.read_bytes() in data]
    return sorted(found, key=lambda path: data.index(path.read_bytes()))


@contextmanager
def flipped(home: Home, data: bytes) -> Iterator[str]:
    """Flip a bit of the last piece of ``data``; the piece's digest."""
    if len(data) == SMALL:
        digest = hashlib.sha256(data).digest()
        with closing(sqlite3.connect(home.database("pachyderm"), timeout=60)) as rows:
            for content in (bytes([data[0] ^ 1]) + data[1:], data):
                with rows:
                    rows.execute("UPDATE small_contents SET data = ? WHERE digest = ?", (content, digest))
                if content != data:
                    yield digest.hex()
        return
    blob = blobs_of(home, data)[-1]
    flip(blob)
    try:
        yield blob.name
    finally:
        flip(blob)


@pytest.fixture
def s3(home: Home) -> Any:
    keys = {"aws_access_key_id": home.token, "aws_secret_access_key": home.token, "region_name": "us-east-1"}
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=home.url("s3"), config=config, **keys)


@pytest.fixture(params=[SMALL, MEDIUM, LARGE], ids=["in the database", "one blob", "several blobs"])
def data(request: pytest.FixtureRequest) -> bytes:
    return CHANCE.randbytes(request.param)


Get = Callable[[Client, pfs.File], object]
WAYS: dict[str, Get] = {
    "get": lambda client, file: b"".join(part.value for part in client.pfs.get_file(file=file)),
    "from an offset": lambda client, file: list(client.pfs.get_file(file=file, offset=SMALL - 1)),
    "tar": lambda client, file: list(client.pfs.get_file_tar(file=pfs.File(commit=file.commit, path="/"))),
    "seek": lambda client, file: read(client, file.commit, file.path),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_read_reports_the_loss_and_names_the_file(home: Home, client: Client, data: bytes, way: str) -> None:
    commit = put(client, pfs.Branch(repo=new_repo(client), name="master"), in__a=data)
    with flipped(home, data) as digest, pytest.raises(grpc.RpcError) as lost:
        WAYS[way](client, at(commit, "/in/a"))
    assert lost.value.code() == grpc.StatusCode.DATA_LOSS
    name = f"default/{commit.repo.name}@{commit.id}:/in/a"
    assert lost.value.details() == f"file {name}: its content {digest} is damaged"
    WAYS[way](client, at(commit, "/in/a"))


def test_no_byte_of_a_damaged_piece_is_delivered(home: Home, client: Client) -> None:
    data = CHANCE.randbytes(LARGE)
    commit = put(client, pfs.Branch(repo=new_repo(client), name="master"), a=data)
    received = bytearray()

    def receive() -> None:
        for part in client.pfs.get_file(file=at(commit, "/a")):
            received.extend(part.value)

    with flipped(home, data), pytest.raises(grpc.RpcError):
        receive()
    assert data.startswith(received)
    assert len(received) == len(data) - blobs_of(home, data)[-1].stat().st_size


def test_the_s3_gateway_answers_with_an_internal_error_that_names_the_file(
    home: Home, client: Client, s3: Any, data: bytes
) -> None:
    commit = put(client, pfs.Branch(repo=new_repo(client), name="master"), a=data)
    bucket = f"{commit.id}.master.{commit.repo.name}"
    wanted = {"Bucket": bucket, "Key": "a", "Range": f"bytes={len(data) - 10}-"}
    with flipped(home, data) as digest, pytest.raises(ClientError) as lost:
        s3.get_object(**wanted)
    assert lost.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert lost.value.response["Error"]["Code"] == "InternalError"
    name = f"default/{commit.repo.name}@{commit.id}:/a"
    assert lost.value.response["Error"]["Message"] == f"file {name}: its content {digest} is damaged"
    assert s3.get_object(**wanted)["Body"].read() == data[-10:]


def test_a_datum_does_not_see_damaged_input(home: Home, client: Client, bench: Workbench, data: bytes) -> None:
    repo = bench.repo()
    put(client, pfs.Branch(repo=pfs.Repo(name=repo), name="master"), a=data)
    with flipped(home, data) as digest:
        pipeline = bench.pipeline(repo, "cp /pfs/repo*/a /pfs/out/", datum_tries=1)
        job = bench.job(pipeline)
    assert job.state == pps.JobState.JOB_FAILURE
    assert f"its content {digest} is damaged" in job.reason
