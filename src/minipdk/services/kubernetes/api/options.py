"""The options of a request: its query, and for a deletion its body, as the registry's options.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from minipdk.common.documents import read_json
from minipdk.services.kubernetes.api.queries import check_dry_run, is_set, number, signed, values
from minipdk.services.kubernetes.errors import (
    BadRequestError,
    Cause,
    InvalidError,
    Subject,
    forbidden,
    invalid_value,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.model import Object, Target
from minipdk.services.kubernetes.registry.deletion import DeleteOptions
from minipdk.services.kubernetes.registry.managed_fields import LONGEST_NAME, validate_manager
from minipdk.services.kubernetes.registry.registry import WriteOptions
from minipdk.services.kubernetes.registry.selectors import field_selector, label_selector, selected_name
from minipdk.services.kubernetes.registry.watches import ListOptions

OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}
VALIDATIONS = ("", "Ignore", "Strict", "Warn")
POLICIES = ("Background", "Foreground", "Orphan")
EXACT, NOT_OLDER = "Exact", "NotOlderThan"


def write_options(method: str, query: Mapping[str, str], user_agent: str, *, applies: bool) -> WriteOptions:
    """The options of a POST, PUT or PATCH. ``applies``: it is an apply patch.

    Raises InvalidError for unknown values.
    """
    if method not in OPTIONS:
        return WriteOptions()
    if causes := list(_check_write(method, query, applies=applies)):
        raise InvalidError(Subject("meta.k8s.io", OPTIONS[method]), causes)
    program = "".join(filter(str.isprintable, user_agent.partition("/")[0]))[:LONGEST_NAME]
    return WriteOptions(
        dry_run=bool(query.get("dryRun")),
        manager=query.get("fieldManager") or program or "unknown",
        validation=query.get("fieldValidation") or "Warn",
        force=is_set(query, "force"),
    )


def _check_write(method: str, query: Mapping[str, str], *, applies: bool) -> Iterator[Cause]:
    manager, validation = query.get("fieldManager", ""), query.get("fieldValidation", "")
    if applies and not manager:
        yield required("fieldManager", "is required for apply patch")
    if method == "PATCH" and not applies and "force" in query:
        yield forbidden("force", "may not be specified for non-apply patch")
    yield from validate_manager("fieldManager", manager)
    yield from check_dry_run(values(query, "dryRun"))
    if validation not in VALIDATIONS:
        yield unsupported_value("fieldValidation", validation, VALIDATIONS)


def delete_options(body: Object, query: Mapping[str, str]) -> DeleteOptions:
    """The options of a DELETE. Raises InvalidError for unknown values, and for two that contradict each other."""
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    orphans = body.get("orphanDependents", query.get("orphanDependents"))
    if causes := list(_check_delete(body, query, policy, orphans)):
        raise InvalidError(Subject("meta.k8s.io", "DeleteOptions"), causes)
    if policy is None:
        policy = "Orphan" if orphans in (True, "true") else "Background"
    preconditions: dict[str, Any] = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", signed(query, "gracePeriodSeconds"))
    return DeleteOptions(
        dry_run=bool(body.get("dryRun") or query.get("dryRun")),
        policy=policy,
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
        grace=None if grace is None else grace if grace >= 0 else 1,
    )


def _check_delete(body: Object, query: Mapping[str, str], policy: Any, orphans: Any) -> Iterator[Cause]:
    if policy is not None and orphans is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        yield invalid_value("propagationPolicy", policy, why)
    elif policy not in (None, *POLICIES):
        yield unsupported_value("propagationPolicy", policy, POLICIES)
    yield from check_dry_run(body.get("dryRun") or values(query, "dryRun"))


def list_options(target: Target, query: Mapping[str, str]) -> ListOptions:
    """The options of a list or a watch. Raises BadRequestError and InvalidError for impossible parameters."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(target.resource, query.get("fieldSelector", ""))
    version, after, timeout = number(query, "resourceVersion"), None, number(query, "timeoutSeconds")
    limit, match = number(query, "limit") or 0, query.get("resourceVersionMatch", "")
    if causes := list(_check_version_match(query)):
        raise InvalidError(Subject("meta.k8s.io", "ListOptions"), causes)
    if token := query.get("continue"):
        if version:
            raise BadRequestError("specifying resource version is not allowed when using continue")
        after, version = _read_continue_token(token)
    return ListOptions(
        matches=lambda item: labels(item) and fields(item),
        name=selected_name(query.get("fieldSelector", "")),
        version=version,
        limit=limit,
        after=after,
        timeout=float(timeout) if timeout else None,
        bookmarks=is_set(query, "allowWatchBookmarks"),
        exact=bool(version) and (match == EXACT or after is not None or (limit > 0 and not match)),
        initial_events=is_set(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
    )


def _check_version_match(query: Mapping[str, str]) -> Iterator[Cause]:
    """Check resourceVersionMatch together with the parameters that it depends on."""
    match, watching, initial = query.get("resourceVersionMatch", ""), is_set(query, "watch"), "sendInitialEvents" in query
    if initial and not watching:
        yield forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
    if initial and match != NOT_OLDER:
        yield forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if not match:
        return
    if match not in (EXACT, NOT_OLDER):
        yield unsupported_value("resourceVersionMatch", match, (EXACT, NOT_OLDER))
    if query.get("continue"):
        yield forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
    if watching and not initial:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        yield forbidden("resourceVersionMatch", why)
    if not watching and not query.get("resourceVersion"):
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        yield forbidden("resourceVersionMatch", why)
    if match == EXACT and query.get("resourceVersion") == "0":
        yield forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def _read_continue_token(token: str) -> tuple[tuple[str, str], int]:
    """The place of the last object on the former page and the list's version, from `watches.continue_token`."""
    try:
        namespace, name, version = read_json(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return (str(namespace), str(name)), int(version)
    except (ValueError, TypeError) as error:
        raise BadRequestError("continue key is not valid: begin the list again without it") from error
