"""The images that come with minipdk: which of them a name means, and their builds."""

from __future__ import annotations

from collections.abc import Mapping

from minipdk.common.service import ImageSource
from minipdk.images import names
from minipdk.images.image import Image, Progress
from minipdk.images.store import ImageStore


def find_source(sources: Mapping[str, ImageSource], name: str) -> tuple[str, ImageSource] | None:
    """The source of the image ``name`` and the name under which it is built; None if it does not come with minipdk.

    Raises ImageNameError.
    """
    repository, tag = names.parse(name)
    for known, source in sources.items():
        of, its = names.parse(known)
        if repository == of and (source.any_tag or tag == its):
            return known, source
    return None


def build_source(store: ImageStore, name: str, source: ImageSource, progress: Progress) -> Image:
    """Build an image that comes with minipdk. Raises BuildError and SandboxError."""
    return store.build(
        source.context,
        name,
        dockerfile=source.dockerfile,
        arguments=source.arguments,
        any_tag=source.any_tag,
        progress=progress,
    )
