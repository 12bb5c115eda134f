"""Files that pachd fetches itself, from an http or https URL."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.content import CHUNK

_SECONDS = 60  # without a byte


def fetched(source: Any) -> Iterator[bytes]:
    """The bytes at the URL of an AddFile message. Raises PachydermError when they cannot be had as a whole."""
    scheme = urlsplit(source.url).scheme
    if scheme not in ("http", "https"):
        raise UnsupportedError(f"putting a file from a {scheme or 'schemeless'} URL ({source.url})")
    if source.recursive:
        raise UnsupportedError("putting files from a URL recursively")
    try:
        with _opener(source.url).open(source.url, timeout=_SECONDS) as response:
            yield from _whole(response)
    except urllib.error.HTTPError as error:
        raise PachydermError(f'error retrieving content from "{source.url}": {error.code} {error.reason}') from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PachydermError(f'error retrieving content from "{source.url}": {reason}') from error


def _whole(response: HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(CHUNK):
        yield chunk
    if response.length:  # http.client takes a connection that breaks off for the end
        raise ConnectionError(f"the connection was closed {response.length} bytes before the end")


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Asks no proxy for what is on this machine, as Go's client does not."""
    host = urlsplit(url).hostname or ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_local else []))
