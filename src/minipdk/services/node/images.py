"""The images of Pods, from the cluster's store. An image that comes with minipdk is built when it is missing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from minipdk.common.home import Home
from minipdk.common.service import ImageSource
from minipdk.services.node.process import in_thread

if TYPE_CHECKING:
    from minipdk.images import Image

Progress = Callable[[str], None]


class Images:
    """Finds images and builds the ones in ``sources``, each once: further requests wait for the running build."""

    def __init__(self, home: Home, sources: Mapping[str, ImageSource]) -> None:
        self._home, self._sources = home, sources
        self._builds: dict[str, Build] = {}

    async def is_present(self, name: str) -> bool:
        """Whether the store has the image ``name``; False if it must be built first. Raises ImageError for others."""
        from minipdk.images import ImageStore
        from minipdk.images.errors import ImageNotFoundError, ImageStaleError

        try:
            await asyncio.to_thread(ImageStore(self._home).resolve, name)
        except (ImageNotFoundError, ImageStaleError):
            if name not in self._sources:
                raise
            return False
        return True

    async def get(self, name: str, progress: Progress) -> Image:
        """The image ``name``. ``progress`` gets the lines of a build. Raises ImageError and SandboxError.

        An image that comes with minipdk is built if it is missing, and again if its Dockerfile or programs have changed.
        """
        from minipdk.images import ImageStore

        if name not in self._sources:
            return await asyncio.to_thread(ImageStore(self._home).resolve, name)
        build = self._builds.get(name)
        if build is None or (build.image.done() and (build.image.cancelled() or build.image.exception())):
            build = self._builds[name] = Build(self._home, name, self._sources[name])
        build.followers.append(progress)
        try:
            return await asyncio.shield(build.image)
        finally:
            build.followers.remove(progress)


class Build:
    """A running build and the callers that follow its progress. A killed build leaves its finished steps to the next."""

    def __init__(self, home: Home, name: str, source: ImageSource) -> None:
        from minipdk.images import ImageStore

        loop = asyncio.get_running_loop()
        self.followers: list[Progress] = []

        def report(line: str) -> None:
            loop.call_soon_threadsafe(self._report, line)

        build = functools.partial(
            ImageStore(home).build,
            source.context,
            name,
            dockerfile=source.dockerfile,
            arguments=source.arguments,
            progress=report,
        )
        self.image: asyncio.Future[Image] = in_thread(build, f"build {name}", loop)

    def _report(self, line: str) -> None:
        for follower in self.followers:
            follower(line)
