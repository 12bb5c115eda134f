"""The Host of a request, and the same-origin rule: a web page of another origin must not change anything here.

Every server of minipdk that a browser can reach applies it, independent of the library that serves it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{0,5})?", re.IGNORECASE)


def host_name(host: str) -> str | None:
    """The name in a Host header, without its port and in small letters; None if it is malformed."""
    match = _HOST.fullmatch(host)
    return (match[1] or match[2]).lower() if match else None


def refusal(method: str, host: str, *, origin: str | None, fetch_site: str | None) -> str | None:
    """The reason to refuse a request, from its Host, Origin and Sec-Fetch-Site headers; None if it may pass."""
    if method in SAFE_METHODS:
        return None
    if fetch_site not in (None, "none", "same-origin"):
        return "cross-site requests are refused"
    if origin and _origin_name(origin) != host_name(host):
        return "cross-origin requests are refused"
    return None


def _origin_name(origin: str) -> str | None:
    """The host name of an Origin header; "" if it is malformed, which is no server's name."""
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""
