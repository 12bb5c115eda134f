"""A request's body as an object of its kind: its shape, its fields, and whether it matches the stored object."""

from __future__ import annotations

from typing import Any

from minipdk.services.kubernetes.errors import (
    REQUIRED,
    WRONG_TYPE,
    BadRequestError,
    Cause,
    ConflictError,
    InvalidError,
)
from minipdk.services.kubernetes.kinds import schemas
from minipdk.services.kubernetes.model import Object, Resource

DEEPEST = 200
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
DELETED = "the object may have been deleted; please apply your changes to the latest version and try again"
UNSET_VERSIONS = (None, "", "0")
SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
"""Metadata that only the server writes."""


def without_system_fields(metadata: Object) -> Object:
    """The part of ``metadata`` that clients write."""
    return {key: value for key, value in metadata.items() if key not in SYSTEM_FIELDS}


def check_depth(document: Any) -> None:
    """Raise BadRequestError if the document is nested too deeply.

    It may be a hostile body, so this does not recurse.
    """
    level, depth = [document], 0
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if depth > DEEPEST:
        raise BadRequestError(f"the body is nested more than {DEEPEST} deep")


def as_object(document: Any, model: str = "") -> Object:
    """``document`` as a JSON object with metadata, if any, and the fields of the vendor's ``model`` at their types.

    Raises BadRequestError for any other document.
    """
    if not isinstance(document, dict):
        raise BadRequestError("the body must be one API object")
    metadata_of(document)
    if model and (causes := schemas.check_model(model, document).causes):
        raise BadRequestError("; ".join(f"{cause.field}: {cause.message}" for cause in causes), causes=causes)
    return document


def metadata_of(body: Object) -> Object:
    """The object's metadata, empty if it is null or left out. Raises BadRequestError if it is not an object."""
    metadata = body.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise BadRequestError("metadata in body must be of type object")
    return metadata


def stored_form(resource: Resource, body: Object) -> Object:
    """A body in the form of ``resource`` as it is stored. Raises BadRequestError for the stored names of its fields."""
    if resource.stored_as is None:
        return body
    if body.get("apiVersion") not in (None, "", resource.api_version):
        why = f"does not match the expected API version ({resource.api_version})"
        raise BadRequestError(f"the API version in the data ({body['apiVersion']}) {why}")
    if unknown := [f'unknown field "{name}"' for name in body if name in resource.renamed]:
        raise BadRequestError(f"strict decoding error: {', '.join(unknown)}")
    stored_names = {new: old for old, new in resource.renamed.items()}
    return {
        **{stored_names.get(name, name): value for name, value in body.items()},
        "apiVersion": resource.stored_as.api_version,
    }


def read_object(
    resource: Resource, namespace: str, body: Object, validation: str, warnings: list[str], *, named: bool = False
) -> Object:
    """``body`` with its kind, version and namespace, and without the fields that its kind does not have.

    ``named``: it must have its kind and version, as a custom object always must; else the path implies them.
    ``validation`` says whether unknown fields are refused (Strict), added to ``warnings`` (Warn) or dropped silently
    (Ignore). Raises BadRequestError and InvalidError.
    """
    item = {**body, "metadata": dict(metadata_of(body))}
    _check_kind(resource, item, named=named or resource.custom)
    if not resource.namespaced:
        item["metadata"].pop("namespace", None)
    elif item["metadata"].setdefault("namespace", namespace) != namespace:
        raise BadRequestError("the namespace of the provided object does not match the namespace sent on the request")
    kept, faults = schemas.check(resource, item)
    handled = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    unknown = [f'unknown field "{path}"' for path in faults.unknown]
    if unknown and validation == "Strict":
        raise BadRequestError(f"{handled}: strict decoding error: {', '.join(unknown)}")
    if validation == "Warn":
        warnings.extend(unknown)
    kept, faults.causes = _mutated(resource, kept, faults.causes, applied=named)
    wrong_types = [cause for cause in faults.causes if cause.reason in (WRONG_TYPE, "FieldValueInvalid")]
    if wrong_types and not resource.custom:
        raise BadRequestError(f"{handled}: {'; '.join(cause.message for cause in wrong_types)}", causes=wrong_types)
    if faults.causes:
        raise InvalidError(resource.invalid_subject(item["metadata"].get("name", "")), faults.causes)
    return kept


def _mutated(resource: Resource, kept: Object, causes: list[Cause], *, applied: bool) -> tuple[Object, list[Cause]]:
    """The object as the kind's mutating webhook leaves it, and its faults then. ``applied``: it is changed once merged."""
    mutate = resource.strategy.mutate
    if mutate is None or any(cause.reason != REQUIRED for cause in causes):
        return kept, causes
    mutated, faults = schemas.check(resource, mutate(kept))
    return kept if applied else mutated, faults.causes


def check_name(metadata: Object, name: str) -> None:
    """Raise BadRequestError if there is a name that differs from the URL's."""
    if metadata.get("name", name) != name:
        raise BadRequestError(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")


def need_name(metadata: Object, name: str) -> None:
    """Raise BadRequestError if there is no name, or one that differs from the URL's."""
    if not metadata.get("name"):
        why = "was undeterminable: name must be provided"
        raise BadRequestError(f"the name of the object ({name} based on URL) {why}")
    check_name(metadata, name)


def check_identity(resource: Resource, old: Object, metadata: Object) -> None:
    """Raise ConflictError if ``metadata`` has another uid or resourceVersion than the stored object."""
    name = old["metadata"]["name"]
    check_name(metadata, name)
    if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {old['metadata']['uid']}"
        raise ConflictError(resource.subject(name), why)
    if metadata.get("resourceVersion") not in (*UNSET_VERSIONS, old["metadata"]["resourceVersion"]):
        raise ConflictError(resource.subject(name), MODIFIED)


def check_no_identity(resource: Resource, name: str, metadata: Object) -> None:
    """Raise ConflictError if ``metadata`` is that of a former object; there is none of this name now."""
    if uid := metadata.get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise ConflictError(resource.subject(name), why)
    if metadata.get("resourceVersion") not in UNSET_VERSIONS:
        raise ConflictError(resource.subject(name), DELETED)


def _check_kind(resource: Resource, item: Object, *, named: bool) -> None:
    for key, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        given = item.get(key)
        if not given and not named:
            item[key] = expected
        elif not given:
            raise BadRequestError(f"Object '{key[0].upper()}{key[1:]}' is missing: it must be {expected!r}")
        elif given != expected and key == "apiVersion":
            raise BadRequestError(
                f"the API version in the data ({given}) does not match the expected API version ({expected})"
            )
        elif given != expected:
            raise BadRequestError(f"the kind in the data ({given}) does not match the expected kind ({expected})")
