"""The storage initializer: what KServe's webhook adds to a Pod so that its model lies in /mnt/models.

Rules: https://kserve.github.io/website/0.15/modelserving/storage/storagecontainers/
"""

from __future__ import annotations

import re
from pathlib import Path

from minipdk.controller.api import Object
from minipdk.services.kserve.errors import InvalidSpecError, NotSupportedError, SourceError
from minipdk.services.kserve.runtimes import STORAGE_INITIALIZER_IMAGE

SOURCE_ANNOTATION = "internal.serving.kserve.io/storage-initializer-sourceuri"
READ_ONLY_ANNOTATION = "storage.kserve.io/readonly"
STORAGE_INITIALIZER = "storage-initializer"
MODELS = "/mnt/models"
MODEL_VOLUME, CLAIM_VOLUME, HOST_VOLUME = "kserve-provision-location", "kserve-pvc-source", "kserve-host-source"
SCHEMES = ("s3", "http", "https", "file", "pvc")
AZURE = re.compile(r"https://[^/]+\.blob\.core\.windows\.net/")


def check_uri(uri: str, where: str) -> None:
    """Raise InvalidSpecError for a storage URI that no model can be fetched from."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        raise InvalidSpecError(f"{where} {uri!r} has no scheme: it is one of {', '.join(f'{one}://' for one in SCHEMES)}")
    if scheme not in SCHEMES or AZURE.match(uri):
        what = f"{scheme}://" if scheme not in SCHEMES else "of Azure"
        raise NotSupportedError(f"{where} {what}", f"use one of {', '.join(f'{one}://' for one in SCHEMES)}")
    place = rest.partition("/")[0]
    named = {"s3": "bucket", "pvc": "persistent volume claim", "http": "host", "https": "host"}
    if scheme in named and not place:
        raise InvalidSpecError(f"{where} {uri!r} names no {named[scheme]}")
    if scheme == "file" and (place or rest == "/" or ".." in rest.split("/")):
        raise InvalidSpecError(f"{where} {uri!r} is not of the form file:///<folder>/<model>")


def check_source(annotations: dict[str, str]) -> None:
    """Raise SourceError for a model of this machine that is not there; whatever else is missing, its fetching tells."""
    scheme, _, path = annotations.get(SOURCE_ANNOTATION, "").partition("://")
    if scheme == "file" and not Path(path).exists():
        raise SourceError(f"storageUri file://{path}: there is no {path} on this machine")


def provide_model(spec: Object, annotations: dict[str, str], environment: list[Object]) -> Object:
    """A Pod's ``spec`` with its model in /mnt/models, fetched with ``environment``; as it is when it names no source."""
    uri = annotations.get(SOURCE_ANNOTATION)
    if not uri:
        return spec
    read_only = annotations.get(READ_ONLY_ANNOTATION) != "false"
    if uri.startswith("pvc://"):
        claim, _, path = uri.removeprefix("pvc://").partition("/")
        volumes: list[Object] = [{"name": CLAIM_VOLUME, "persistentVolumeClaim": {"claimName": claim}}]
        return _mounted(spec, volumes, _mount(CLAIM_VOLUME, read_only=read_only, path=path.strip("/")))
    volumes = [{"name": MODEL_VOLUME, "emptyDir": {}}]
    mounts = [_mount(MODEL_VOLUME)]
    if uri.startswith("file://"):
        path = uri.removeprefix("file://")
        volumes.append({"name": HOST_VOLUME, "hostPath": {"path": path}})
        mounts.append({"name": HOST_VOLUME, "mountPath": path, "readOnly": True})
    initializer: Object = {
        "name": STORAGE_INITIALIZER,
        "image": STORAGE_INITIALIZER_IMAGE,
        "args": [uri, MODELS],
        "env": environment,
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    mounted = _mounted(spec, volumes, _mount(MODEL_VOLUME, read_only=read_only))
    return {**mounted, "initContainers": [initializer]}


def _mount(volume: str, *, read_only: bool = False, path: str = "") -> Object:
    mount = {"name": volume, "mountPath": MODELS, "readOnly": read_only}
    return {**mount, "subPath": path} if path else mount


def _mounted(spec: Object, volumes: list[Object], mount: Object) -> Object:
    """``spec`` with ``volumes``, the model's mounted where it is served and transformed."""
    containers = [
        _with_model(one, mount) if one["name"] in ("kserve-container", "transformer-container") else one
        for one in spec["containers"]
    ]
    return {**spec, "volumes": [*(spec.get("volumes") or []), *volumes], "containers": containers}


def _with_model(container: Object, mount: Object) -> Object:
    """The container with the model mounted; its STORAGE_URI says from then on where the model lies."""
    env = [
        {"name": one["name"], "value": MODELS} if one["name"] == "STORAGE_URI" and one.get("value") else one
        for one in container.get("env") or []
    ]
    mounts = [*(container.get("volumeMounts") or []), mount]
    return {**container, "volumeMounts": mounts, **({"env": env} if env else {})}
