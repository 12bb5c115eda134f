"""Every way an image can fail to be named, found or built::

ImageError
├── ImageNameError        the name is not one that Docker would accept
├── ImageNotFoundError    no such image; the message says how to build it
├── ImageStaleError       it was built on another Python environment; the message says to build it again
├── RunOptionError        an option of `image run` is malformed or not supported
└── BuildError            building stopped: the message starts with the Dockerfile's path and line
    ├── DockerfileError   the Dockerfile is malformed, or uses a feature that minipdk does not support
    └── StepFailedError   a RUN command failed; the message ends with its last output
"""

from __future__ import annotations


class ImageError(Exception):
    """Something is wrong with an image or its name."""


class ImageNameError(ImageError):
    """Not a valid image name."""


class ImageNotFoundError(ImageError):
    """No image of that name is here."""


class ImageStaleError(ImageError):
    """The image belongs to a Python environment that is no longer there."""


class RunOptionError(ImageError):
    """An option of ``image run`` cannot be met."""


class BuildError(ImageError):
    """The build stopped at a line of the Dockerfile."""


class DockerfileError(BuildError):
    """The Dockerfile is malformed, or uses a feature that minipdk does not support."""


class StepFailedError(BuildError):
    """A command of the Dockerfile failed."""
