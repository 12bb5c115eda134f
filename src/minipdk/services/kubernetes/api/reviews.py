"""Reviews: the questions that `kubectl auth` and other servers post about users and their permissions.

Every user with a token may do everything that this API server can do, so the answer depends on whether the user exists and
the server has the verb. Rules: https://kubernetes.io/docs/reference/access-authn-authz/authorization/.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.api.authentication import (
    ACCOUNT,
    ACCOUNTS,
    ADMIN,
    ADMIN_GROUPS,
    ISSUER,
    Authenticator,
    User,
)
from minipdk.services.kubernetes.errors import BadRequestError, Cause, InvalidError, UnauthorizedError, invalid_value
from minipdk.services.kubernetes.kinds import table
from minipdk.services.kubernetes.kinds.builtin.service_accounts import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.kinds.table import ALL_RESOURCES
from minipdk.services.kubernetes.model import Object, Target
from minipdk.services.kubernetes.store import ObjectStore

EVERYTHING = "every user with a token of this cluster may do everything"
ATTRIBUTES = ("resourceAttributes", "nonResourceAttributes")
ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


def review(target: Target, body: Object, user: User, authenticator: Authenticator, store: ObjectStore) -> Object:
    """Answer one of the kinds in `kinds.builtin.reviews`, which ``user`` posted."""
    resource, spec = target.resource, body.get("spec") or {}
    answer = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": body.get("metadata") or {}}
    if resource.kind == "SelfSubjectReview":
        return {**answer, "status": {"userInfo": user.as_json()}}
    if resource.kind == "TokenReview":
        return {**answer, "spec": spec, "status": _holder(authenticator, spec)}
    if resource.kind == "SelfSubjectRulesReview":
        if not spec.get("namespace"):
            raise BadRequestError("no namespace on request")
        return {**answer, "spec": spec, "status": _rules()}
    if causes := list(_faults(target, spec)):
        raise InvalidError(resource.invalid_subject(), causes)
    if resource.kind == "SelfSubjectAccessReview" or _is_known(store, spec):
        return {**answer, "spec": spec, "status": _may(spec)}
    denied = f"user {spec.get('user', '')!r} has no token of this cluster"
    return {**answer, "spec": spec, "status": {"allowed": False, "reason": denied}}


def _holder(authenticator: Authenticator, spec: Object) -> Object:
    if not spec.get("token"):
        raise BadRequestError("token is required for TokenReview in authentication")
    try:
        user, audiences = authenticator.holder(spec["token"], spec.get("audiences") or [ISSUER])
    except UnauthorizedError:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": user.as_json(), "audiences": audiences}


def _faults(target: Target, spec: Object) -> Iterator[Cause]:
    given = [name for name in ATTRIBUTES if spec.get(name)]
    if len(given) > 1:
        why = "cannot be specified in combination with resourceAttributes"
        yield invalid_value("spec.nonResourceAttributes", None, why)
    elif not given:
        yield invalid_value("spec.resourceAttributes", None, ONE_OF)
    if target.resource.kind.startswith("Self"):
        return
    if not spec.get("user") and not spec.get("groups"):
        yield invalid_value("spec.user", "", "at least one of user or group must be specified")
    if target.resource.kind == "LocalSubjectAccessReview":
        namespace = (spec.get("resourceAttributes") or {}).get("namespace", "")
        if spec.get("nonResourceAttributes"):
            yield invalid_value("spec.nonResourceAttributes", None, "disallowed on this kind of request")
        elif namespace != target.namespace:
            yield invalid_value("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace")


def _is_known(store: ObjectStore, spec: Object) -> bool:
    """Whether the user can have a token."""
    user, groups = spec.get("user") or "", set(spec.get("groups") or ())
    if user == ADMIN or groups & {*ADMIN_GROUPS, ACCOUNTS}:
        return True
    prefix, _, account = user.rpartition(f"{ACCOUNT}:")
    namespace, _, name = account.partition(":")
    return not prefix and store.get(SERVICE_ACCOUNTS, namespace, name) is not None


def _may(spec: Object) -> Object:
    """Whether the resource has the verb: every user may do all that exists."""
    attributes: Object | None = spec.get("resourceAttributes")
    if not attributes:
        return {"allowed": True, "reason": EVERYTHING}
    group, plural, verb = attributes.get("group", ""), attributes.get("resource", ""), attributes.get("verb", "")
    if plural == "*" or group == "*":
        return {"allowed": True, "reason": EVERYTHING}
    known = [resource for resource in ALL_RESOURCES if (resource.plural, resource.group) == (plural, group)]
    if not known:
        named = f"{plural}.{group}" if group else plural
        return {"allowed": False, "reason": f"{named} is not supported by minipdk"}
    part = attributes.get("subresource")
    subresource = known[0].subresource(part) if part and not table.is_unsupported(known[0], part) else None
    verbs = known[0].verbs if not part else subresource.verbs if subresource else ()
    if verb in ("*", *verbs):
        return {"allowed": True, "reason": EVERYTHING}
    return {"allowed": False, "reason": f"{verb} of {plural}{f'/{part}' if part else ''} is not supported by minipdk"}


def _rules() -> Object:
    rules = [
        {"apiGroups": [resource.group], "resources": [resource.plural], "verbs": list(resource.verbs)}
        for resource in ALL_RESOURCES
    ]
    rules += [
        {"apiGroups": [resource.group], "resources": [f"{resource.plural}/{part.name}"], "verbs": list(part.verbs)}
        for resource in table.RESOURCES
        for part in resource.subresources
        if not table.is_unsupported(resource, part.name)
    ]
    return {"resourceRules": rules, "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}], "incomplete": False}
