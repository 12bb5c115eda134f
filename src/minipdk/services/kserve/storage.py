"""The model's volume and storage initializer, which KServe's webhook adds to a Pod to provide the model in /mnt/models.

Rules: https://kserve.github.io/website/0.15/modelserving/storage/storagecontainers/
"""

from __future__ import annotations

import re
from pathlib import Path

from minipdk.controller.objects import Object
from minipdk.services.kserve.errors import NotSupportedError, SourceError, StorageUriError
from minipdk.services.kserve.runtimes import STORAGE_INITIALIZER_IMAGE

SOURCE_ANNOTATION = "internal.serving.kserve.io/storage-initializer-sourceuri"
READ_ONLY_ANNOTATION = "storage.kserve.io/readonly"
STORAGE_INITIALIZER = "storage-initializer"
MODELS = "/mnt/models"
WITH_MODEL = ("kserve-container", "transformer-container")
MODEL_VOLUME, CLAIM_VOLUME, HOST_VOLUME = "kserve-provision-location", "kserve-pvc-source", "kserve-host-source"
SCHEMES = ("s3", "http", "https", "file", "pvc")
SUPPORTED = ", ".join(f"{scheme}://" for scheme in SCHEMES)
KSERVE_SCHEMES = ("gs", "s3", "pvc", "file", "https", "http", "hdfs", "webhdfs", "oci", "oci+native", "oci+fetch", "hf")
"""The schemes that KServe knows, in the order of its message."""
AZURE = re.compile(r"https://[^/]+\.blob\.core\.windows\.net/")
INITIALIZER_RESOURCES = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
INITIALIZER_ENVIRONMENT = {
    "HF_HUB_ENABLE_HF_TRANSFER": "1",
    "HF_XET_HIGH_PERFORMANCE": "1",
    "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
}
"""The settings of KServe's ClusterStorageContainer for its storage initializer."""


def check_uri(uri: str, where: str) -> None:
    """Raise StorageUriError for a place that KServe does not know, and NotSupportedError for one that minipdk does not."""
    scheme, separator, rest = uri.partition("://")
    if separator and scheme not in KSERVE_SCHEMES:
        listed = ", ".join(f"{known}://" for known in KSERVE_SCHEMES)
        raise StorageUriError(
            f"StorageURI not supported: storageUri, must be one of: [{listed}] or match "
            "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
            f"StorageUri [{uri}] is not supported"
        )
    if not separator:
        raise NotSupportedError(f"{where} {uri!r}, a path in the container,", f"begin it with one of {SUPPORTED}")
    if scheme not in SCHEMES or AZURE.match(uri):
        kind = f"{scheme}://" if scheme not in SCHEMES else "of Azure"
        raise NotSupportedError(f"{where} {kind}", f"use one of {SUPPORTED}")
    place = rest.partition("/")[0]
    places = {"s3": "bucket", "pvc": "persistent volume claim", "http": "host", "https": "host"}
    if scheme in places and not place:
        raise StorageUriError(f"{where} {uri!r} names no {places[scheme]}")
    if scheme == "file" and (place or rest == "/" or ".." in rest.split("/")):
        raise StorageUriError(f"{where} {uri!r} is not of the form file:///<folder>/<model>")


def check_source(annotations: dict[str, str]) -> None:
    """Raise SourceError for a missing model on this machine. Other missing models are reported when they are fetched."""
    scheme, _, path = annotations.get(SOURCE_ANNOTATION, "").partition("://")
    if scheme == "file" and not Path(path).exists():
        raise SourceError(f"storageUri file://{path}: there is no {path} on this machine")


def provide_model(spec: Object, annotations: dict[str, str], environment: list[Object]) -> Object:
    """A Pod's ``spec`` with its model in /mnt/models, fetched with ``environment``; unchanged if it names no source."""
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
        "imagePullPolicy": "IfNotPresent",
        "env": [*environment, *({"name": name, "value": value} for name, value in INITIALIZER_ENVIRONMENT.items())],
        "resources": INITIALIZER_RESOURCES,
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    mounted = _mounted(spec, volumes, _mount(MODEL_VOLUME, read_only=read_only))
    return {**mounted, "initContainers": [initializer]}


def _mount(volume: str, *, read_only: bool = False, path: str = "") -> Object:
    mount = {"name": volume, "mountPath": MODELS, "readOnly": read_only}
    return {**mount, "subPath": path} if path else mount


def _mounted(spec: Object, volumes: list[Object], mount: Object) -> Object:
    """``spec`` with ``volumes``, and the model mounted in the containers that serve and transform."""
    containers = [
        _with_model(container, mount) if container["name"] in WITH_MODEL else container for container in spec["containers"]
    ]
    return {**spec, "volumes": [*(spec.get("volumes") or []), *volumes], "containers": containers}


def _with_model(container: Object, mount: Object) -> Object:
    """The container with the model mounted; its STORAGE_URI becomes the path of the mount."""
    env = [
        {"name": variable["name"], "value": MODELS}
        if variable["name"] == "STORAGE_URI" and variable.get("value")
        else variable
        for variable in container.get("env") or []
    ]
    mounts = [*(container.get("volumeMounts") or []), mount]
    return {**container, "volumeMounts": mounts, **({"env": env} if env else {})}
