"""The classes of protobuf messages that are described at run time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool


def classes(pool: DescriptorPool, files: Iterable[str]) -> dict[str, Any]:
    """The class of every message in the ``pool``'s ``files``, nested ones too, by its full name.

    Whoever asks keeps them: the runtime would collect a class whenever there is no message of its kind, and another thread
    that asks for it at that moment would get it half cleared.
    """
    from google.protobuf.message_factory import GetMessageClass

    found = (one for file in files for one in _with_nested(pool.FindFileByName(file).message_types_by_name.values()))
    return {one.full_name: GetMessageClass(one) for one in found}


def _with_nested(descriptors: Iterable[Any]) -> Iterator[Any]:
    for one in descriptors:
        yield one
        yield from _with_nested(one.nested_types)
