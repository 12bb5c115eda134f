"""pod_patch, the JSON patch of a worker's pod: minipdk honours hostPath volumes and their mounts.

Supported are ``add`` operations on /volumes/- with a hostPath and on /containers/<n>/volumeMounts/-, which become bind
mounts. Anything else in the patch is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minipdk.common.documents import read_json
from minipdk.services.pachyderm.errors import InvalidRequestError, UnsupportedError
from minipdk.services.pachyderm.pps.spec.parsing import Json

VOLUMES, MOUNTS = "/volumes/-", "volumeMounts/-"
DIRECTORY_TYPES = ("", "Directory", "DirectoryOrCreate", "File", "FileOrCreate")


@dataclass(frozen=True)
class HostMount:
    """A path of the host that a container sees at ``target``."""

    source: Path
    target: str
    read_only: bool
    create: bool


def parse(patch: str) -> list[HostMount]:
    """The bind mounts that ``patch``, a JSON patch (RFC 6902) or "", asks for."""
    if not patch:
        return []
    volumes: dict[str, tuple[Path, bool]] = {}
    mounts: list[Json] = []
    for operation in _operations(patch):
        path, value = operation["path"], operation["value"]
        if path == VOLUMES:
            name, volume = _volume(value)
            volumes[name] = volume
        elif path.startswith("/containers/") and path.endswith(MOUNTS) and path.count("/") == 4:
            mounts.append(value)
        else:
            raise UnsupportedError(f"pod_patch on {path}")
    return [_mount(value, volumes) for value in mounts]


def _operations(patch: str) -> list[Json]:
    try:
        operations = read_json(patch.encode())
    except ValueError as error:
        raise InvalidRequestError(f"malformed PodPatch: {error}") from None
    if not isinstance(operations, list):
        raise InvalidRequestError("malformed PodPatch: it must be a list of JSON patch operations")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise InvalidRequestError('malformed PodPatch: every operation is an object with "op", "path" and "value"')
        if operation.get("op") != "add":
            raise UnsupportedError(f'pod_patch with op "{operation.get("op")}" on {operation["path"]}')
        if not isinstance(operation.get("value"), dict):
            raise UnsupportedError(f"pod_patch that adds something other than an object to {operation['path']}")
    return operations


def _fields(value: Json) -> Json:
    """Kubernetes reads field names without regard to case, so that "hostpath" works too."""
    return {name.lower(): inner for name, inner in value.items()}


def _volume(value: Json) -> tuple[str, tuple[Path, bool]]:
    fields = _fields(value)
    name = str(fields.pop("name", ""))
    if not name:
        raise InvalidRequestError("malformed PodPatch: a volume needs a name")
    host_path = fields.pop("hostpath", None)
    if fields or not isinstance(host_path, dict):
        raise UnsupportedError(f'pod_patch volume "{name}" of kind {", ".join(fields) or "none"} (only hostPath is)')
    host = _fields(host_path)
    kind = str(host.get("type") or "")
    if kind not in DIRECTORY_TYPES:
        raise UnsupportedError(f'pod_patch volume "{name}" with hostPath type {kind}')
    path = Path(str(host.get("path", "")))
    if not path.is_absolute() or ".." in path.parts:
        raise InvalidRequestError(f'pod_patch volume "{name}": hostPath must be an absolute path without "..", not "{path}"')
    return name, (path, kind.endswith("OrCreate"))


def _mount(value: Json, volumes: dict[str, tuple[Path, bool]]) -> HostMount:
    fields = _fields(value)
    name, target = str(fields.pop("name", "")), str(fields.pop("mountpath", ""))
    read_only = bool(fields.pop("readonly", False))
    sub_path = str(fields.pop("subpath", "") or "")
    if fields:
        raise UnsupportedError(f'pod_patch volumeMount "{name}" with {", ".join(fields)}')
    if name not in volumes:
        raise InvalidRequestError(f'pod_patch mounts the volume "{name}", which it does not add to /volumes')
    if not target.startswith("/") or ".." in Path(target).parts or ".." in Path(sub_path).parts:
        raise InvalidRequestError(f'pod_patch volumeMount "{name}": mountPath must be an absolute path, not "{target}"')
    source, create = volumes[name]
    return HostMount(source / sub_path.lstrip("/"), target, read_only, create)
