"""Models behind a URL: one file, or an archive. Any host may be named, as on a cluster.

Environment: ``<host>-headers``, a JSON object of headers to send to that host, as KServe makes it from a Secret with the
keys ``https-host`` and ``headers``.
"""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from minipdk.services.kserve.predictors.storage_errors import NotYetError, StorageError
from minipdk.services.kserve.predictors.unpacking import MAX_BYTES, TAR, ZIP, is_archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response, Session

ZIP_TYPES = ("application/x-zip-compressed", "application/zip", "application/zip-compressed")
TAR_TYPES = ("application/x-tar", "application/x-gtar", "application/x-gzip", "application/gzip")
PLAIN_TYPES = ("application/octet-stream",)
TIMEOUTS = (5, 60)
CHUNK = 1 << 20
MAX_REDIRECTS = 10
WORTH_WAITING = frozenset({408, 425, 429, 500, 502, 503, 504})


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Copy the file at ``uri`` into ``folder``. Raises NotYetError or StorageError."""
    import requests
    from urllib3.exceptions import HTTPError

    name = _file_name(uri)
    try:
        with requests.Session() as session, _get(session, uri, environment) as response:
            _check(uri, name, response)
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
            url, headers=_headers(host, environment), stream=True, timeout=TIMEOUTS, allow_redirects=False
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


def _check(uri: str, name: str, response: Response) -> None:
    """Refuse what is no model file: an error, or a page about it."""
    status = response.status_code
    if status != HTTPStatus.OK:
        raise (NotYetError if status in WORTH_WAITING else StorageError)(f"{uri}: {status} {response.reason}")
    lower = name.lower()
    wanted = ZIP_TYPES if lower.endswith(ZIP) else TAR_TYPES if lower.endswith(TAR) else PLAIN_TYPES
    kind = response.headers.get("Content-Type", "none")
    if not kind.startswith(wanted):
        raise StorageError(f"{uri} did not respond with 'Content-Type': {' or '.join(wanted)}, but with {kind}")


def _write(uri: str, response: Response, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        # As it was sent: the content encoding would unpack what the name says is packed.
        while chunk := response.raw.read(CHUNK, decode_content=False):
            size += len(chunk)
            if size > MAX_BYTES:
                raise StorageError(f"{uri} is larger than {MAX_BYTES >> 30} GiB")
            file.write(chunk)
    print(f"Downloaded {uri} to {path}", flush=True)  # noqa: T201  # the container's log


def _decompress(path: Path) -> None:
    """A single file that is compressed is served as what it was."""
    try:
        with gzip.open(path) as packed, path.with_suffix("").open("wb") as file:
            shutil.copyfileobj(packed, file, CHUNK)
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{path.name} is broken or not compressed by gzip: {error}") from None
    path.unlink()
