"""Persistent volume claims, the volumes behind them and the storage class that makes the volumes.

Each claim gets a separate volume immediately: a folder that exists as long as the claim (`registry.volumes`). Claims that
choose another class, or an existing volume, are refused. The sizes are stored and shown, and limit nothing.
Rules: https://kubernetes.io/docs/concepts/storage/persistent-volumes/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minipdk.common.quantities import quantity
from minipdk.services.kubernetes.errors import Cause, forbidden, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, at, text
from minipdk.services.kubernetes.model import READ_ONLY, Cell, Column, Object, Resource, Strategy, status_of

PROTECTION = "kubernetes.io/pvc-protection"
"""The finalizer that keeps a claim while a pod uses it."""
CLASS = "standard"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
STORAGE_CLASS: Object = {
    "metadata": {"name": CLASS, "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": "minipdk/folder",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": False,
}
ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
"""The access modes and their short forms in `kubectl get`."""
MODES = tuple(mode for mode in ACCESS_MODES if mode != "ReadWriteOncePod")
REFUSED = ("dataSource", "dataSourceRef", "selector", "volumeAttributesClassName")


def default_claim(claim: Object) -> None:
    """Choose the class and the volume, which is named as on a real cluster after the claim's uid."""
    spec = claim.setdefault("spec", {})
    spec.setdefault("storageClassName", CLASS)
    spec.setdefault("volumeMode", "Filesystem")
    spec.setdefault("volumeName", f"pvc-{claim['metadata']['uid']}")
    if size := size_of(claim):
        spec["resources"]["requests"]["storage"] = str(size["storage"])  # bytes may be written as a number
    finalizers = claim["metadata"].setdefault("finalizers", [])
    if "deletionTimestamp" not in claim["metadata"] and PROTECTION not in finalizers:
        finalizers.append(PROTECTION)


def initial_status(claim: Object) -> Object:
    return {"phase": "Bound", "accessModes": claim["spec"].get("accessModes") or [], "capacity": size_of(claim)}


def validate_claim(claim: Object) -> Iterator[Cause]:
    spec, metadata = claim["spec"], claim["metadata"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    yield from (
        unsupported_value("spec.accessModes", mode, MODES) for mode in spec.get("accessModes") or () if mode not in MODES
    )
    size = size_of(claim).get("storage")
    if size is None:
        yield required("spec.resources[storage]")
    elif quantity(size) <= 0:
        yield invalid_value("spec.resources[storage]", size, "must be greater than zero")
    if spec["storageClassName"] != CLASS:
        yield unsupported_value("spec.storageClassName", spec["storageClassName"], (CLASS,))
    if spec["volumeMode"] != "Filesystem":
        yield unsupported_value("spec.volumeMode", spec["volumeMode"], ("Filesystem",))
    if spec["volumeName"] != f"pvc-{metadata['uid']}":
        yield forbidden("spec.volumeName", "is not supported by minipdk: each claim gets a volume of its own")
    yield from (forbidden(f"spec.{field}", "is not supported by minipdk") for field in REFUSED if spec.get(field))


def validate_claim_update(old: Object, new: Object) -> Iterator[Cause]:
    if old["spec"] != new["spec"]:
        yield forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims; "
            f"and the storage class {CLASS} does not support resize",
        )


def claims_of(pod: Object) -> set[str]:
    """The names of the claims in its namespace that a pod uses."""
    sources = (volume.get("persistentVolumeClaim") for volume in pod["spec"].get("volumes") or ())
    return {source["claimName"] for source in sources if source}


def size_of(claim: Object) -> dict[str, Any]:
    """The size that a claim requests, as ``{"storage": amount}``."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return {name: amount for name, amount in requests.items() if name == "storage"}


def _access_modes(*path: str) -> Callable[[Object], Cell]:
    return lambda item: ",".join(ACCESS_MODES.get(mode, mode) for mode in at(item, *path, default=()))


def _phase(item: Object) -> Cell:
    return "Terminating" if item["metadata"].get("deletionTimestamp") else text("status", "phase", default="")(item)


def _claim(volume: Object) -> Cell:
    claim = at(volume, "spec", "claimRef", default={})
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""


def _class_name(storage_class: Object) -> Cell:
    default = at(storage_class, "metadata", "annotations", DEFAULT_CLASS) == "true"
    return f"{storage_class['metadata']['name']}{' (default)' if default else ''}"


CLAIMS = Resource(
    *("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",)),
    subresources=(status_of("PersistentVolumeClaim"),),
    model="V1PersistentVolumeClaim",
    description="Storage that outlives the pods that use it. minipdk gives each claim a folder of the cluster's.",
    strategy=Strategy(
        default_claim, validate_claim, validate_claim_update, initial_status=initial_status, returns_deleted=True
    ),
    columns=(
        NAME,
        Column("Status", _phase),
        Column("Volume", text("spec", "volumeName", default="")),
        Column("Capacity", text("status", "capacity", "storage", default="")),
        Column("Access Modes", _access_modes("status", "accessModes")),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True),
    ),
)
VOLUMES = Resource(
    *("", "v1", "PersistentVolume", "persistentvolumes", ("pv",)),
    namespaced=False,
    model="V1PersistentVolume",
    verbs=READ_ONLY,
    description="The storage behind a claim: made with it, and gone with it.",
    columns=(
        NAME,
        Column("Capacity", text("spec", "capacity", "storage", default="")),
        Column("Access Modes", _access_modes("spec", "accessModes")),
        Column("Reclaim Policy", text("spec", "persistentVolumeReclaimPolicy", default="")),
        Column("Status", _phase),
        Column("Claim", _claim),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", text("status", "reason", default="")),
        AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True),
    ),
)
STORAGE_CLASSES = Resource(
    *("storage.k8s.io", "v1", "StorageClass", "storageclasses", ("sc",)),
    namespaced=False,
    model="V1StorageClass",
    verbs=READ_ONLY,
    description="A kind of storage that claims can ask for. minipdk has one.",
    columns=(
        Column("Name", _class_name, format="name"),
        Column("Provisioner", text("provisioner", default="")),
        Column("ReclaimPolicy", text("reclaimPolicy", default="Delete")),
        Column("VolumeBindingMode", text("volumeBindingMode", default="Immediate")),
        Column("AllowVolumeExpansion", lambda item: str(bool(item.get("allowVolumeExpansion"))).lower()),
        AGE,
    ),
)
