"""Persistent volume claims: each gets a volume of its own at once, a folder that lives as long as the claim.

Rules: https://kubernetes.io/docs/concepts/storage/persistent-volumes/. The one storage class makes a volume for every claim;
claims that choose another, or a volume that exists, are refused. The sizes are kept and shown, and limit nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minipdk.common.quantities import quantity
from minipdk.services.kubernetes.errors import Cause, forbidden, invalid_value, required, unsupported_value
from minipdk.services.kubernetes.kinds.old_columns import ACCESS_MODES, DEFAULT_CLASS
from minipdk.services.kubernetes.model import Object

PROTECTION = "kubernetes.io/pvc-protection"
"""The finalizer that keeps a claim while a pod uses it."""
CLASS = "standard"
STORAGE_CLASS: Object = {
    "metadata": {"name": CLASS, "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": "minipdk/folder",
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": False,
}
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
    sources = (one.get("persistentVolumeClaim") for one in pod["spec"].get("volumes") or ())
    return {one["claimName"] for one in sources if one}


def size_of(claim: Object) -> dict[str, Any]:
    """What a claim asks for, as ``{"storage": amount}``."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return {name: amount for name, amount in requests.items() if name == "storage"}
