"""The names under which images of the cluster's registry are stored.

Clients name such an image by the registry's address, as in ``127.0.0.1:8082/course/default/examples/mnist:train``, and the
registry's port may change. The store keeps it without host and port.
"""

from __future__ import annotations

import re

LOOPBACK = ("127.0.0.1", "localhost")
HOST = "registry.neuro"
"""Stands for the registry in the names of stored images."""
_REFERENCE = re.compile(
    rf"(?:(?:127\.0\.0\.1|localhost)(?::[0-9]+)?|{re.escape(HOST)})/(?P<repository>[^@:]+)(?::(?P<tag>[^/@:]+))?"
)


def stored_name(reference: str) -> str | None:
    """The name under which the registry's image ``reference`` is stored; None for an image that is not of the registry."""
    match = _REFERENCE.fullmatch(reference)
    return f"{HOST}/{match['repository']}:{match['tag'] or 'latest'}" if match else None
