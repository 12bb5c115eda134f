"""Writing through the S3 gateway, as boto3, the aws command and plain HTTP do it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import google_crc32c
import pytest
from botocore.client import BaseClient
from botocore.handlers import validate_bucket_name
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.conftest import head, is_finished, new_repo, put, read
from tests.minipdk.services.pachyderm.pfs.test_branches import new_branch
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, keys, refused

from minipdk.common.home import Home

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


@pytest.fixture
def bucket(s3: BaseClient) -> str:
    return new_bucket(s3)


def new_bucket(s3: BaseClient) -> str:
    name = f"master.bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name


def branch_of(bucket: str) -> pfs.Branch:
    branch, repo = bucket.split(".")
    return pfs.Branch(repo=pfs.Repo(name=repo, type="user", project=pfs.Project(name="default")), name=branch)


def content(s3: BaseClient, bucket: str, key: str) -> bytes:
    data: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def commits(client: Client, bucket: str) -> list[str]:
    return [info.commit.id for info in client.pfs.list_commit(repo=branch_of(bucket).repo)]


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, 40_000, 3 * MIB])
    def test_an_object_that_is_put_is_read_back(self, s3: BaseClient, client: Client, bucket: str, size: int) -> None:
        data = os.urandom(size)
        answer = s3.put_object(Bucket=bucket, Key="a/b c", Body=data)
        described = s3.head_object(Bucket=bucket, Key="a/b c")
        assert content(s3, bucket, "a/b c") == data
        assert read(client, head(branch_of(bucket)), "/a/b c") == data
        assert (answer["ETag"], answer["VersionId"]) == (described["ETag"], described["VersionId"])
        assert described["ContentLength"] == size

    def test_a_put_replaces(self, s3: BaseClient, bucket: str) -> None:
        old = s3.put_object(Bucket=bucket, Key="a", Body=b"a long first version")["VersionId"]
        s3.put_object(Bucket=bucket, Key="a", Body=b"new")
        assert content(s3, bucket, "a") == b"new"
        assert s3.get_object(Bucket=bucket, Key="a", VersionId=old)["Body"].read() == b"a long first version"

    def test_each_request_is_a_finished_commit(self, s3: BaseClient, client: Client, bucket: str) -> None:
        before = len(commits(client, bucket))
        made = [s3.put_object(Bucket=bucket, Key=key, Body=b"1")["VersionId"] for key in "abc"]
        assert commits(client, bucket)[:3] == made[::-1]
        assert len(commits(client, bucket)) == before + 3
        assert is_finished(client.pfs.inspect_commit(commit=head(branch_of(bucket))))

    def test_an_open_commit_takes_the_objects_that_are_put(self, s3: BaseClient, client: Client, bucket: str) -> None:
        commit = client.pfs.start_commit(branch=branch_of(bucket))
        before = len(commits(client, bucket))
        for name in (bucket, f"{commit.id}.{bucket}"):
            assert s3.put_object(Bucket=name, Key=name, Body=b"1")["VersionId"] == commit.id
        assert len(commits(client, bucket)) == before
        client.pfs.finish_commit(commit=commit)
        assert keys(s3.list_objects_v2(Bucket=bucket)) == sorted([bucket, f"{commit.id}.{bucket}"])

    def test_a_finished_commit_takes_nothing(self, s3: BaseClient, bucket: str) -> None:
        version = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
        name = f"{version}.{bucket}"
        with refused("InvalidRequest", 400, "has already finished"):
            s3.put_object(Bucket=name, Key="a", Body=b"2")
        with refused("InvalidRequest", 400, "has already finished"):
            s3.delete_object(Bucket=name, Key="a")
        with refused("InvalidRequest", 400, "has already finished"):
            s3.create_multipart_upload(Bucket=name, Key="a")

    def test_a_branch_with_provenance_takes_nothing(self, s3: BaseClient, client: Client, bucket: str) -> None:
        output = new_branch(client, branch_of(bucket))
        for finished in (False, True):
            with refused("WriteToOutputBranch", 400, "You cannot write to an output branch"):
                s3.put_object(Bucket=f"{output.name}.{output.repo.name}", Key="a", Body=b"1")
            if not finished:
                client.pfs.finish_commit(commit=head(output), force=True)

    @pytest.mark.parametrize(
        "key",
        ["a*", "b[1]", "q?", "p{1}", "x^y", "at@home", "a//b", "/a", "../a", "a/./b", "a///", "größe", "tab\there", "a(1)"],
    )
    def test_a_name_that_pfs_refuses(self, s3: BaseClient, client: Client, bucket: str, key: str) -> None:
        before = commits(client, bucket)
        with refused("InvalidFilePath", 400, repr(key)):
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        assert commits(client, bucket) == before

    def test_a_slash_at_the_end_of_a_key_is_left_out(self, s3: BaseClient, bucket: str) -> None:
        """Tools that make folders put such objects."""
        s3.put_object(Bucket=bucket, Key="folder/", Body=b"1")
        s3.copy_object(Bucket=bucket, Key="copy/", CopySource={"Bucket": bucket, "Key": "folder/"})
        upload = s3.create_multipart_upload(Bucket=bucket, Key="large/")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="large/", UploadId=upload, PartNumber=1, Body=b"2")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(Bucket=bucket, Key="large/", UploadId=upload, MultipartUpload=parts)
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["copy", "folder", "large"]
        s3.delete_object(Bucket=bucket, Key="folder/")
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy/"}]})
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["large"]

    @pytest.mark.parametrize(
        "options",
        [
            {"ACL": "public-read"},
            {"GrantRead": "id=someone"},
            {"StorageClass": "GLACIER"},
            {"ServerSideEncryption": "AES256"},
            {"Tagging": "a=b"},
            {"Metadata": {"a": "b"}},
        ],
        ids=lambda options: next(iter(options)),
    )
    def test_what_everyday_scripts_send_along_has_no_effect(
        self, s3: BaseClient, bucket: str, options: dict[str, Any]
    ) -> None:
        """As at the vendor's."""
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", **options)
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"

    def test_no_key_stands_for_others(self, s3: BaseClient, bucket: str) -> None:
        for key in "abc":
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        with refused("InvalidFilePath", 400):
            s3.delete_object(Bucket=bucket, Key="*")
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "?"}, {"Key": "a"}]})
        assert [failure["Code"] for failure in answer["Errors"]] == ["InvalidFilePath"]
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["b", "c"]

    def test_names_collide_only_once_an_open_commit_is_finished(self, s3: BaseClient, client: Client, bucket: str) -> None:
        branch = branch_of(bucket)
        commit = client.pfs.start_commit(branch=branch)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"2")
        assert s3.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"2"
        s3.delete_object(Bucket=bucket, Key="a")
        client.pfs.finish_commit(commit=commit)
        assert client.pfs.inspect_commit(commit=commit).error == ""
        commit = client.pfs.start_commit(branch=branch)
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        client.pfs.finish_commit(commit=commit)
        assert client.pfs.inspect_commit(commit=commit).error == "file / directory path collision (/a/b)"

    def test_a_file_is_no_directory(self, s3: BaseClient, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")
        with refused("InvalidFilePath", 400, "existing, non-directory parent file path (a/b)"):
            s3.put_object(Bucket=bucket, Key="a/b/c/d", Body=b"1")
        with refused("InvalidFilePath", 400, "it is a directory"):
            s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["a/b"]

    @pytest.mark.parametrize("name", ["missing", "nobranch.{repo}"])
    def test_invalid_and_missing_buckets(self, s3: BaseClient, client: Client, name: str) -> None:
        with refused("NoSuchBucket", 404):
            s3.put_object(Bucket=name.format(repo=new_repo(client).name), Key="a", Body=b"1")

    def test_only_if_it_is_new(self, s3: BaseClient, bucket: str) -> None:
        tag = s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
        with refused("PreconditionFailed", 412):
            s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")
        with refused("PreconditionFailed", 412):
            s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfMatch='"other"')
        s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfMatch=tag)
        assert content(s3, bucket, "a") == b"2"

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), st.none() | st.binary(max_size=9)), max_size=8
        )
    )
    def test_a_bucket_is_a_dictionary(self, s3: BaseClient, changes: list[tuple[str, bytes | None]]) -> None:
        bucket, model = new_bucket(s3), dict[str, bytes]()
        for key, data in changes:
            if data is None:
                s3.delete_object(Bucket=bucket, Key=key)
                model.pop(key, None)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=data)
                model[key] = data
        assert {key: content(s3, bucket, key) for key in keys(s3.list_objects_v2(Bucket=bucket))} == model


class TestCopyAndDelete:
    def test_a_copy(self, s3: BaseClient, client: Client, bucket: str) -> None:
        data = os.urandom(2 * MIB)
        tag = s3.put_object(Bucket=bucket, Key="a", Body=data)["ETag"]
        other = new_bucket(s3)
        answer = s3.copy_object(Bucket=other, Key="x/y", CopySource={"Bucket": bucket, "Key": "a"})
        assert answer["CopyObjectResult"]["ETag"] == tag
        assert answer["VersionId"] == commits(client, other)[0]
        assert content(s3, other, "x/y") == data

    def test_a_copy_of_an_older_version(self, s3: BaseClient, bucket: str) -> None:
        old = s3.put_object(Bucket=bucket, Key="a b", Body=b"old")["VersionId"]
        s3.put_object(Bucket=bucket, Key="a b", Body=b"new")
        s3.copy_object(Bucket=bucket, Key="a b", CopySource={"Bucket": bucket, "Key": "a b", "VersionId": old})
        assert content(s3, bucket, "a b") == b"old"

    def test_a_copy_of_a_missing_object_or_of_itself(self, s3: BaseClient, bucket: str) -> None:
        with refused("NoSuchKey", 404):
            s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        with refused("InvalidRequest", 400, "itself"):
            s3.copy_object(Bucket=bucket, Key="a", CopySource={"Bucket": f"{bucket}.default", "Key": "a"})

    def test_delete(self, s3: BaseClient, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")
        for key in ("a", "a/", "nope", "a/b", "a/b"):
            assert s3.delete_object(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204
            assert keys(s3.list_objects_v2(Bucket=bucket)) == ([] if key == "a/b" else ["a/b"])

    @pytest.mark.parametrize("quiet", [False, True])
    def test_many_are_deleted_in_one_commit(self, s3: BaseClient, client: Client, bucket: str, quiet: bool) -> None:
        put(client, branch_of(bucket), **{f"f{number}": b"1" for number in range(20)})
        before = len(commits(client, bucket))
        named = [{"Key": f"f{number}"} for number in range(1, 20)] + [{"Key": "no <such> & key"}]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": quiet})
        assert answer.get("Deleted", []) == ([] if quiet else named)
        assert len(commits(client, bucket)) == before + 1
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["f0"]


class TestBuckets:
    def test_a_new_bucket_is_a_repo_and_a_branch(self, s3: BaseClient, client: Client) -> None:
        repo = f"made-{uuid.uuid4().hex[:8]}"
        s3.create_bucket(Bucket=repo)
        s3.create_bucket(Bucket=f"dev.{repo}", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        info = client.pfs.inspect_repo(repo=pfs.Repo(name=repo, type="user", project=pfs.Project(name="default")))
        assert sorted(branch.name for branch in info.branches) == ["dev", "master"]
        with refused("BucketAlreadyOwnedByYou", 409):
            s3.create_bucket(Bucket=f"dev.{repo}")

    @pytest.mark.parametrize("name", ["a b", "a.b.c.d.e", "{id}.master.repo", "repo.no@branch"])
    def test_a_name_for_no_bucket(self, home: Home, name: str) -> None:
        s3 = connect(home)
        s3.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
        with refused("InvalidBucketName", 400):
            s3.create_bucket(Bucket=name.format(id="0" * 12 + "4" + "0" * 19))

    def test_no_bucket_in_a_project_that_is_missing(self, s3: BaseClient) -> None:
        with refused("NoSuchBucket", 404, "project"):
            s3.create_bucket(Bucket="master.repo.no-such-project")

    def test_only_an_empty_bucket_is_deleted(self, s3: BaseClient, client: Client) -> None:
        repo = new_bucket(s3).removeprefix("master.")
        s3.create_bucket(Bucket=f"dev.{repo}")
        s3.put_object(Bucket=repo, Key="a", Body=b"1")
        with refused("BucketNotEmpty", 409):
            s3.delete_bucket(Bucket=repo)
        s3.delete_object(Bucket=repo, Key="a")
        s3.delete_bucket(Bucket=repo)
        assert any(info.repo.name == repo for info in client.pfs.list_repo())
        s3.delete_bucket(Bucket=f"dev.{repo}")
        assert all(info.repo.name != repo for info in client.pfs.list_repo())
        with refused("NoSuchBucket", 404):
            s3.delete_bucket(Bucket=repo)

    def test_versioning_is_always_on(self, s3: BaseClient, bucket: str) -> None:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


class TestIntegrity:
    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"ContentMD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
            ({"ContentMD5": "nonsense"}, "InvalidDigest"),
            ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
            ({"ChecksumCRC32C": "AAAAAA=="}, "BadDigest"),
            ({"ChecksumSHA256": base64.b64encode(bytes(32)).decode()}, "BadDigest"),
            ({"ChecksumSHA1": "AAAAAA=="}, "InvalidDigest"),
        ],
    )
    @pytest.mark.parametrize("size", [10, 200_000])
    def test_a_wrong_digest_stores_nothing(
        self, s3: BaseClient, client: Client, home: Home, bucket: str, options: dict[str, str], code: str, size: int
    ) -> None:
        before, blobs = commits(client, bucket), blob_count(home)
        with refused(code, 400):
            s3.put_object(Bucket=bucket, Key="a", Body=os.urandom(size), **options)
        assert commits(client, bucket) == before
        wait_for(lambda: blob_count(home) <= blobs, seconds=60, what="the stored bytes of the object to go")

    @pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
    def test_the_right_digests(self, s3: BaseClient, bucket: str, algorithm: str) -> None:
        data = os.urandom(100_000)
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        if algorithm == "CRC32C":
            checksum: int = google_crc32c.value(data)
            digest = base64.b64encode(checksum.to_bytes(4)).decode()
            s3.put_object(Bucket=bucket, Key="a", Body=data, ChecksumCRC32C=digest)
        else:
            s3.put_object(Bucket=bucket, Key="a", Body=data, ContentMD5=md5, ChecksumAlgorithm=algorithm)
        assert content(s3, bucket, "a") == data

    def test_another_body_than_the_signed_one(self, s3: BaseClient, home: Home, client: Client, bucket: str) -> None:
        before = commits(client, bucket)
        s3 = connect(home)

        def change(request: Any, **_: Any) -> None:
            request.body = b"12"

        s3.meta.events.register("before-send.s3.PutObject", change)
        with refused("XAmzContentSHA256Mismatch", 400):
            s3.put_object(Bucket=bucket, Key="a", Body=b"11")
        assert commits(client, bucket) == before

    def test_a_body_that_breaks_off(self, s3: BaseClient, client: Client, bucket: str) -> None:
        """The client goes away in the middle of a body."""
        before = commits(client, bucket)
        url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"}))
        connection = http.client.HTTPConnection(url.netloc)
        connection.putrequest("PUT", f"{url.path}?{url.query}")
        connection.putheader("Content-Length", "1000000")
        connection.endheaders(b"1" * 500_000)
        connection.close()
        s3.put_object(Bucket=bucket, Key="b", Body=b"1")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["b"]
        assert len(commits(client, bucket)) == len(before) + 1


class TestPresigned:
    def test_put_and_delete(self, s3: BaseClient, bucket: str) -> None:
        data = os.urandom(3 * MIB)
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
        request = urllib.request.Request(url, data=data, method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["ETag"] == s3.head_object(Bucket=bucket, Key="a b")["ETag"]
        assert content(s3, bucket, "a b") == data
        url = s3.generate_presigned_url("delete_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")) as answer:
            assert answer.status == 204
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []

    @pytest.mark.parametrize("size", [10, 3 * MIB])
    def test_for_another_method_or_key(self, s3: BaseClient, bucket: str, size: int) -> None:
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=60)
        request = urllib.request.Request(url, data=bytes(size), method="PUT", headers={"Expect": "100-continue"})
        with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as failure:
            urllib.request.urlopen(request)
        if isinstance(failure.value, urllib.error.HTTPError):
            failure.value.close()
            assert failure.value.code == 403
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []


class TestAwsCommand:
    def test_copy_sync_move_and_remove(self, home: Home, s3: BaseClient, bucket: str, tmp_path: Path, aws: Any) -> None:
        folder = tmp_path / "folder"
        (folder / "deep").mkdir(parents=True)
        (folder / "a.txt").write_text("a")
        (folder / "deep" / "b.bin").write_bytes(os.urandom(9 * MIB))
        aws("cp", str(folder / "a.txt"), f"s3://{bucket}/one/a.txt")
        aws("sync", str(folder), f"s3://{bucket}/two")
        aws("mv", f"s3://{bucket}/one/a.txt", f"s3://{bucket}/three/a.txt")
        aws("mv", f"s3://{bucket}/two/deep/b.bin", f"s3://{bucket}/three/b.bin")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["three/a.txt", "three/b.bin", "two/a.txt"]
        aws("sync", f"s3://{bucket}/three", str(tmp_path / "back"))
        assert (tmp_path / "back" / "b.bin").read_bytes() == (folder / "deep" / "b.bin").read_bytes()
        aws("rm", "--recursive", f"s3://{bucket}/three")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == ["two/a.txt"]
        aws("rb", "--force", f"s3://{bucket}")
        with refused("404", 404):
            s3.head_bucket(Bucket=bucket)


@pytest.fixture
def aws(home: Home) -> Any:
    """The vendor's command, if it is there."""
    program = shutil.which("aws")
    if program is None:
        pytest.skip("the aws command is not installed")

    def run(*arguments: str) -> None:
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": home.token,
            "AWS_SECRET_ACCESS_KEY": home.token,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
        }
        command = [program, "--endpoint-url", home.url("s3"), "s3", *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)

    return run


def blob_count(home: Home) -> int:
    return sum(path.is_file() for path in home.folder("blobs").rglob("*"))
