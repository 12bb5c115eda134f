"""The classes of protobuf messages that are described at run time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message


def classes(pool: DescriptorPool, files: Iterable[str]) -> dict[str, type[Message]]:
    """The class of every message in the ``pool``'s ``files``, nested ones too, by its full name.

    The caller keeps them: the runtime collects a class that has no message, and a thread that asks for the class at that
    moment would get it half cleared.
    """
    from google.protobuf.message_factory import GetMessageClass

    descriptors = (
        descriptor for file in files for descriptor in _with_nested(pool.FindFileByName(file).message_types_by_name.values())
    )
    return {descriptor.full_name: GetMessageClass(descriptor) for descriptor in descriptors}


def _with_nested(descriptors: Iterable[Descriptor]) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        yield descriptor
        yield from _with_nested(descriptor.nested_types)
