"""Every way a container can fail before its command runs::

    SandboxError
    ├── SandboxUnavailableError   this machine cannot make containers; the message names the setting to change
    ├── ContainerSpecError        the specification cannot be met: a bad mount, an unknown user, a null byte
    └── LaunchError               anything else went wrong while the root was built

A command that is not there ends the container with status 127, one that cannot be executed with 126, as in a shell and
in Docker; the reason is on the container's stderr.
"""

from __future__ import annotations


class SandboxError(Exception):
    """A container could not be started."""


class SandboxUnavailableError(SandboxError):
    """This machine cannot make containers; the message says which setting to change."""


class ContainerSpecError(SandboxError):
    """The specification of the container cannot be met."""


class LaunchError(SandboxError):
    """The container's root or processes could not be set up."""
