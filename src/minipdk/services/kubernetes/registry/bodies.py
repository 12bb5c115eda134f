"""A request's body as one of its kind's objects: what it must say, and whether it is about the object that is there."""

from __future__ import annotations

from minipdk.services.kubernetes.api.decoding import metadata_of
from minipdk.services.kubernetes.errors import BadRequestError, ConflictError, InvalidError
from minipdk.services.kubernetes.kinds import schemas
from minipdk.services.kubernetes.model import Object, Resource

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
DELETED = "the object may have been deleted; please apply your changes to the latest version and try again"
UNSET_VERSIONS = (None, "", "0")
SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
"""Metadata that only the server writes."""


def without_system_fields(metadata: Object) -> Object:
    """``metadata`` as far as clients write it."""
    return {key: value for key, value in metadata.items() if key not in SYSTEM_FIELDS}


def read_object(
    resource: Resource, namespace: str, body: Object, validation: str, warnings: list[str], *, named: bool = False
) -> Object:
    """``body`` with its kind, version and namespace, and without the fields that its kind does not have.

    ``named``: it must say its kind and version, as a custom object always must; else they may be left to the path.
    ``validation`` says whether those are refused (Strict), told of in ``warnings`` (Warn) or dropped silently (Ignore).
    Raises BadRequestError and InvalidError.
    """
    found = {**body, "metadata": dict(metadata_of(body))}
    _check_kind(resource, found, named=named or resource.custom)
    if not resource.namespaced:
        found["metadata"].pop("namespace", None)
    elif found["metadata"].setdefault("namespace", namespace) != namespace:
        raise BadRequestError("the namespace of the provided object does not match the namespace sent on the request")
    kept, findings = schemas.check(resource, found)
    handled = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    unknown = [f'unknown field "{path}"' for path in findings.unknown]
    if unknown and validation == "Strict":
        raise BadRequestError(f"{handled}: strict decoding error: {', '.join(unknown)}")
    if validation == "Warn":
        warnings.extend(unknown)
    wrong_types = [cause for cause in findings.causes if cause.reason == "FieldValueInvalid"]
    if wrong_types and not resource.custom:
        raise BadRequestError(f"{handled}: {'; '.join(cause.message for cause in wrong_types)}", causes=wrong_types)
    if findings.causes:
        raise InvalidError(resource.invalid_subject(found["metadata"].get("name", "")), findings.causes)
    return kept


def check_name(metadata: Object, name: str) -> None:
    """Raises BadRequestError for another name than the URL's."""
    if metadata.get("name", name) != name:
        raise BadRequestError(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")


def need_name(metadata: Object, name: str) -> None:
    """Raises BadRequestError for no name, and for another than the URL's."""
    if not metadata.get("name"):
        why = "was undeterminable: name must be provided"
        raise BadRequestError(f"the name of the object ({name} based on URL) {why}")
    check_name(metadata, name)


def check_identity(resource: Resource, old: Object, metadata: Object) -> None:
    """Raises ConflictError unless ``metadata`` is of the same object, in the same version, as far as it says."""
    name = old["metadata"]["name"]
    check_name(metadata, name)
    if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {old['metadata']['uid']}"
        raise ConflictError(resource.subject(name), why)
    if metadata.get("resourceVersion") not in (*UNSET_VERSIONS, old["metadata"]["resourceVersion"]):
        raise ConflictError(resource.subject(name), MODIFIED)


def check_no_identity(resource: Resource, name: str, metadata: Object) -> None:
    """Raises ConflictError where ``metadata`` is of an object that was there before: there is none now."""
    if uid := metadata.get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise ConflictError(resource.subject(name), why)
    if metadata.get("resourceVersion") not in UNSET_VERSIONS:
        raise ConflictError(resource.subject(name), DELETED)


def _check_kind(resource: Resource, found: Object, *, named: bool) -> None:
    for key, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        given = found.get(key)
        if not given and not named:
            found[key] = expected
        elif not given:
            raise BadRequestError(f"Object '{key[0].upper()}{key[1:]}' is missing: it must be {expected!r}")
        elif given != expected and key == "apiVersion":
            raise BadRequestError(
                f"the API version in the data ({given}) does not match the expected API version ({expected})"
            )
        elif given != expected:
            raise BadRequestError(f"the kind in the data ({given}) does not match the expected kind ({expected})")
