"""The questions that `kubectl auth` and other servers post: who somebody is, and what they may do.

Whoever has a token may do everything that this API server can do, so what is asked for decides, and whether there is such
a user. Rules: https://kubernetes.io/docs/reference/access-authn-authz/authorization/.
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
from minipdk.services.kubernetes.kinds import table as kinds
from minipdk.services.kubernetes.kinds.table import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.model import Object, Target
from minipdk.services.kubernetes.store import ObjectStore

EVERYTHING = "whoever has a token of this cluster may do everything"
ATTRIBUTES = ("resourceAttributes", "nonResourceAttributes")
ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


def review(target: Target, body: Object, user: User, authenticator: Authenticator, store: ObjectStore) -> Object:
    """Answer one of the reviews in `kinds.REVIEWS`, which ``user`` asks."""
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
        asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
        if spec.get("nonResourceAttributes"):
            yield invalid_value("spec.nonResourceAttributes", None, "disallowed on this kind of request")
        elif asked != target.namespace:
            yield invalid_value("spec.resourceAttributes.namespace", asked, "must match metadata.namespace")


def _is_known(store: ObjectStore, spec: Object) -> bool:
    """Whether the user is one who can have a token."""
    user, groups = spec.get("user") or "", set(spec.get("groups") or ())
    if user == ADMIN or groups & {*ADMIN_GROUPS, ACCOUNTS}:
        return True
    prefix, _, account = user.rpartition(f"{ACCOUNT}:")
    namespace, _, name = account.partition(":")
    return not prefix and store.get(SERVICE_ACCOUNTS, namespace, name) is not None


def _may(spec: Object) -> Object:
    """Whether there is such a verb on such a resource: everyone may do all that there is."""
    asked: Object | None = spec.get("resourceAttributes")
    if not asked:
        return {"allowed": True, "reason": EVERYTHING}
    group, plural, verb = asked.get("group", ""), asked.get("resource", ""), asked.get("verb", "")
    if plural == "*" or group == "*":
        return {"allowed": True, "reason": EVERYTHING}
    known = [one for one in (*kinds.RESOURCES, *kinds.REVIEWS) if (one.plural, one.group) == (plural, group)]
    if not known:
        named = f"{plural}.{group}" if group else plural
        return {"allowed": False, "reason": f"{named} is not supported by minipdk"}
    part = asked.get("subresource")
    subresource = known[0].subresource(part) if part and not kinds.is_unsupported(known[0], part) else None
    verbs = known[0].verbs if not part else subresource.verbs if subresource else ()
    if verb in ("*", *verbs):
        return {"allowed": True, "reason": EVERYTHING}
    return {"allowed": False, "reason": f"{verb} of {plural}{f'/{part}' if part else ''} is not supported by minipdk"}


def _rules() -> Object:
    rules = [
        {"apiGroups": [one.group], "resources": [one.plural], "verbs": list(one.verbs)}
        for one in (*kinds.RESOURCES, *kinds.REVIEWS)
    ]
    rules += [
        {"apiGroups": [one.group], "resources": [f"{one.plural}/{part.name}"], "verbs": list(part.verbs)}
        for one in kinds.RESOURCES
        for part in one.subresources
        if not kinds.is_unsupported(one, part.name)
    ]
    return {"resourceRules": rules, "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}], "incomplete": False}
