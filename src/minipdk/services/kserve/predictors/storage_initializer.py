"""The storage initializer: brings a model to a folder before its server starts.

    python -m predictors.storage_initializer s3://<bucket>/<prefix> /mnt/models

It fetches from ``s3://``, ``http://``, ``https://`` and ``file://``, a path in its own container. STORAGE_WAIT_SECONDS is
how long it waits for a model that is not there yet: a pipeline deploys from its own output commit, which can be read only
after the pipeline's code has ended. The last line of its output names the current obstacle, or at the end the failure.

The environment has more settings. For S3: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION,
S3_VERIFY_SSL, awsAnonymousCredential, S3_USER_VIRTUAL_BUCKET. For HTTP: ``<host>-headers``, a JSON object of headers for
that host, which KServe makes from a Secret with the keys ``https-host`` and ``headers``.

Files are laid out as KServe's own storage code does: https://github.com/kserve/kserve/tree/v0.21.0/python/storage. That code
itself is not used: it does not wait, bounds no archive, and brings sixty packages that contradict the course's.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import time
import zlib
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from .errors import ArchiveError, NotYetError, StorageError
from .unpacking import MAX_BYTES, TAR, ZIP, is_archive, unpack

if TYPE_CHECKING:  # boto3 and requests are imported when a model needs them: this program starts before every model
    from collections.abc import Callable, Iterator, Mapping

    from requests import Response, Session

    Fetch = Callable[[str, Path, Mapping[str, str]], None]

DEFAULT_WAIT_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.2, 2.0, 1.5

PERMANENT = frozenset(
    {
        *("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidBucketName"),
        "AuthorizationHeaderMalformed",
    }
)
"""S3 errors that no waiting changes."""
S3_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 60}

ZIP_TYPES = ("application/x-zip-compressed", "application/zip", "application/zip-compressed")
TAR_TYPES = ("application/x-tar", "application/x-gtar", "application/x-gzip", "application/gzip")
PLAIN_TYPES = ("application/octet-stream",)
HTTP_TIMEOUTS = (5, 60)
CHUNK = 1 << 20
MAX_REDIRECTS = 10
WORTH_WAITING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may change."""


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Bring ``uri`` into ``folder``, waiting for it while it is not there yet. Raises StorageError."""
    copy = _fetcher(uri)
    limit = float(environment.get("STORAGE_WAIT_SECONDS", DEFAULT_WAIT_SECONDS))
    started, pause = time.monotonic(), FIRST_PAUSE
    _log(f"Copying contents of {uri} to {folder}")
    while True:
        _empty(folder)
        try:
            copy(uri, folder, environment)
            break
        except NotYetError as error:
            waited = time.monotonic() - started
            if waited + pause > limit:
                raise StorageError(
                    f"{error} (waited {waited:.0f} s): check the storageUri, and whether its commit was finished"
                ) from None
            _log(f"waiting for the model, {waited:.0f} of {limit:.0f} s: {error}")
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)
    _unpack_single(folder)
    count = sum(path.is_file() for path in folder.rglob("*"))
    _log(f"Model of {count} files copied in {time.monotonic() - started:.1f} s")


def _fetcher(uri: str) -> Fetch:
    """The function that fetches ``uri``."""
    scheme = uri.partition("://")[0]
    fetchers: dict[str, Fetch] = {"s3": _fetch_s3, "http": _fetch_http, "https": _fetch_http, "file": _copy_local}
    if scheme not in fetchers:
        raise StorageError(f"{uri}: {scheme}:// is not supported by minipdk: use s3, http, https, file or pvc")
    return fetchers[scheme]


def _empty(folder: Path) -> None:
    """Remove the files of an attempt that broke off."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _unpack_single(folder: Path) -> None:
    """Replace a single archive by its contents, which are the model."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise StorageError("no model found: the folder is empty")
    if len(files) == 1 and is_archive(files[0].name):
        try:
            unpack(files[0], folder)
        except ArchiveError as error:
            raise StorageError(f"{error}") from None
        files[0].unlink()


def _log(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # the container's log


def _copy_local(uri: str, folder: Path, _environment: Mapping[str, str]) -> None:
    """Copy a file, or the contents of a folder."""
    path = Path(uri.removeprefix("file://"))
    try:
        for source in path.iterdir() if path.is_dir() else [path]:
            if source.is_dir():
                shutil.copytree(source, folder / source.name)
            else:
                shutil.copy2(source, folder / source.name)
    except FileNotFoundError as error:
        raise StorageError(f"{uri}: {error.filename} does not exist") from None
    except (OSError, shutil.Error) as error:
        raise StorageError(f"{uri}: {error}") from None


def _fetch_s3(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy every object below ``s3://<bucket>/<prefix>``, from Pachyderm's gateway or any other endpoint."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = _s3_client(environment)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    fetched = 0
    try:
        for key in _object_keys(s3, bucket, prefix):
            path = folder / target_name(key, prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(path))
            _log(f"Downloaded object {key} to {path}")
            fetched += 1
            if key == prefix:
                break
    except ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        text = f"{uri}: {code}: {message}".rstrip(": ")
        raise (StorageError if code in PERMANENT else NotYetError)(text) from error
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


def _s3_client(environment: Mapping[str, str]) -> Any:
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
            retries={"max_attempts": 1},
            **S3_TIMEOUTS,
        ),
    )


def _object_keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The objects that KServe copies: not the empty ones, which stand for folders."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if item["Size"] and not item["Key"].endswith("/"):
                yield item["Key"]


def _fetch_http(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy the file at ``uri``, a model file or an archive. Any host may be named, as on a cluster."""
    import requests
    from urllib3.exceptions import HTTPError

    name = _file_name(uri)
    try:
        with requests.Session() as session, _get(session, uri, environment) as response:
            _check_response(uri, name, response)
            _write(uri, response, folder / name)
    except requests.exceptions.SSLError as error:
        raise StorageError(f"{uri}: TLS: {error}") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
        raise StorageError(f"{uri}: {error}") from error
    except (requests.RequestException, HTTPError) as error:
        raise NotYetError(f"{uri}: {error}") from error
    if name.endswith(".gz") and not is_archive(name):
        _decompress(folder / name)


def _file_name(uri: str) -> str:
    """The last part of the URL's path."""
    name = unquote(PurePosixPath(urlsplit(uri).path).name)
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise StorageError(f"{uri} names no file: its path must end with one")
    return name


def _get(session: Session, uri: str, environment: Mapping[str, str]) -> Response:
    """The answer at the end of the redirects. A Secret's headers go to the host they are for, and to no other."""
    url = uri
    for _ in range(MAX_REDIRECTS):
        host = urlsplit(url).hostname or ""
        response = session.get(
            url, headers=_headers(host, environment), stream=True, timeout=HTTP_TIMEOUTS, allow_redirects=False
        )
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["location"])
        if urlsplit(url).scheme not in ("http", "https"):
            raise StorageError(f"{uri} redirects to {url}, which is not http or https")
    raise StorageError(f"{uri} redirects more than {MAX_REDIRECTS} times")


def _headers(host: str, environment: Mapping[str, str]) -> dict[str, str]:
    try:
        headers = json.loads(environment.get(f"{host}-headers", "{}"))
        return {str(name): str(value) for name, value in headers.items()}
    except (ValueError, AttributeError):
        raise StorageError(f"the headers that the Secret has for {host} are no JSON object") from None


def _check_response(uri: str, name: str, response: Response) -> None:
    """Refuse an answer that is no model file: an error, or a page about it."""
    status = response.status_code
    if status != HTTPStatus.OK:
        raise (NotYetError if status in WORTH_WAITING else StorageError)(f"{uri}: {status} {response.reason}")
    lower = name.lower()
    types = ZIP_TYPES if lower.endswith(ZIP) else TAR_TYPES if lower.endswith(TAR) else PLAIN_TYPES
    content_type = response.headers.get("Content-Type", "none")
    if not content_type.startswith(types):
        raise StorageError(f"{uri} did not respond with 'Content-Type': {' or '.join(types)}, but with {content_type}")


def _write(uri: str, response: Response, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        # Without decoding: the content encoding would unpack a file whose name says that it is packed.
        while chunk := response.raw.read(CHUNK, decode_content=False):
            size += len(chunk)
            if size > MAX_BYTES:
                raise StorageError(f"{uri} is larger than {MAX_BYTES >> 30} GiB")
            file.write(chunk)
    _log(f"Downloaded {uri} to {path}")


def _decompress(path: Path) -> None:
    """Replace a single compressed file by its contents."""
    try:
        with gzip.open(path) as packed, path.with_suffix("").open("wb") as file:
            shutil.copyfileobj(packed, file, CHUNK)
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{path.name} is broken or not compressed by gzip: {error}") from None
    path.unlink()


def main() -> None:
    uri, folder = sys.argv[1:]
    try:
        fetch(uri, Path(folder), os.environ)
    except StorageError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
