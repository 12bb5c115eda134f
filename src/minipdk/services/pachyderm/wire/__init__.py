"""Pachyderm's protobuf messages and gRPC calls, built at start from the vendor's Python SDK.

``wire.pfs.CommitInfo`` is a message class, ``wire.pfs.CommitState`` an enum, ``wire.Timestamp`` a message of
google.protobuf, and ``wire.rpcs()`` lists every call of every service.

``descriptors`` makes the messages from the SDK's dataclasses and ``calls`` lists the calls of the SDK's stubs. The type
checker reads the ``.pyi`` files instead: ``stubs`` writes them from the same descriptors, except ``message.pyi``.
"""

from google.protobuf.message import Message

from minipdk.services.pachyderm.wire.calls import Rpc, proto_names, rpcs
from minipdk.services.pachyderm.wire.descriptors import Package, bytes_value, google_class, message_class

__all__ = ["Message", "Rpc", "bytes_value", "message_class", "rpcs"]


def __getattr__(name: str) -> object:
    """``wire.<package>``, and ``wire.Timestamp``, ``wire.Empty`` and the other messages of google.protobuf."""
    if name in proto_names():
        value = Package(name)
    elif name.isidentifier() and name[0].isupper():
        value = google_class(name)
    else:
        raise AttributeError(f"the SDK has no package {name}")
    globals()[name] = value
    return value
