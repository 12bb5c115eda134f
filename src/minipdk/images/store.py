"""The images of a cluster: their names, layers and configurations on disk.

``images/index.json`` maps names to ids; it is replaced in one step under a lock, so builds may run side by side. Layers are
in ``images/layers/<digest>``, named by a hash of their inputs, so a step that was built once is never built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minipdk.common.home import Home, write_private
from minipdk.images import names
from minipdk.images.errors import ImageNotFoundError, ImageStaleError
from minipdk.images.image import Image, ImageConfig, Progress
from minipdk.sandbox.folders import remove_unused


@dataclass(frozen=True)
class StoredImage:
    """An entry of `ImageStore.list`: ``created`` in seconds since 1970, ``size`` in bytes of all its layers."""

    name: str
    id: str
    created: float
    size: int


class ImageStore:
    """The images of the cluster at ``home``."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.folder("images")
        self.layers = self.folder / "layers"
        self.layers.mkdir(exist_ok=True, mode=0o700)
        self._index = self.folder / "index.json"

    def resolve(self, name: str) -> Image:
        """The image called ``name``: an image that was built here, else a known base.

        Raises ImageNameError, ImageNotFoundError, or ImageStaleError when the Python environment has changed since.
        """
        full_name = names.normalise(name)
        entry = self._entries().get(full_name)
        if entry is not None:
            if entry["environment"] != names.environment():
                raise ImageStaleError(
                    f"image {full_name} was built on {entry['environment']}, but this is {names.environment()}: "
                    f"build it again with `minipdk image build DIR -t {full_name}`"
                )
            layers = tuple(self.layers / digest for digest in entry["layers"])
            return Image(full_name, entry["id"], layers, ImageConfig(**entry["config"]))
        if names.stands_for(name):
            return Image(full_name, f"base:{names.parse(name)[0]}", (), ImageConfig(cmd=["/bin/sh"]))
        raise ImageNotFoundError(
            f"image {full_name} is not here: build it with `minipdk image build DIR -t {full_name}` "
            f"(`minipdk image list` lists the images here; known bases: {', '.join(names.KNOWN_BASES)})"
        )

    def list(self) -> list[StoredImage]:
        """Every image that was built here, by name."""
        return [
            StoredImage(name, entry["id"], entry["created"], entry["size"])
            for name, entry in sorted(self._entries().items())
        ]

    def build(
        self,
        context: Path,
        name: str,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] | None = None,
        progress: Progress = lambda _line: None,
    ) -> Image:
        """Build the image ``name`` from the Dockerfile in ``context`` (or from ``dockerfile``) and its files.

        ``arguments`` set the Dockerfile's ARGs. ``progress`` gets each line of output. Raises BuildError, whose message
        names the file and line, and SandboxError.
        """
        from minipdk.images.build import Builder  # building is rare; resolving must be quick
        from minipdk.images.layers import LayerMaker, sweep

        full_name = names.normalise(name)
        with contextlib.suppress(BlockingIOError), self._locked("build", fcntl.LOCK_EX | fcntl.LOCK_NB):
            sweep(self.folder)
        with self._locked("build", fcntl.LOCK_SH):
            maker = LayerMaker(self.home, self.layers)
            image = Builder(self.resolve, maker, context, dockerfile, progress, arguments=arguments or {}).build(full_name)
            self._tag(image)
        return image

    def _tag(self, image: Image) -> None:
        """Enter ``image`` under its name; an unchanged build changes nothing."""
        from minipdk.images.layers import size

        with self._changing() as entries:
            if entries.get(image.name, {}).get("id") == image.id:
                return
            entries[image.name] = {
                "id": image.id,
                "layers": [layer.name for layer in image.layers],
                "config": asdict(image.config),
                "environment": names.environment(),
                "created": time.time(),
                "size": size(image.layers),
            }

    def remove(self, name: str) -> None:
        """Forget the image ``name``; `prune` frees its layers. Raises ImageNotFoundError."""
        full_name = names.normalise(name)
        with self._changing() as entries:
            if entries.pop(full_name, None) is None:
                raise ImageNotFoundError(f"image {full_name} is not here; `minipdk image list` lists the images here")

    def prune(self) -> int:
        """Remove the layers that no image has and no container uses; return how many. Waits for running builds."""
        from minipdk.images.layers import sweep

        with self._locked("build", fcntl.LOCK_EX):
            sweep(self.folder)
            used = {digest for entry in self._entries().values() for digest in entry["layers"]}
            return sum(remove_unused(layer) for layer in self.layers.iterdir() if layer.name not in used)

    def _entries(self) -> dict[str, Any]:
        try:
            entries: dict[str, Any] = json.loads(self._index.read_text())
        except FileNotFoundError:
            return {}
        return entries

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The index to change; it is written on leaving. One process at a time."""
        with self._locked("index", fcntl.LOCK_EX):
            entries = self._entries()
            yield entries
            write_private(self._index, json.dumps(entries, indent=1))

    @contextlib.contextmanager
    def _locked(self, name: str, mode: int) -> Iterator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, mode)
            yield
