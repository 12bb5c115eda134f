"""Who may use the gateway: signatures of both versions, in headers and in presigned URLs."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from botocore.client import BaseClient
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.minipdk.services.pachyderm.conftest import new_repo, put_paths
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, keys, refused

from minipdk.common.home import Home
from minipdk.services.pachyderm.s3 import signatures, signatures_v2
from minipdk.services.pachyderm.s3.errors import S3Error


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


@pytest.fixture(scope="module")
def shelf(client: Client) -> pfs.Commit:
    return put_paths(client, pfs.Branch(repo=new_repo(client), name="master"), {"/e f%g&h": b"e f%g&h" * 3})


def test_another_key_or_secret_is_refused(home: Home, s3: BaseClient) -> None:
    with refused("InvalidAccessKeyId", 403):
        connect(home, key="other").list_buckets()
    with refused("SignatureDoesNotMatch", 403):
        connect(home, secret="other").list_buckets()


def test_a_request_without_a_signature_is_refused(home: Home, s3: BaseClient) -> None:
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(home.url("s3"))
    with failure.value as answer:
        assert answer.code == 403
        assert ElementTree.fromstring(answer.read()).findtext("Code") == "AccessDenied"


def test_a_presigned_url_needs_no_header(s3: BaseClient, shelf: pfs.Commit) -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": shelf.repo.name, "Key": "e f%g&h"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"e f%g&h" * 3
    with pytest.raises(urllib.error.HTTPError) as failure:
        urllib.request.urlopen(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    failure.value.close()
    assert failure.value.code == 403


@pytest.mark.parametrize(("age", "code"), [(61, "AccessDenied"), (-2000, "RequestTimeTooSkewed")])
def test_a_presigned_url_expires(age: int, code: str) -> None:
    date = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y%m%dT%H%M%SZ")
    query = f"X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-Signature=0&X-Amz-Credential=token/s&X-Amz-SignedHeaders=host"
    with pytest.raises(S3Error) as failure:
        signatures.verify(signatures.Signed("GET", b"/", query, {}), "token")
    assert failure.value.code == code


def test_version_2_of_the_signature(home: Home, s3: BaseClient) -> None:
    old = connect(home, version="s3")
    bucket, key = f"signed-{uuid.uuid4().hex[:8]}", "deep/e f%g&h"
    old.create_bucket(Bucket=bucket)
    old.put_object(Bucket=bucket, Key=key, Body=b"1", Metadata={"some": "thing"})
    assert keys(old.list_objects_v2(Bucket=bucket, Prefix="deep/", MaxKeys=5)) == [key]
    assert old.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    with refused("SignatureDoesNotMatch", 403):
        connect(home, secret="other", version="s3").list_buckets()
    with refused("InvalidAccessKeyId", 403):
        connect(home, key="other", version="s3").list_buckets()
    url = old.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, "ResponseContentType": "a/b"})
    with urllib.request.urlopen(url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"1", "a/b")
    for changed in (url.replace("a%2Fb", "c%2Fd"), url.replace("Expires=", "Expires=1")):
        with pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(changed)
        failure.value.close()
        assert failure.value.code == 403
    public = old.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "b", "ACL": "public-read"})
    with urllib.request.urlopen(
        urllib.request.Request(public, data=b"1", method="PUT", headers={"Content-Type": ""})
    ) as answer:
        assert answer.status == 200, "an ACL has no effect"
    assert sorted(keys(s3.list_objects_v2(Bucket=bucket))) == sorted([key, "b"])


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("AWSAccessKeyId=token&Signature=x&Expires=1", {}, "AccessDenied"),
        ("AWSAccessKeyId=token&Signature=x&Expires=soon", {}, "AccessDenied"),
        ("", {"authorization": "AWS token:x", "date": "Mon, 01 Jan 2024 00:00:00 GMT"}, "RequestTimeTooSkewed"),
        ("", {"authorization": "AWS token:x", "date": "soon"}, "AccessDenied"),
    ],
)
def test_version_2_is_for_a_time_too(query: str, headers: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as failure:
        signatures_v2.verify(signatures.Signed("GET", b"/", query, headers), "token")
    assert failure.value.code == code


def test_another_signature_version_is_named() -> None:
    with pytest.raises(S3Error, match="AWS4-HMAC-SHA256"):
        signatures.verify(signatures.Signed("GET", b"/", "", {"authorization": "AWS4-ECDSA-P256-SHA256 x"}), "key")
