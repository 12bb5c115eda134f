"""Which requests a web page of another origin made: they must not use its reader's browser to change anything here.

Every server on this machine that a browser can reach holds this rule, whatever library it is served by.
"""

from __future__ import annotations

from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(host: str) -> str | None:
    """The name in a Host header, without its port."""
    return urlsplit(f"//{host}").hostname


def refusal(method: str, host: str, *, origin: str | None, fetch_site: str | None) -> str | None:
    """Why a request is refused, from its Host, Origin and Sec-Fetch-Site headers; None where it may pass."""
    if method in SAFE_METHODS:
        return None
    if fetch_site not in (None, "none", "same-origin"):
        return "cross-site requests are refused"
    if origin and urlsplit(origin).hostname != host_name(host):
        return "cross-origin requests are refused"
    return None
