"""A put that finds the disk full says so, stores nothing, and the next one works once there is space."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import grpc
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.conftest import at, connect, new_repo, paths

from minipdk.common.home import Home
from minipdk.common.ports import is_listening

MIB = 1 << 20
SIZE = 24 * MIB
START = (
    'set -e; mount -t tmpfs -o size={size} tmpfs "$1"; cp "$2" "$1/cluster.json"; '
    'exec "$0" -m minipdk.services.pachyderm.server --home "$1"'
)


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[Client]:
    """A client of pachd whose home is on a disk of 24 MiB."""
    identity = shutil.copy(home.path / "cluster.json", home.path.with_name("identity"))
    script = START.format(size=SIZE)
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable]
    pachd = subprocess.Popen([*argv, str(home.path), str(identity)])
    wait_for(lambda: is_listening(home.port("pachd")) and is_listening(home.port("s3")), what="pachd to answer")
    yield connect(home)
    pachd.terminate()
    pachd.wait()


@pytest.fixture
def s3(home: Home) -> Any:
    keys = {"aws_access_key_id": home.token, "aws_secret_access_key": home.token, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=home.url("s3"), config=Config(retries={"max_attempts": 1}), **keys)


@pytest.mark.parametrize("size", [SIZE, 20_000], ids=["as blobs", "in the database"])
def test_a_put_that_fills_the_disk_says_so_and_loses_nothing(client: Client, home: Home, size: int) -> None:
    branch = pfs.Branch(repo=new_repo(client), name="master")
    commit = client.pfs.start_commit(branch=branch)
    client.pfs.put_file_from_bytes(commit=commit, path="/kept", data=b"1")
    many = [pfs.AddFile(path=f"/{number}", raw=content(number, size)) for number in range(2 * SIZE // size)]
    messages = [pfs.ModifyFileRequest(set_commit=commit), *(pfs.ModifyFileRequest(add_file=file) for file in many)]
    with pytest.raises(grpc.RpcError) as full:
        client.pfs.modify_file(iter(messages))
    assert full.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "the disk is full" in full.value.details()
    assert str(home.path) in full.value.details()
    assert paths(client.pfs.walk_file(file=at(commit))) == ["/", "/kept"]
    wait_for(lambda: is_accepted(client, commit), what="space for a small file, once the garbage is collected")
    client.pfs.finish_commit(commit=commit)


def content(number: int, size: int) -> bytes:
    """``size`` bytes that no other file has."""
    return number.to_bytes(8) + os.urandom(min(size, SIZE // 2))


def is_accepted(client: Client, commit: pfs.Commit) -> bool:
    try:
        client.pfs.put_file_from_bytes(commit=commit, path="/small", data=b"2" * 1000)
    except grpc.RpcError:
        return False
    return True


def test_the_s3_gateway_says_so_too(client: Client, s3: Any) -> None:
    repo = new_repo(client)
    s3.create_bucket(Bucket=f"master.{repo.name}")
    with pytest.raises(ClientError) as full:
        s3.put_object(Bucket=f"master.{repo.name}", Key="large", Body=b"".join(content(number, SIZE) for number in range(4)))
    assert full.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert full.value.response["Error"]["Code"] == "InsufficientStorage"
    assert "the disk is full" in full.value.response["Error"]["Message"]
