"""The storage initializer: brings a model from ``s3://`` to a folder before its server starts.

    python -m predictors.storage_initializer s3://<bucket>/<prefix> /mnt/models

Environment: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, S3_VERIFY_SSL,
awsAnonymousCredential, S3_USER_VIRTUAL_BUCKET, and STORAGE_WAIT_SECONDS, how long to wait for a model that is not there
yet. A pipeline deploys from its own output commit, which can be read only after the pipeline's code has ended, so a
missing model is waited for. The last line of the output says what it waits for, and at the end what went wrong.

Files are laid out as KServe's own storage code does: https://github.com/kserve/kserve/tree/v0.14.1/python/kserve/kserve/storage
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_WAIT_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
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


class StorageError(Exception):
    """The model cannot be fetched, now or ever."""


class NotYetError(StorageError):
    """The model is not there, but may come: its commit is open, or the storage is not up."""


def client(environment: Mapping[str, str]) -> Any:
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


def target_name(key: str, prefix: str) -> PurePosixPath:
    """Where KServe puts the object ``key`` below the model folder, for a storageUri whose path is ``prefix``.

    The prefix is cut off; but an object whose file name begins with the prefix's last part lands at the top.
    """
    last, name = prefix.rsplit("/", 1)[-1], key.rsplit("/", 1)[-1]
    flat = key == prefix or (last and name.startswith(last))
    path = PurePosixPath(name if flat else key.replace(prefix, "").lstrip("/"))
    if path.is_absolute() or ".." in path.parts or "\\" in str(path) or not path.parts:
        raise StorageError(f"unsafe object key {key!r}")
    return path


def download(s3: Any, bucket: str, prefix: str, folder: Path) -> int:
    """Copy every object below ``prefix`` into ``folder``; returns their number. Raises NotYetError or StorageError."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

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
        why = f"s3://{bucket}/{prefix}: {code}: {message}".rstrip(": ")
        raise (StorageError if code in PERMANENT else NotYetError)(why) from error
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise NotYetError(f"s3://{bucket}/{prefix}: {error}") from error
    if not fetched:
        raise NotYetError(f"no model found at s3://{bucket}/{prefix}: the bucket has nothing below this path")
    return fetched


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                yield item["Key"]


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Download ``uri`` into ``folder``, waiting for it while it is not there yet."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = client(environment)
    limit = float(environment.get("STORAGE_WAIT_SECONDS", DEFAULT_WAIT_SECONDS))
    started, pause = time.monotonic(), FIRST_PAUSE
    print(f"Copying contents of {uri} to {folder}", flush=True)  # noqa: T201
    while True:
        _empty(folder)
        try:
            count = download(s3, bucket, prefix, folder)
        except NotYetError as error:
            waited = time.monotonic() - started
            if waited + pause > limit:
                raise StorageError(
                    f"{error} (waited {waited:.0f} s): check the storageUri, and whether its commit was finished"
                ) from None
            print(f"waiting for the model, {waited:.0f} of {limit:.0f} s: {error}", flush=True)  # noqa: T201
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            continue
        print(f"Model of {count} files downloaded in {time.monotonic() - started:.1f} s", flush=True)  # noqa: T201
        return


def _empty(folder: Path) -> None:
    """Remove what an attempt that broke off has left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> None:
    uri, folder = sys.argv[1:]
    try:
        fetch(uri, Path(folder), os.environ)
    except StorageError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
