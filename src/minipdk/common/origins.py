"""The same-origin rule: a web page of another origin must not change anything here through its reader's browser.

Every server of minipdk that a browser can reach applies it, independent of the library that serves it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(host: str) -> str | None:
    """The name in a Host header, without its port."""
    return urlsplit(f"//{host}").hostname


def refusal(method: str, host: str, *, origin: str | None, fetch_site: str | None) -> str | None:
    """The reason to refuse a request, from its Host, Origin and Sec-Fetch-Site headers; None if it may pass."""
    if method in SAFE_METHODS:
        return None
    if fetch_site not in (None, "none", "same-origin"):
        return "cross-site requests are refused"
    if origin and urlsplit(origin).hostname != host_name(host):
        return "cross-origin requests are refused"
    return None
