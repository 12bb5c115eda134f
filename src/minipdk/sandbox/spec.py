"""The specification of a container, as a service gives it to `start`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minipdk.images.image import Image
from minipdk.sandbox.network import Network


@dataclass(frozen=True)
class Mount:
    """The host's file or folder ``source`` at the absolute path ``target``, which is made if it is missing.

    With ``below`` it is that path in the folder ``source``; links that lead out of the folder are not followed.
    """

    source: Path
    target: str
    read_only: bool = False
    below: str = ""


@dataclass(frozen=True)
class ContainerSpec:
    """A command in an image.

    ``argv``: empty for the image's ENTRYPOINT and CMD. ``env``: set over the image's ENV. ``working_dir``: made if it is
    missing; None for the image's WORKDIR. ``user``: ``uid-or-name[:gid-or-name]``, as ``id`` prints it inside; None for the
    image's USER. ``mounts``: in order, so a later one may be inside an earlier one. ``namespace``: the Kubernetes namespace
    that the service account's folder names. ``network``: a private one of the container or its Pod; None for the host's.
    ``cpus``: the numbers of the CPUs that its processes may run on; empty for all. ``output``: a folder, and the folder that
    it is in, out of which its links must not lead when the command has ended (see `output_links`).
    """

    image: Image
    argv: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    user: str | None = None
    mounts: Sequence[Mount] = ()
    namespace: str = "default"
    network: Network | None = None
    cpus: Sequence[int] = ()
    output: tuple[str, str] | None = None
