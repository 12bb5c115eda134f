"""Bodies in chunks, signed and unsigned, with and without trailers, as S3's SDKs send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import io
import os
import zlib
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import BaseClient
from botocore.credentials import Credentials
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st
from pachyderm_sdk import Client
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, keys
from tests.minipdk.services.pachyderm.s3.test_writing import content, new_bucket

from minipdk.common.home import Home
from minipdk.services.pachyderm.s3 import chunked
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.signatures import Seed, signing_key

# The example in AWS's description of signed chunks.
SCOPE, DATE = "20130524/us-east-1/s3/aws4_request", "20130524T000000Z"
SEED = Seed(
    signing_key(SCOPE, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    DATE,
    SCOPE,
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
)
EXAMPLE = [
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
]


def example(letter: bytes = b"a") -> bytes:
    return b"".join(b"%x;chunk-signature=%s\r\n%s\r\n" % (n, mark.encode(), letter * n) for n, mark in EXAMPLE)


def decode(body: bytes, encoding: str, step: int = 7000) -> bytes:
    pieces = (body[start : start + step] for start in range(0, len(body), step))
    return b"".join(chunked.ChunkedReader(pieces, encoding, SEED).read())


class TestSignedChunks:
    def test_the_published_example(self) -> None:
        assert decode(example(), chunked.SIGNED) == b"a" * 66560

    def test_another_byte_is_noticed(self) -> None:
        with pytest.raises(S3Error, match="signature of a chunk"):
            decode(example(b"b"), chunked.SIGNED)

    def test_a_chunk_that_is_left_out_is_noticed(self) -> None:
        second = example().index(b"400;chunk")
        with pytest.raises(S3Error, match="signature of a chunk"):
            decode(example()[second:], chunked.SIGNED)

    @pytest.mark.parametrize("length", [0, 3, 100, 65_700, 66_700])
    def test_a_body_that_ends_early(self, length: int) -> None:
        with pytest.raises(S3Error) as failure:
            decode(example()[:length], chunked.SIGNED)
        assert failure.value.code == "IncompleteBody"

    @pytest.mark.parametrize("body", [b"x\r\n", b"-1\r\n", b"1\r\nab\r\n", b"9" * 9000, b"0\r\nno trailer\r\n\r\n"])
    def test_invalid_chunked_bodies(self, body: bytes) -> None:
        with pytest.raises(S3Error, match="not aws-chunked"):
            decode(body, chunked.UNSIGNED_WITH_TRAILER)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=9), st.integers(1, 60))
def test_chunks_of_any_size_arrive_in_pieces_of_any_size(chunks: list[bytes], step: int) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    assert decode(body, chunked.UNSIGNED_WITH_TRAILER, step) == b"".join(chunks)


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


@pytest.fixture
def bucket(s3: BaseClient) -> str:
    return new_bucket(s3)


def send(home: Home, request: AWSRequest, body: Any) -> tuple[int, str]:
    """The answer's status and S3's code for the error, if it is one."""
    connection = http.client.HTTPConnection(urlsplit(home.url("s3")).netloc, timeout=20)
    url = urlsplit(request.url)
    connection.request(request.method, url.path, body=body, headers=dict(request.headers.items()))
    with connection.getresponse() as answer:
        text = answer.read()
        connection.close()
        return answer.status, (ElementTree.fromstring(text).findtext("Code") or "") if text else ""


def signed(home: Home, url: str, sha256: str, **headers: str) -> AWSRequest:
    """A PUT with another x-amz-content-sha256 than botocore would choose over plain http."""

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method="PUT", url=url, headers=names)
    auth = S3SigV4Auth(Credentials(home.token, home.token), "s3", "us-east-1")
    auth.payload = lambda _request: sha256
    auth.add_auth(request)
    return request


@pytest.mark.parametrize("right", [True, False])
def test_unsigned_chunks_with_a_trailer(home: Home, s3: BaseClient, bucket: str, right: bool) -> None:
    """The default of SDKs over https, in botocore's own encoding."""
    data = os.urandom(3_000_000)
    checksum = Crc32Checksum()
    if not right:
        checksum.update(b"other")
    body = AwsChunkedWrapper(io.BytesIO(data), checksum_cls=lambda: checksum, checksum_name="x-amz-checksum-crc32")
    request = signed(
        home,
        f"{home.url('s3')}/{bucket}/a",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        content_encoding="aws-chunked",
        x_amz_trailer="x-amz-checksum-crc32",
        x_amz_decoded_content_length=str(len(data)),
    )
    status, code = send(home, request, body)
    assert (status, code) == ((200, "") if right else (400, "BadDigest"))
    assert keys(s3.list_objects_v2(Bucket=bucket)) == (["a"] if right else [])
    if right:
        assert content(s3, bucket, "a") == data


def signed_chunks(request: AWSRequest, token: str, chunks: list[bytes], trailer: str) -> bytes:
    """The chunks as the description of the encoding says, each signed on top of the one before."""
    scope = request.headers["Authorization"].split("Credential=")[1].split(",")[0].partition("/")[2]
    previous = request.headers["Authorization"].rpartition("Signature=")[2]
    date, key, body = request.headers["X-Amz-Date"], f"AWS4{token}".encode(), b""
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")

    def chain(kind: str, *digests: str) -> str:
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", date, scope, previous, *digests])
        return hmac.new(key, text.encode(), "sha256").hexdigest()

    for chunk in [*chunks, b""]:
        previous = chain("PAYLOAD", hashlib.sha256().hexdigest(), hashlib.sha256(chunk).hexdigest())
        end = b"\r\n" if chunk or not trailer else b""
        body += b"%x;chunk-signature=%s\r\n%s%s" % (len(chunk), previous.encode(), chunk, end)
    if trailer:
        mark = chain("TRAILER", hashlib.sha256(f"{trailer}\n".encode()).hexdigest())
        body += f"{trailer}\r\nx-amz-trailer-signature:{mark}\r\n\r\n".encode()
    return body


@pytest.mark.parametrize("trailer", ["", "sent", "another"])
@pytest.mark.parametrize("size_is", ["right", "wrong"])
def test_signed_chunks(home: Home, s3: BaseClient, bucket: str, trailer: str, size_is: str) -> None:
    chunks = [os.urandom(100_000), os.urandom(7)]
    data = b"".join(chunks)
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    request = signed(
        home,
        f"{home.url('s3')}/{bucket}/a",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else ""),
        content_encoding="aws-chunked",
        x_amz_decoded_content_length=str(len(data) + (size_is == "wrong")),
        **({"x_amz_trailer": "x-amz-checksum-crc32"} if trailer else {}),
    )
    name = "x-amz-checksum-crc32" if trailer == "sent" else "x-amz-checksum-sha1"
    status, code = send(home, request, signed_chunks(request, home.token, chunks, f"{name}:{crc}" if trailer else ""))
    if size_is == "right" and trailer != "another":
        assert (status, code) == (200, "")
        assert content(s3, bucket, "a") == data
    else:
        assert (status, code) == (400, "IncompleteBody" if size_is == "wrong" else "InvalidRequest")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []


@pytest.mark.parametrize(
    ("sha256", "headers", "code"),
    [
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", {}, "NotImplemented"),
        ("UNSIGNED-PAYLOAD", {"content_encoding": "aws-chunked"}, "InvalidRequest"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", {}, "MissingContentLength"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", {"x_amz_decoded_content_length": "one"}, "InvalidArgument"),
        ("0" * 64, {}, "XAmzContentSHA256Mismatch"),
        ("UNSIGNED-PAYLOAD", {}, ""),
    ],
)
def test_the_statements_of_a_request_about_its_body(
    home: Home, s3: BaseClient, bucket: str, sha256: str, headers: dict[str, str], code: str
) -> None:
    request = signed(home, f"{home.url('s3')}/{bucket}/a", sha256, **headers)
    assert send(home, request, b"0\r\n\r\n")[1] == code
    assert keys(s3.list_objects_v2(Bucket=bucket)) == ([] if code else ["a"])
