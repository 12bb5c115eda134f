"""Files that pachd fetches itself, from an http or https URL."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address
from urllib.parse import urlsplit

from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.content import CHUNK

_SECONDS = 60  # without a byte


def fetch(url: str, *, recursive: bool = False) -> Iterator[bytes]:
    """The bytes at a URL. Raises PachydermError when the transfer is incomplete, also after some bytes."""
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise UnsupportedError(f"putting a file from a {scheme or 'schemeless'} URL ({url})")
    if recursive:
        raise UnsupportedError("putting files from a URL recursively")
    try:
        with _opener(url).open(url, timeout=_SECONDS) as response:
            yield from _whole(response)
    except urllib.error.HTTPError as error:
        raise PachydermError(f'error retrieving content from "{url}": {error.code} {error.reason}') from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PachydermError(f'error retrieving content from "{url}": {reason}') from error


def _whole(response: HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(CHUNK):
        yield chunk
    if response.length:  # http.client takes a connection that breaks off for the end
        raise ConnectionError(f"the connection was closed {response.length} bytes before the end")


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Opens URLs; like Go's client, it uses no proxy for URLs of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_local else []))
