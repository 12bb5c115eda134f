"""Models in S3: the Pachyderm gateway or any other endpoint.

Environment: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, S3_VERIFY_SSL,
awsAnonymousCredential, S3_USER_VIRTUAL_BUCKET.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from minipdk.services.kserve.predictors.storage_errors import NotYetError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERMANENT = frozenset(
    {
        "AccessDenied",
        "403",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidBucketName",
        "AuthorizationHeaderMalformed",
    }
)


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy every object below ``s3://<bucket>/<prefix>`` into ``folder``. Raises NotYetError or StorageError."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = _client(environment)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    fetched = 0
    try:
        for key in _keys(s3, bucket, prefix):
            path = folder / target_name(key, prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(path))
            print(f"Downloaded object {key} to {path}", flush=True)  # noqa: T201  # the container's log
            fetched += 1
            if key == prefix:
                break
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        why = f"{uri}: {code}: {message}".rstrip(": ")
        raise (StorageError if code in PERMANENT else NotYetError)(why) from error
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise NotYetError(f"{uri}: {error}") from error
    if not fetched:
        raise NotYetError(f"no model found at {uri}: the bucket has nothing below this path")


def target_name(key: str, prefix: str) -> PurePosixPath:
    """Where KServe puts the object ``key`` below the model folder, for a storageUri whose path is ``prefix``."""
    path = PurePosixPath(key.rsplit("/", 1)[-1] if key == prefix else key.removeprefix(prefix).lstrip("/"))
    if path.is_absolute() or ".." in path.parts or "\\" in str(path) or not path.parts:
        raise StorageError(f"unsafe object key {key!r}")
    return path


def _client(environment: Mapping[str, str]) -> Any:
    """An S3 client from KServe's environment variables."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    if "AWS_ENDPOINT_URL" not in environment:
        raise StorageError(
            "no S3 endpoint: annotate the service account's Secret with serving.kserve.io/s3-endpoint: <host>:<port> "
            "and give it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (minipdk does not reach AWS)"
        )
    anonymous = environment.get("awsAnonymousCredential", "").lower() == "true"
    if not anonymous and not (environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY")):
        raise StorageError("the Secret's AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is empty")
    virtual = environment.get("S3_USER_VIRTUAL_BUCKET", "").lower() == "true"
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        region_name=environment.get("AWS_DEFAULT_REGION", "us-east-1"),
        verify=environment.get("S3_VERIFY_SSL", "1").lower() not in ("0", "false"),
        config=Config(
            signature_version=UNSIGNED if anonymous else None,
            s3={"addressing_style": "virtual" if virtual else "path"},
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 1},
        ),
    )


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The objects that KServe copies: not the empty ones, which stand for folders."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if item["Size"] and not item["Key"].endswith("/"):
                yield item["Key"]
