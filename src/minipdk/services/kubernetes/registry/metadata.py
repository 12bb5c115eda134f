"""The rules for every object's metadata, worded as Kubernetes words them.

Rules: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, forbidden, invalid_value, required
from minipdk.services.kubernetes.kinds.validation import dns_subdomain, qualified_name, validate_labels
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.registry.managed_fields import validate_managers

MAX_ANNOTATIONS = 256 * 1024


def validate_metadata(resource: Resource, metadata: Object) -> Iterator[Cause]:
    """Check the metadata of an object of the kind, which must have a name."""
    validate_name = resource.strategy.validate_name or dns_subdomain
    yield from validate_name("metadata.name", metadata["name"])
    yield from validate_managers(metadata.get("managedFields"))
    yield from validate_labels("metadata.labels", metadata.get("labels") or {})
    annotations: dict[str, str] = metadata.get("annotations") or {}
    for key in annotations:
        yield from qualified_name("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > MAX_ANNOTATIONS:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_ANNOTATIONS} bytes", "metadata.annotations")
    yield from _validate_owners(metadata.get("ownerReferences") or [])
    for finalizer in metadata.get("finalizers") or []:
        yield from qualified_name("metadata.finalizers", finalizer)


def _validate_owners(owners: list[Object]) -> Iterator[Cause]:
    for index, owner in enumerate(owners):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                yield required(f"metadata.ownerReferences[{index}].{field}")
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        named = f"Found {' and '.join(str(owner.get('name')) for owner in controllers)}"
        why = f"Only one reference can have Controller set to true. {named}"
        yield invalid_value("metadata.ownerReferences", controllers, why)


def no_added_finalizers(old: Object, new: Object) -> Iterator[Cause]:
    """An object that is being deleted may lose finalizers but not gain any."""
    added = set(new["metadata"].get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
    if old["metadata"].get("deletionTimestamp") and added:
        yield forbidden(
            "metadata.finalizers",
            f"no new finalizers can be added if the object is being deleted, found new finalizers {sorted(added)}",
        )
