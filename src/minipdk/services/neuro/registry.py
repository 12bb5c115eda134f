"""The registry: the images of the cluster's store whose names begin with the registry's.

A manifest is made from the stored image: its layers by their digests, and a configuration by the image's id.
https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from minipdk.images import ImageStore
from minipdk.images.errors import ImageNotFoundError
from minipdk.images.registry import HOST
from minipdk.services.neuro.errors import NotFoundError
from minipdk.services.neuro.model import Tag

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Manifest:
    """A manifest's JSON and its digest."""

    content: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


class Registry:
    """The registry over the ``images`` of the cluster."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    def tags(self) -> list[Tag]:
        """Every image, by repository and then by age."""
        prefix = f"{HOST}/"
        stored = sorted(self._images.list(), key=lambda image: image.created)
        tags = []
        for image in stored:
            if image.name.startswith(prefix):
                repository, _, tag = image.name.removeprefix(prefix).rpartition(":")
                tags.append(Tag(repository, tag, image.id, image.size))
        return sorted(tags, key=lambda tag: tag.repository)

    def repositories(self) -> list[str]:
        return list(dict.fromkeys(tag.repository for tag in self.tags()))

    def tags_of(self, repository: str) -> list[Tag]:
        """Raises NotFoundError for an unknown repository."""
        if tags := [tag for tag in self.tags() if tag.repository == repository]:
            return tags
        raise NotFoundError(f"repository name {repository} is not known to the registry")

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest of a tag or a digest. Raises NotFoundError."""
        return self._matching(repository, reference)[0][1]

    def delete(self, repository: str, reference: str) -> None:
        """Forget a tag, or every tag of a digest. Raises NotFoundError."""
        for tag, _ in self._matching(repository, reference):
            try:
                self._images.remove(f"{HOST}/{tag.repository}:{tag.tag}")
            except ImageNotFoundError:
                continue

    def _matching(self, repository: str, reference: str) -> list[tuple[Tag, Manifest]]:
        """The tags that ``reference`` means, with their manifests."""
        pairs = [(tag, _manifest(tag)) for tag in self.tags_of(repository)]
        if matching := [pair for pair in pairs if reference in (pair[0].tag, pair[1].digest)]:
            return matching
        raise NotFoundError(f"manifest {reference} is not known to the repository {repository}")


def _manifest(tag: Tag) -> Manifest:
    """The manifest of a stored image, whose layers are shown as one."""
    config = {"mediaType": _CONFIG_TYPE, "size": 0, "digest": f"sha256:{tag.image_id}"}
    layer = {"mediaType": _LAYER_TYPE, "size": tag.size, "digest": f"sha256:{tag.image_id}"}
    content = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer]}
    return Manifest(json.dumps(content, indent=2).encode())
