"""The names of images in the cluster's own registry.

A reference such as ``127.0.0.1:5000/org/project/name:tag`` has the registry's port of the day. The image store keeps the
image under a name without it, which stays the same when the ports change.
"""

from __future__ import annotations

HOST = "registry.neuro"
"""The registry's host in the names of the image store."""
LOOPBACK = ("127.0.0.1", "localhost")


def stored_name(reference: str) -> str | None:
    """The name in the image store for a ``reference`` to the cluster's registry; None for any other reference."""
    host, separator, rest = reference.partition("/")
    name, _, port = host.partition(":")
    ours = host == HOST or (name in LOOPBACK and (port.isdecimal() or not port))
    return f"{HOST}/{rest}" if separator and ours else None
