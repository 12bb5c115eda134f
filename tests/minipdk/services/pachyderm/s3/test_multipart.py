"""Multipart uploads, with boto3 and its transfer manager, and with pachd killed between the parts."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.client import BaseClient
from pachyderm_sdk import Client
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import head, read
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, keys, refused
from tests.minipdk.services.pachyderm.s3.test_writing import blob_count, branch_of, commits, content, new_bucket

from minipdk.common.home import Home

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


@pytest.fixture
def bucket(s3: BaseClient) -> str:
    return new_bucket(s3)


class Upload:
    """One upload of the key "a", part by part."""

    def __init__(self, s3: BaseClient, bucket: str, **options: Any) -> None:
        self.s3 = s3
        self.place = {"Bucket": bucket, "Key": "a"}
        self.place["UploadId"] = s3.create_multipart_upload(**self.place, **options)["UploadId"]

    def put(self, number: int, data: bytes, **options: Any) -> dict[str, Any]:
        answer = self.s3.upload_part(**self.place, PartNumber=number, Body=data, **options)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, *parts: dict[str, Any], **options: Any) -> Any:
        return self.s3.complete_multipart_upload(**self.place, MultipartUpload={"Parts": list(parts)}, **options)


def test_a_large_file(s3: BaseClient, client: Client, bucket: str, tmp_path: Path) -> None:
    data = os.urandom(20 * MIB)
    (tmp_path / "big").write_bytes(data)
    before = len(commits(client, bucket))
    s3.upload_file(str(tmp_path / "big"), bucket, "deep/big")
    assert content(s3, bucket, "deep/big") == data
    assert read(client, head(branch_of(bucket)), "/deep/big") == data
    assert len(commits(client, bucket)) == before + 1
    s3.copy({"Bucket": bucket, "Key": "deep/big"}, bucket, "copy")
    assert content(s3, bucket, "copy") == data


def test_parts_in_any_order_and_replaced(s3: BaseClient, bucket: str) -> None:
    upload = Upload(s3, bucket)
    last, old = upload.put(7, b"end"), upload.put(2, bytes(5 * MIB))
    data = os.urandom(5 * MIB)
    first = upload.put(2, data)
    upload.put(9, b"not chosen")
    assert keys(s3.list_objects_v2(Bucket=bucket)) == []
    with refused("InvalidPart", 400, "has the ETag"):
        upload.complete(old, last)
    answer = upload.complete(first, last)
    assert content(s3, bucket, "a") == data + b"end"
    assert answer["ETag"] == s3.head_object(Bucket=bucket, Key="a")["ETag"]
    with refused("NoSuchUpload", 404):
        upload.complete(first, last)


def test_uploads_that_cannot_be_completed(s3: BaseClient, client: Client, bucket: str) -> None:
    upload = Upload(s3, bucket)
    before = commits(client, bucket)
    first, second = upload.put(1, b"small"), upload.put(2, b"small")
    with refused("EntityTooSmall", 400, "part 1 has 5 bytes"):
        upload.complete(first, second)
    with refused("InvalidPartOrder", 400):
        upload.complete(second, first)
    with refused("InvalidPart", 400, "part 3 was not uploaded"):
        upload.complete({"PartNumber": 3, "ETag": first["ETag"]})
    with refused("InvalidPart", 400, "CRC32"):
        upload.complete(first | {"ChecksumCRC32": "AAAAAA=="})
    with refused("MalformedXML", 400):
        upload.complete()
    with refused("InvalidRequest", 400, "x-amz-mp-object-size"):
        upload.complete(first, MpuObjectSize=6)
    with refused("PreconditionFailed", 412):
        upload.complete(first, IfMatch='"other"')
    with refused("BadDigest", 400):
        upload.complete(first, ChecksumCRC32="AAAAAA==")
    with refused("InvalidArgument", 400, "between 1 and 10000"):
        upload.put(10_001, b"")
    assert commits(client, bucket) == before
    upload.complete({"PartNumber": 1, "ETag": '"0cc175b9c0f1b6a831c399e269772661"'})  # an MD5 that the client made itself
    assert content(s3, bucket, "a") == b"small"


@pytest.mark.parametrize("composite", [False, True])
def test_checksums_of_parts_and_of_the_whole(s3: BaseClient, bucket: str, composite: bool) -> None:
    halves = [os.urandom(5 * MIB), b"end"]
    sums = [base64.b64encode(zlib.crc32(half).to_bytes(4)).decode() for half in halves]
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32")
    parts = [upload.put(n, half) | {"ChecksumCRC32": s} for n, (half, s) in enumerate(zip(halves, sums, strict=True), 1)]
    whole = zlib.crc32(b"".join(base64.b64decode(digest) for digest in sums) if composite else b"".join(halves))
    total = base64.b64encode(whole.to_bytes(4)).decode() + ("-2" if composite else "")
    upload.complete(*parts, ChecksumCRC32=total)
    assert content(s3, bucket, "a") == b"".join(halves)


def test_a_part_that_is_wrong_is_not_kept(s3: BaseClient, home: Home, bucket: str) -> None:
    upload = Upload(s3, bucket)
    before = blob_count(home)
    with refused("BadDigest", 400):
        upload.put(1, os.urandom(5 * MIB), ChecksumCRC32="AAAAAA==")
    assert "Parts" not in s3.list_parts(**upload.place)
    wait_for(lambda: blob_count(home) <= before, seconds=60, what="the stored bytes of the part to go")


def test_uploads_and_parts_are_listed_page_by_page(s3: BaseClient, bucket: str) -> None:
    made = {}
    for key in ("b", "a/1", "a/2", "a/1"):
        answer = s3.create_multipart_upload(Bucket=bucket, Key=key)
        made[answer["UploadId"]] = key
    listed = [
        (upload["Key"], upload["UploadId"])
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
        for upload in page["Uploads"]
    ]
    assert listed == sorted((key, upload_id) for upload_id, key in made.items())
    below = s3.list_multipart_uploads(Bucket=f"{bucket}.default", Prefix="a/")["Uploads"]
    assert [upload["Key"] for upload in below] == ["a/1", "a/1", "a/2"]

    place = {"Bucket": bucket, "Key": listed[-1][0], "UploadId": listed[-1][1]}
    for number in (3, 1, 2):
        s3.upload_part(**place, PartNumber=number, Body=bytes(number))
    pages = s3.get_paginator("list_parts").paginate(**place, PaginationConfig={"PageSize": 2})
    assert [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]] == [(1, 1), (2, 2), (3, 3)]


def test_an_upload_is_aborted(s3: BaseClient, bucket: str) -> None:
    upload = Upload(s3, bucket)
    part = upload.put(1, b"1")
    s3.abort_multipart_upload(**upload.place)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    for call in (lambda: upload.put(2, b"2"), lambda: upload.complete(part), lambda: s3.list_parts(**upload.place)):
        with refused("NoSuchUpload", 404):
            call()


def test_an_upload_belongs_to_its_key(s3: BaseClient, bucket: str) -> None:
    upload = Upload(s3, bucket)
    with refused("NoSuchUpload", 404):
        s3.list_parts(**upload.place | {"Key": "b"})
    with refused("NoSuchBucket", 404):
        s3.create_multipart_upload(Bucket="no-such-bucket", Key="a")
    with refused("InvalidFilePath", 400):
        s3.create_multipart_upload(Bucket=bucket, Key="a*")


def test_a_part_that_is_copied(s3: BaseClient, bucket: str) -> None:
    data = os.urandom(6 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    upload = Upload(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    parts = []
    for number, asked in enumerate(("bytes=10-5242889", "bytes=0-9"), 1):
        answer = s3.upload_part_copy(**upload.place, PartNumber=number, CopySource=source, CopySourceRange=asked)
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    upload.complete(*parts)
    assert content(s3, bucket, "a") == data[10:5242890] + data[:10]
    with refused("InvalidArgument", 400, "not valid for a source of"):
        s3.upload_part_copy(**Upload(s3, bucket).place, PartNumber=1, CopySource=source, CopySourceRange="bytes=0-6291456")
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfMatch='"other"')


def test_memory_does_not_grow_with_the_object(s3: BaseClient, pachd: ServiceProcess, bucket: str, tmp_path: Path) -> None:
    assert pachd.process is not None
    process = psutil.Process(pachd.process.pid)
    s3.put_object(Bucket=bucket, Key="warm", Body=bytes(2 * MIB))
    before = process.memory_info().rss
    with (tmp_path / "big").open("wb") as file:
        file.truncate(200 * MIB)
    with (tmp_path / "big").open("rb") as file:
        s3.put_object(Bucket=bucket, Key="big", Body=file)
    assert process.memory_info().rss - before < 60 * MIB


def test_parts_and_objects_outlive_a_kill(s3: BaseClient, client: Client, pachd: ServiceProcess, bucket: str) -> None:
    """Runs last: it restarts the server."""
    upload, data = Upload(s3, bucket), os.urandom(5 * MIB)
    restart: list[Callable[[], None]] = [pachd.kill, pachd.start]
    s3.put_object(Bucket=bucket, Key="small", Body=b"1")
    first = upload.put(1, data)
    for step in restart:
        step()
    assert keys(s3.list_objects_v2(Bucket=bucket)) == ["small"]
    last = upload.put(2, b"end")
    for step in restart:
        step()
    upload.complete(first, last)
    for step in restart:
        step()
    assert content(s3, bucket, "a") == data + b"end"
    assert content(s3, bucket, "small") == b"1"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
