"""A Pod's volumes: folders below the Pod's folder, and their mounts in its containers.

``serving/<uid>/volumes/<name>`` is a volume; ``serving/<uid>/done/<container>`` marks an init container that has succeeded.
Both outlive a restart of this service.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.common.home import Home
from minipdk.controller.api import UNAVAILABLE, Api, describe
from minipdk.controller.errors import NotFoundError
from minipdk.controller.objects import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, SECRETS, Object
from minipdk.sandbox.syscalls import open_beneath
from minipdk.services.node import environment
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.status import CONFIG_ERROR, CREATING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minipdk.sandbox import Mount

CONTENT = {"configMap": (CONFIG_MAPS, "name"), "secret": (SECRETS, "secretName")}
READ_ONLY = frozenset(CONTENT)


def folders(home: Home) -> Path:
    """The folder with a folder for each Pod, named by its uid."""
    return home.folder("serving")


class Volumes:
    """The volumes of ``pod``."""

    def __init__(self, home: Home, api: Api, pod: Object) -> None:
        self._home, self._api, self._pod = home, api, pod
        self.folder = folders(home) / str(pod["metadata"]["uid"])

    def is_done(self, init_container: str) -> bool:
        return (self.folder / "done" / init_container).exists()

    def set_done(self, init_container: str) -> None:
        _private(self.folder / "done")
        (self.folder / "done" / init_container).touch()

    def termination_log(self, container: str) -> Path:
        """A new empty file, to which the container may write the reason of its end."""
        path = _private(self.folder / "termination") / container
        path.unlink(missing_ok=True)
        path.touch(mode=0o666)
        return path

    async def mounts(self, container: Object, variables: Mapping[str, str]) -> list[Mount]:
        """The mounts of ``container``. Raises ContainerError if a volume of the Pod is missing."""
        from minipdk.sandbox import Mount

        volumes = {volume["name"]: volume for volume in self._pod["spec"].get("volumes") or ()}
        sources = {name: await self._source(volume) for name, volume in volumes.items()}
        mounts = []
        for mount in container.get("volumeMounts") or ():
            read_only = bool(mount.get("readOnly")) or bool(READ_ONLY & volumes[mount["name"]].keys())
            source = sources[mount["name"]]
            mounts.append(Mount(source, mount["mountPath"], read_only, _below(source, mount, variables)))
        return mounts

    async def _source(self, volume: Object) -> Path:
        """The file or folder of ``volume``, with its content."""
        name = volume["name"]
        kind = next((key for key in volume if key != "name"), "emptyDir")
        settings = volume.get(kind) or {}
        if kind == "emptyDir":
            return _private(self.folder / "volumes" / name, 0o777)
        if kind == "hostPath":
            return _host_path(name, settings)
        if kind == "persistentVolumeClaim":
            return await self._claim(name, settings["claimName"])
        if kind in CONTENT:
            return await self._content(name, kind, settings)
        raise _cannot_mount(name, f"volumes of the kind {kind} are not supported by minipdk")

    async def _claim(self, name: str, claim: str) -> Path:
        namespace = self._pod["metadata"]["namespace"]
        try:
            await self._api.get(PERSISTENT_VOLUME_CLAIMS, namespace, claim)
        except NotFoundError:
            raise _cannot_mount(name, f'persistentvolumeclaim "{claim}" not found') from None
        except UNAVAILABLE as error:
            raise _cannot_mount(name, f'persistentvolumeclaim "{claim}" cannot be read: {describe(error)}') from error
        return _private(self._home.folder("volumes") / namespace / claim)

    async def _content(self, name: str, kind: str, settings: Object) -> Path:
        """The folder with the current files of a ConfigMap or a Secret."""
        resource, name_field = CONTENT[kind]
        reference = {"name": settings[name_field], "optional": settings.get("optional")}
        try:
            data = await environment.read(self._api, resource, self._pod["metadata"]["namespace"], reference) or {}
        except ContainerError as error:
            raise _cannot_mount(name, str(error)) from error
        items = settings.get("items") or [{"key": key, "path": key} for key in data]
        mode = settings.get("defaultMode", 0o644)
        folder = _private(self.folder / "volumes" / name, 0o755)
        for item in items:
            if item["key"] not in data and not settings.get("optional"):
                raise _cannot_mount(name, f"references non-existent {environment.KINDS[resource]} key: {item['key']}")
            if fault := _path_fault(item["path"]):
                raise _cannot_mount(name, f"invalid path: {fault}: {item['path']}")
        files = {folder / item["path"]: item for item in items if item["key"] in data}
        try:
            for old in [path for path in folder.rglob("*") if path.is_file() and path not in files]:
                old.unlink()
            for path, item in files.items():
                _write(path, data[item["key"]], item.get("mode", mode))
        except OSError as error:
            raise _cannot_mount(name, str(error)) from error
        return folder

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def sweep(home: Home, pods: Iterable[Object]) -> None:
    """Remove the volumes and logs of Pods other than ``pods``."""
    known = [pod["metadata"] for pod in pods]
    kept = {folders(home) / metadata["uid"] for metadata in known}
    kept |= {home.pod_log(metadata["namespace"], metadata["name"], "any").parent for metadata in known}
    logs = home.pod_log("any", "any", "any").parents[2]
    for folder in (*folders(home).iterdir(), *logs.glob("*/*")):
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _below(source: Path, mount: Object, variables: Mapping[str, str]) -> str:
    """The path in the volume ``source`` that ``mount`` names, "" for the whole; a missing folder is made."""
    path = mount.get("subPath") or environment.expand(mount.get("subPathExpr") or "", variables)
    if not path:
        return ""
    subject = f'volume mount "{mount["name"]}": subPath {path!r}'
    if _path_fault(path):
        raise ContainerError(CONFIG_ERROR, f"{subject} must be a path below the volume")
    try:
        _make_folders(source, path)
    except OSError as error:
        reason = "leads out of the volume" if error.errno == errno.EXDEV else f"cannot be made: {error.strerror}"
        raise ContainerError(CONFIG_ERROR, f"{subject} {reason}") from None
    return path


def _make_folders(volume: Path, path: str) -> None:
    """Make the folder ``path`` below ``volume``, and those above it, with the volume's permissions, unless it exists.

    Raises OSError, with EXDEV if a link leads out of the volume.
    """
    folder = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = stat.S_IMODE(os.fstat(folder).st_mode)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for depth in range(len(parts)):
            _make_folder(folder, "/".join(parts[:depth]) or ".", parts[depth], mode)
    finally:
        os.close(folder)


def _make_folder(folder: int, above: str, name: str, mode: int) -> None:
    try:
        os.close(open_beneath(folder, f"{above}/{name}"))
    except FileNotFoundError:
        parent = open_beneath(folder, above)
        try:
            os.mkdir(name, mode, dir_fd=parent)
        finally:
            os.close(parent)


def _path_fault(path: str) -> str:
    """The reason why ``path`` leads out of its volume; as the kubelet's atomic writer words it."""
    if path.startswith("/"):
        return "must be relative path"
    return "must not contain '..'" if ".." in path.split("/") else ""


def _host_path(name: str, settings: Object) -> Path:
    path, kind = Path(settings["path"]), settings.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind not in ("", "Directory", "File"):
        raise _cannot_mount(name, f"hostPath.type {kind} is not supported by minipdk")
    wrong = not path.exists() or (kind == "Directory" and not path.is_dir()) or (kind == "File" and not path.is_file())
    if wrong:
        expected = {"Directory": "directory", "File": "file"}.get(kind, "file or directory")
        raise _cannot_mount(name, f"hostPath type check failed: {path} is not a {expected}")
    return path


def _cannot_mount(volume: str, reason: str) -> ContainerError:
    return ContainerError(CREATING, f'MountVolume.SetUp failed for volume "{volume}" : {reason}')


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.chmod(mode | 0o400)
    temporary.replace(path)


def _private(path: Path, mode: int = 0o700) -> Path:
    """The folder ``path``; only its owner has access to the folders above it."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, mode)  # noqa: PTH101  (independent of the umask)
    return path
