"""The volumes of a pod, and the paths of the files in them, none of which may lead out of its volume.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/ and `ValidateVolumes` in
https://github.com/kubernetes/kubernetes/blob/v1.35.0/pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minipdk.common.quantities import quantity
from minipdk.services.kubernetes.errors import Cause, forbidden, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.validation import no_backsteps, path_below
from minipdk.services.kubernetes.model import Object

HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
LARGEST_MODE = 0o777
NAMES = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName", "hostPath": "path"}
"""The field that names the source of a volume, by the volume's kind."""
FIELD_SOURCES = ("fieldRef", "resourceFieldRef")


def validate_volume(volume: Object, where: str) -> Iterator[Cause]:
    """Check the source of a volume; without one it is an empty folder."""
    kinds = [kind for kind in volume if kind != "name"]
    yield from (forbidden(f"{where}.{kind}", "may not specify more than 1 volume type") for kind in kinds[1:])
    for kind in kinds[:1]:
        source, field = volume[kind] or {}, f"{where}.{kind}"
        if kind in NAMES and not source.get(NAMES[kind]):
            yield required(f"{field}.{NAMES[kind]}")
        if rule := _RULES.get(kind):
            yield from rule(source, field)


def _validate_empty_folder(source: Object, where: str) -> Iterator[Cause]:
    if (limit := source.get("sizeLimit")) is not None and quantity(limit) < 0:
        yield forbidden(f"{where}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _validate_host_path(source: Object, where: str) -> Iterator[Cause]:
    yield from no_backsteps(f"{where}.path", source.get("path") or "")
    if source.get("type") not in (None, *HOST_PATH_TYPES):
        yield unsupported_value(f"{where}.type", source["type"], HOST_PATH_TYPES)


def _validate_keys(source: Object, where: str) -> Iterator[Cause]:
    """Check the files of a ConfigMap or Secret."""
    yield from _mode(f"{where}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        field = f"{where}.items[{index}]"
        if not item.get("key"):
            yield required(f"{field}.key")
        yield from _file(item, field)


def _validate_fields(source: Object, where: str) -> Iterator[Cause]:
    """Check the files of the downward API."""
    yield from _mode(f"{where}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        field, given = f"{where}.items[{index}]", [name for name in FIELD_SOURCES if item.get(name)]
        yield from _file(item, field)
        if not given:
            yield required(field, "one of fieldRef and resourceFieldRef is required")
        elif len(given) > 1:
            yield invalid_value(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")


def _validate_projection(source: Object, where: str) -> Iterator[Cause]:
    yield from _mode(f"{where}.defaultMode", source.get("defaultMode"))
    for index, projected in enumerate(source.get("sources") or ()):
        field = f"{where}.sources[{index}]"
        if len(projected) > 1:
            yield forbidden(field, "may not specify more than 1 volume type per source")
        for kind, part in projected.items():
            if kind in ("configMap", "secret") and not part.get("name"):
                yield required(f"{field}.{kind}.name")
            if kind == "serviceAccountToken":
                yield from _file(part, f"{field}.{kind}")
            elif rule := _RULES.get(kind):
                yield from rule(part, f"{field}.{kind}")


def _file(item: Object, where: str) -> Iterator[Cause]:
    """Check the path of a file in a volume, and its mode."""
    path = item.get("path") or ""
    if not path:
        yield required(f"{where}.path")
    yield from path_below(f"{where}.path", path)
    if path.startswith("..") and not path.startswith("../"):
        yield invalid_value(f"{where}.path", path, "must not start with '..'")
    yield from _mode(f"{where}.mode", item.get("mode"))


def _mode(field: str, mode: int | None) -> Iterator[Cause]:
    if mode is not None and not 0 <= mode <= LARGEST_MODE:
        yield invalid_value(field, mode, "must be a number between 0 and 0777 (octal), both inclusive")


_RULES: dict[str, Callable[[Any, str], Iterator[Cause]]] = {
    "configMap": _validate_keys,
    "downwardAPI": _validate_fields,
    "emptyDir": _validate_empty_folder,
    "hostPath": _validate_host_path,
    "projected": _validate_projection,
    "secret": _validate_keys,
}
