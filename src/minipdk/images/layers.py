"""Make layers: run a command in a container of the image so far and keep the container's private layer."""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.images import copier, names
from minipdk.images.context import Source
from minipdk.images.errors import StepFailedError
from minipdk.images.image import Image, Progress
from minipdk.sandbox.folders import remove_unused
from minipdk.sandbox.launcher import remove
from minipdk.sandbox.private_layer import BYTECODE
from minipdk.sandbox.runtime_config import SKELETON
from minipdk.sandbox.syscalls import sync_filesystem

FORMAT = 1  # part of every layer's name: increase it when layers are made in another way
LAYER_PREFIX, STEP_PREFIX = "layer-", "step-"  # unfinished layers and the files of a running step
TAIL = 20
CONTEXT, EXPORT, COPIER = "/run/minipdk/context", "/run/minipdk/export", "/run/minipdk/copier.py"
SYSTEM_PACKAGES = ("apt-get", "apt ", "apk ", "yum ", "dnf ", "conda ")


@dataclass(frozen=True)
class Placement:
    """The destination of COPY: ``target`` ends with / for a folder; ``extract`` unpacks archives, as ADD does."""

    target: str = "/"
    mode: int | None = None
    extract: bool = False


class LayerMaker:
    """Makes and keeps the layers of the cluster at ``home`` in its folder ``layers``."""

    def __init__(self, home: Home, layers: Path) -> None:
        self._home, self._layers = home, layers

    def layer(self, key: str) -> Path | None:
        """The layer that was made before under ``key``."""
        path = self._layers / key
        return path if path.is_dir() else None

    def run(
        self,
        image: Image,
        argv: Sequence[str],
        arguments: Mapping[str, str],
        mounts: Sequence[sandbox.Mount],
        progress: Progress,
    ) -> Path:
        """RUN: the layer of the command ``argv``, run with the build ``arguments`` in its environment.

        Raises StepFailedError when the command fails.
        """
        spec = sandbox.ContainerSpec(image, argv, env=arguments, mounts=mounts)
        container = sandbox.start(self._home, spec, stdout=sandbox.PIPE, stderr=sandbox.STDOUT, keep_layer=True)
        tail: collections.deque[str] = collections.deque(maxlen=TAIL)
        try:
            assert container.stdout is not None
            with container.stdout as output:
                for line in output:
                    tail.append(line.decode(errors="replace").rstrip())
                    progress(tail[-1])
            if status := container.wait():
                printed = "\n".join(tail) or "(nothing)"
                raise StepFailedError(
                    f"the command ended with status {status}{_hint(argv[-1])}; it printed last:\n{printed}"
                )
        except BaseException:
            container.stop(grace=1)
            container.remove()
            raise
        return self._taken(container)

    def fill(
        self,
        image: Image,
        context: Path | None = None,
        sources: Sequence[Source] = (),
        placement: Placement = Placement(),
        folders: Sequence[str] = (),
    ) -> Path:
        """COPY, ADD and WORKDIR: the layer with the new ``folders`` and the ``sources`` of ``context`` in place.

        Raises ValueError when a file and a folder of the image and the context clash.
        """
        plan = {
            "folders": list(folders),
            "from": CONTEXT,
            "sources": [
                asdict(source) | {"entries": [[entry.path, entry.name] for entry in source.entries]} for source in sources
            ],
            **asdict(placement),
        }
        mounts = [sandbox.Mount(context, CONTEXT, read_only=True)] if context else []
        return self._taken(self._copy(image, plan, mounts))

    def export(self, image: Image, patterns: Sequence[str], folder: Path) -> None:
        """Copy the files of ``image`` that the absolute ``patterns`` match to ``folder``, with their full paths."""
        container = self._copy(image, {"export": list(patterns), "to": EXPORT}, [sandbox.Mount(folder, EXPORT)])
        container.remove()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder that exists for one step only."""
        with tempfile.TemporaryDirectory(dir=self._layers.parent, prefix=STEP_PREFIX) as folder:
            yield Path(folder)

    def keep(self, made: Path, key: str) -> Path:
        """Name the folder ``made`` as the layer of ``key``; another build may have been quicker."""
        layer = self._layers / key
        descriptor = os.open(made, os.O_RDONLY)
        try:
            sync_filesystem(descriptor)
        finally:
            os.close(descriptor)
        try:
            made.rename(layer)
        except OSError:
            if not layer.is_dir():
                raise
            remove(str(made))
        return layer

    def _copy(self, image: Image, plan: dict[str, Any], mounts: Sequence[sandbox.Mount]) -> sandbox.Container:
        program = sandbox.Mount(Path(copier.__file__), COPIER, read_only=True)
        spec = sandbox.ContainerSpec(
            image, [sys.executable, "-I", "-S", COPIER], user="0", working_dir="/", mounts=[program, *mounts]
        )
        stdin = json.dumps(plan).encode()
        container = sandbox.start(self._home, spec, stdin=stdin, stderr=sandbox.PIPE, keep_layer=True)
        _, complaint = container.communicate()
        if container.wait():
            container.remove()
            raise ValueError(complaint.decode(errors="replace").strip().rpartition("\n")[2])
        return container

    def _taken(self, container: sandbox.Container) -> Path:
        """The private layer of an ended container, moved to a new folder without the parts that changed nothing."""
        for folder, _mode in reversed(SKELETON):  # a temporary file that is gone leaves an empty /tmp behind
            with contextlib.suppress(OSError):
                Path(f"{container.folder}/upper/root{folder}").rmdir()
        made = Path(tempfile.mkdtemp(dir=self._layers.parent, prefix=LAYER_PREFIX))
        for part in (container.folder / "upper").iterdir():
            if any(part.iterdir()):
                part.rename(made / part.name)
        made.chmod(0o755)
        container.remove()
        return made

    def cache(self, target: str) -> sandbox.Mount:
        """The folder that ``RUN --mount=type=cache`` keeps for ``target``; all images share it."""
        folder = self._layers.parent / "caches" / hashlib.sha256(target.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return sandbox.Mount(folder, target)


def changes_anything(folder: Path) -> bool:
    """Whether a layer, or a folder of one, changes anything but the bytecode of modules that were only imported."""
    entries = list(os.scandir(folder))
    return not entries or any(
        not entry.is_dir(follow_symlinks=False) or changes_anything(Path(entry.path))
        for entry in entries
        if entry.name != BYTECODE
    )


@functools.cache
def base_key() -> str:
    """The host's environment and the packages in it, as a string: after an upgrade there all steps run again."""
    packages = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    return json.dumps([FORMAT, names.environment(), packages])


def _hint(command: str) -> str:
    """The alternative to a package manager that cannot work in a private root; empty for other commands."""
    if any(name in command for name in SYSTEM_PACKAGES):
        return " (minipdk images use this machine's own system packages: install them there, and pip packages here)"
    return ""


def sweep(folder: Path) -> None:
    """Remove the unfinished layers in ``folder`` that a killed build left behind. No build may run meanwhile."""
    for pattern in (f"{LAYER_PREFIX}*", f"{STEP_PREFIX}*"):
        for leftover in folder.glob(pattern):
            remove_unused(leftover)


def size(layers: Sequence[Path]) -> int:
    """The bytes of all files in ``layers``."""
    return sum(file.lstat().st_size for layer in layers for file in layer.rglob("*") if not file.is_dir())
