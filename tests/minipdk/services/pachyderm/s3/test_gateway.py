"""The S3 gateway, as boto3 and plain HTTP see it."""

from __future__ import annotations

import email
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.handlers import validate_bucket_name
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import head, new_repo, put, put_paths
from tests.minipdk.services.pachyderm.pfs.test_branches import new_branch

from minipdk.common.home import Home


def connect(home: Home, key: str = "", secret: str = "", version: str = "s3v4") -> BaseClient:
    return boto3.client(
        "s3",
        endpoint_url=home.url("s3"),
        aws_access_key_id=key or home.token,
        aws_secret_access_key=secret or home.token,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, signature_version=version),
    )


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


@pytest.fixture(scope="module")
def shelf(client: Client) -> pfs.Commit:
    """A finished commit with keys at several levels."""
    branch = pfs.Branch(repo=new_repo(client), name="master")
    keys = ["a", "b/1", "b/2", "b/c/3", "b-d", "e f%g&h", "z/9"]
    return put_paths(client, branch, {f"/{key}": key.encode() * 3 for key in keys})


KEYS = ["a", "b-d", "b/1", "b/2", "b/c/3", "e f%g&h", "z/9"]


def refused(code: str, status: int, words: str = "") -> pytest.RaisesExc[ClientError]:
    def matches(error: ClientError) -> bool:
        answer = error.response
        error_and_status = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
        return error_and_status == (code, status) and words in answer["Error"].get("Message", "")

    return pytest.raises(ClientError, check=matches)


def keys(answer: Any) -> list[str]:
    return [item["Key"] for item in answer.get("Contents", [])]


def prefixes(answer: Any) -> list[str]:
    return [item["Prefix"] for item in answer.get("CommonPrefixes", [])]


class TestBuckets:
    def test_every_branch_is_a_bucket(self, s3: BaseClient, client: Client, shelf: pfs.Commit) -> None:
        name = f"master.{shelf.repo.name}.default"
        listed = next(bucket for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] == name)
        assert listed["CreationDate"] <= datetime.now(UTC)

    def test_buckets_page_by_page(self, s3: BaseClient, client: Client) -> None:
        repo = new_repo(client)
        for name in ("paged-c", "paged-a", "paged-b"):
            client.pfs.create_branch(branch=pfs.Branch(repo=repo, name=name))
        pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
        names = [[bucket["Name"].partition(".")[0] for bucket in page["Buckets"]] for page in pages]
        assert names == [["paged-a", "paged-b"], ["paged-c"]]
        with refused("NotImplemented", 501, "bucket-region"):
            s3.list_buckets(BucketRegion="eu-west-1")

    @pytest.mark.parametrize(
        "form", ["{repo}", "master.{repo}", "master.{repo}.default", "{id}.master.{repo}", "{id}.{repo}"]
    )
    def test_the_four_forms_of_a_name(self, s3: BaseClient, client: Client, form: str) -> None:
        branch = pfs.Branch(repo=new_repo(client), name="master")
        commit = put(client, branch, a=b"1")
        put(client, branch, later=b"1")
        listed = keys(s3.list_objects_v2(Bucket=form.format(repo=branch.repo.name, id=commit.id)))
        assert listed == (["a"] if "{id}" in form else ["a", "later"])

    def test_another_project_and_branch(self, s3: BaseClient, client: Client) -> None:
        project = pfs.Project(name="s3-project")
        client.pfs.create_project(project=project)
        repo = pfs.Repo(name="data", type="user", project=project)
        client.pfs.create_repo(repo=repo)
        put(client, pfs.Branch(repo=repo, name="staging"), a=b"1")
        assert keys(s3.list_objects_v2(Bucket="staging.data.s3-project")) == ["a"]

    @pytest.mark.parametrize("name", ["missing", "nobranch.{repo}", "{missing}.master.{repo}"])
    def test_invalid_and_missing_buckets(self, s3: BaseClient, shelf: pfs.Commit, name: str) -> None:
        missing = "0" * 12 + "4" + "0" * 19
        name = name.format(repo=shelf.repo.name, missing=missing)
        with refused("NoSuchBucket", 404):
            s3.list_objects_v2(Bucket=name)
        with refused("404", 404):
            s3.head_bucket(Bucket=name)

    def test_head_location_and_versioning(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        s3.head_bucket(Bucket=shelf.repo.name)
        assert s3.get_bucket_location(Bucket=shelf.repo.name)["LocationConstraint"] == "PACHYDERM"
        assert s3.get_bucket_versioning(Bucket=shelf.repo.name)["Status"] == "Enabled"


class TestListing:
    @pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
    def test_all_keys_in_bytewise_order(self, s3: BaseClient, shelf: pfs.Commit, call: str) -> None:
        answer = getattr(s3, call)(Bucket=shelf.repo.name)
        assert keys(answer) == KEYS
        assert not answer["IsTruncated"]
        first = answer["Contents"][0]
        assert (first["Size"], first["StorageClass"]) == (3, "STANDARD")

    @pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
    @pytest.mark.parametrize(
        ("prefix", "files", "folders"),
        [
            ("", ["a", "b-d", "e f%g&h"], ["b/", "z/"]),
            ("b", ["b-d"], ["b/"]),
            ("b/", ["b/1", "b/2"], ["b/c/"]),
            ("b/c", [], ["b/c/"]),
            ("b/c/3", ["b/c/3"], []),
            ("nope", [], []),
        ],
    )
    def test_a_delimiter_folds_folders(
        self, s3: BaseClient, shelf: pfs.Commit, call: str, prefix: str, files: list[str], folders: list[str]
    ) -> None:
        answer = getattr(s3, call)(Bucket=shelf.repo.name, Prefix=prefix, Delimiter="/")
        assert (keys(answer), prefixes(answer)) == (files, folders)

    @pytest.mark.parametrize("prefix", ["", "b", "b/", "b/c", "a", "e f%", "nope"])
    def test_a_prefix_without_a_delimiter(self, s3: BaseClient, shelf: pfs.Commit, prefix: str) -> None:
        listed = keys(s3.list_objects_v2(Bucket=shelf.repo.name, Prefix=prefix))
        assert listed == [key for key in KEYS if key.startswith(prefix)]

    @pytest.mark.parametrize("start", ["", "a", "b", "b-d", "b/", "b/1", "b/1a", "b/c", "q", "zz"])
    def test_from_a_key_on(self, s3: BaseClient, shelf: pfs.Commit, start: str) -> None:
        listed = keys(s3.list_objects_v2(Bucket=shelf.repo.name, StartAfter=start))
        assert listed == [key for key in KEYS if key > start]
        assert keys(s3.list_objects(Bucket=shelf.repo.name, Marker=start)) == listed

    @pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
    @pytest.mark.parametrize("size", [1, 2, 3])
    @pytest.mark.parametrize("delimiter", ["", "/"])
    def test_page_by_page(self, s3: BaseClient, shelf: pfs.Commit, call: str, size: int, delimiter: str) -> None:
        listed: list[str] = []
        options = {"Bucket": shelf.repo.name, "Delimiter": delimiter, "PaginationConfig": {"PageSize": size}}
        for page in s3.get_paginator(call).paginate(**options):
            assert len(keys(page)) + len(prefixes(page)) <= size
            listed += keys(page) + prefixes(page)
        assert sorted(listed) == (KEYS if not delimiter else ["a", "b-d", "b/", "e f%g&h", "z/"])

    def test_no_keys_may_be_requested(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        answer = s3.list_objects_v2(Bucket=shelf.repo.name, MaxKeys=0)
        assert (answer["KeyCount"], answer["IsTruncated"]) == (0, False)

    def test_a_delimiter_that_pfs_does_not_know(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        with refused("InvalidDelimiter", 400):
            s3.list_objects_v2(Bucket=shelf.repo.name, Delimiter="-")

    def test_any_number_of_keys_may_be_requested(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        answer = s3.list_objects_v2(Bucket=shelf.repo.name, MaxKeys=5000)
        assert (answer["MaxKeys"], keys(answer)) == (5000, KEYS)

    @pytest.mark.parametrize(
        ("name", "status", "code"),
        [
            ("bad_bucket!", 400, "InvalidBucketName"),
            ("master^.r", 400, "InvalidBucketName"),
            ("a.b.c.d", 500, "InternalError"),
        ],
    )
    def test_a_name_that_no_bucket_has(self, s3: BaseClient, name: str, status: int, code: str) -> None:
        """Which of the codes it is, is the vendor's choice. boto3 itself would refuse some names."""
        s3.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
        with refused(code, status):
            s3.list_objects_v2(Bucket=name)

    def test_a_token_that_is_none(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        with refused("InvalidArgument", 400, "continuation token"):
            s3.list_objects_v2(Bucket=shelf.repo.name, ContinuationToken="\x81")


TYPES = [
    ("c.csv", b"a,b\n", "text/csv; charset=utf-8"),
    ("typed.json", b"{}", "application/json"),
    ("p.png", b"no image", "image/png"),
    ("y.yaml", b"a: 1\n", "application/x-yaml"),
    ("h.html", b"hello", "text/html; charset=utf-8"),
    ("m.pt", b"PK\3\4 and more", "application/zip"),
    ("b.bin", b"\0\1\2", "application/octet-stream"),
    ("q.unknown", b"words", "text/plain; charset=utf-8"),
    ("noext", b"  <html><body>", "text/html; charset=utf-8"),
    ("picture", b"\x89PNG\r\n\x1a\n", "image/png"),
    ("nothing", b"", "text/plain; charset=utf-8"),
]
"""Keys and contents of objects, and their types."""


class TestObjects:
    @pytest.mark.parametrize("key", KEYS)
    def test_get_and_head(self, s3: BaseClient, shelf: pfs.Commit, key: str) -> None:
        answer = s3.get_object(Bucket=shelf.repo.name, Key=key)
        described = s3.head_object(Bucket=shelf.repo.name, Key=key)
        assert answer["Body"].read() == key.encode() * 3
        assert described["ContentLength"] == len(key) * 3
        assert described["ETag"] == answer["ETag"]
        assert answer["VersionId"] == shelf.id

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [("0-0", 0, 0), ("2-5", 2, 5), ("10-", 10, 99), ("-5", 95, 99), ("90-500", 90, 99), ("-500", 0, 99)],
    )
    def test_ranges(self, s3: BaseClient, client: Client, asked: str, first: int, last: int) -> None:
        data = bytes(range(100))
        repo = new_repo(client)
        put(client, pfs.Branch(repo=repo, name="master"), a=data)
        answer = s3.get_object(Bucket=repo.name, Key="a", Range=f"bytes={asked}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {first}-{last}/100"
        assert answer["Body"].read() == data[first : last + 1]

    @pytest.mark.parametrize("asked", ["bytes=100-", "bytes=2-1", "bytes=-", "bytes=a-b", "lines=0-1", "nonsense"])
    def test_a_range_that_is_not_in_the_object(self, s3: BaseClient, shelf: pfs.Commit, asked: str) -> None:
        """A failure of HTTP, without S3's document, as at the vendor's."""
        for call in (s3.get_object, s3.head_object):
            with refused("416", 416):
                call(Bucket=shelf.repo.name, Key="a", Range=asked)

    @pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-9", "bytes=5-", "bytes=-3"])
    def test_any_range_of_an_empty_object_is_the_whole(self, s3: BaseClient, client: Client, asked: str) -> None:
        repo = new_repo(client)
        put(client, pfs.Branch(repo=repo, name="master"), empty=b"")
        answer = s3.get_object(Bucket=repo.name, Key="empty", Range=asked)
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()) == (200, b"")

    def test_the_last_zero_bytes_are_an_empty_range(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        answer = s3.get_object(Bucket=shelf.repo.name, Key="a", Range="bytes=-0")
        assert (answer["ContentRange"], answer["Body"].read()) == ("bytes 3-2/3", b"")

    def test_several_ranges_are_parts_of_one_answer(self, s3: BaseClient, client: Client) -> None:
        repo = new_repo(client)
        put(client, pfs.Branch(repo=repo, name="master"), a=b"0123456789")
        answer = s3.get_object(Bucket=repo.name, Key="a", Range="bytes=0-1, 3-4")
        kind, body = answer["ContentType"], answer["Body"].read()
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ContentLength"]) == (206, len(body))
        parts = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).walk()
        assert [(part["Content-Range"], part["Content-Type"], part.get_payload()) for part in list(parts)[1:]] == [
            ("bytes 0-1/10", "text/plain; charset=utf-8", "01"),
            ("bytes 3-4/10", "text/plain; charset=utf-8", "34"),
        ]
        larger = s3.get_object(Bucket=repo.name, Key="a", Range="bytes=0-8,1-9")
        assert (larger["ResponseMetadata"]["HTTPStatusCode"], larger["Body"].read()) == (200, b"0123456789")

    def test_an_objects_type_is_that_of_its_name_or_else_of_its_content(self, s3: BaseClient, client: Client) -> None:
        bucket = new_repo(client).name
        s3.create_bucket(Bucket=f"types.{bucket}")
        for key, content, kind in TYPES:
            s3.put_object(Bucket=f"types.{bucket}", Key=key, Body=content, ContentType="text/something-else")
            for call in (s3.get_object, s3.head_object):
                assert call(Bucket=f"types.{bucket}", Key=key)["ContentType"] == kind, key

    def test_a_large_object_in_parallel_ranges(self, s3: BaseClient, client: Client, tmp_path: Path) -> None:
        repo, data = new_repo(client), bytes(range(256)) * 80_000
        put(client, pfs.Branch(repo=repo, name="master"), big=data)
        s3.download_file(repo.name, "big", str(tmp_path / "big"))
        assert (tmp_path / "big").read_bytes() == data

    def test_a_slash_at_the_end_of_a_key_is_left_out(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        assert s3.get_object(Bucket=shelf.repo.name, Key="a/")["Body"].read() == b"aaa"
        assert s3.head_object(Bucket=shelf.repo.name, Key="a/")["ContentLength"] == 3

    @pytest.mark.parametrize("key", ["nope", "b", "b/", "a/b", "b//1", "../a"])
    def test_missing_objects_and_directories(self, s3: BaseClient, shelf: pfs.Commit, key: str) -> None:
        with refused("NoSuchKey", 404):
            s3.get_object(Bucket=shelf.repo.name, Key=key)

    def test_only_if_it_changed(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        tag = s3.head_object(Bucket=shelf.repo.name, Key="a")["ETag"]
        with refused("304", 304):
            s3.get_object(Bucket=shelf.repo.name, Key="a", IfNoneMatch=tag)
        with refused("412", 412):
            s3.get_object(Bucket=shelf.repo.name, Key="a", IfMatch='"other"')
        assert s3.get_object(Bucket=shelf.repo.name, Key="a", IfMatch=tag)["Body"].read() == b"aaa"

    def test_only_if_it_changed_since(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        asked: dict[str, Any] = {"Bucket": shelf.repo.name, "Key": "a"}
        head = s3.head_object(**asked)
        then, before = head["LastModified"], head["LastModified"] - timedelta(seconds=1)
        for call in (s3.get_object, s3.head_object):
            with refused("304", 304):
                call(**asked, IfModifiedSince=then)
            assert call(**asked, IfModifiedSince=before)["ContentLength"] == 3
            with refused("412", 412):
                call(**asked, IfUnmodifiedSince=before)
            assert call(**asked, IfUnmodifiedSince=then)["ContentLength"] == 3
            assert call(**asked, IfMatch=head["ETag"], IfUnmodifiedSince=before)["ContentLength"] == 3
        copy = {"Bucket": f"copies.{shelf.repo.name}", "Key": "a", "CopySource": asked}
        s3.create_bucket(Bucket=copy["Bucket"])
        for condition in ({"CopySourceIfModifiedSince": then}, {"CopySourceIfUnmodifiedSince": before}):
            with refused("PreconditionFailed", 412):
                s3.copy_object(**copy, **condition)
        s3.copy_object(**copy, CopySourceIfModifiedSince=before, CopySourceIfUnmodifiedSince=then)

    def test_a_range_is_sent_only_of_the_known_object(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        url = s3.generate_presigned_url("get_object", Params={"Bucket": shelf.repo.name, "Key": "b-d"})
        tag = s3.head_object(Bucket=shelf.repo.name, Key="b-d")["ETag"]
        for known, status in ((tag, 206), ('"other"', 200)):
            with urllib.request.urlopen(
                urllib.request.Request(url, headers={"Range": "bytes=0-1", "If-Range": known})
            ) as answer:
                assert (answer.status, answer.read()) == (status, b"b-" if status == 206 else b"b-db-db-d")

    def test_headers_that_the_client_chooses(self, s3: BaseClient, shelf: pfs.Commit) -> None:
        asked: dict[str, Any] = {"Bucket": shelf.repo.name, "Key": "a"}
        answer = s3.get_object(
            **asked, ResponseContentType="text/csv", ResponseContentDisposition='attachment; filename="a"'
        )
        assert (answer["ContentType"], answer["ContentDisposition"]) == ("text/csv", 'attachment; filename="a"')
        with refused("InvalidArgument", 400, "Content-Language"):
            s3.get_object(**asked, ResponseContentLanguage="a\nb: c")

    def test_a_version_is_a_commit(self, s3: BaseClient, client: Client) -> None:
        branch = pfs.Branch(repo=new_repo(client), name="master")
        old = put(client, branch, a=b"old")
        put(client, branch, a=b"new")
        assert s3.get_object(Bucket=branch.repo.name, Key="a", VersionId=old.id)["Body"].read() == b"old"
        with refused("NoSuchVersion", 404):
            s3.get_object(Bucket=branch.repo.name, Key="a", VersionId="nope")


class TestOpenCommits:
    def test_a_users_open_commit_shows_the_files_written_so_far(self, s3: BaseClient, client: Client) -> None:
        branch = pfs.Branch(repo=new_repo(client), name="master")
        commit = client.pfs.start_commit(branch=branch)
        client.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        assert keys(s3.list_objects_v2(Bucket=branch.repo.name)) == ["a"]

    def test_a_jobs_open_commit_is_not_served_until_it_is_finished(self, s3: BaseClient, client: Client) -> None:
        """The storage initializer meets this when a deployment runs inside the job that makes the model."""
        source = pfs.Branch(repo=new_repo(client), name="master")
        put(client, source, a=b"1")
        output = new_branch(client, source)
        commit = client.pfs.inspect_commit(commit=head(output)).commit
        bucket = f"{commit.id}.master.{output.repo.name}"
        for name in (bucket, output.repo.name):
            with refused("ServiceUnavailable", 503, "not finished: its job is still running, try again"):
                s3.list_objects_v2(Bucket=name)
        client.pfs.finish_commit(commit=commit, force=True)
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []


class TestWhatIsNotSupported:
    @pytest.mark.parametrize(
        ("call", "options"),
        [
            ("list_object_versions", {}),
            ("get_object_acl", {"Key": "a"}),
            ("get_bucket_tagging", {}),
            ("put_object_tagging", {"Key": "a", "Tagging": {"TagSet": []}}),
            ("put_bucket_policy", {"Policy": "{}"}),
            ("put_object", {"Key": "a", "Body": b"1", "IfNoneMatch": '"tag"'}),
            ("put_object", {"Key": "a", "Body": b"1", "ChecksumCRC64NVME": "AAAAAAAAAAA="}),
            ("delete_object", {"Key": "a", "VersionId": "1"}),
            ("delete_objects", {"Delete": {"Objects": [{"Key": "a", "VersionId": "1"}]}}),
            ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
        ],
    )
    def test_features_of_s3_that_pfs_lacks(
        self, s3: BaseClient, shelf: pfs.Commit, call: str, options: dict[str, Any]
    ) -> None:
        with refused("NotImplemented", 501, "is not supported by minipdk's S3 gateway"):
            getattr(s3, call)(Bucket=shelf.repo.name, **options)


def test_many_readers_at_once(s3: BaseClient, shelf: pfs.Commit) -> None:
    bodies: list[bytes] = []
    readers = [
        threading.Thread(target=lambda: bodies.append(s3.get_object(Bucket=shelf.repo.name, Key="a")["Body"].read()))
        for _ in range(20)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert bodies == [b"aaa"] * 20
