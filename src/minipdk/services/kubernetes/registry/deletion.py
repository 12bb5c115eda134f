"""How objects go away: finalizers, pods' grace, what an object owns, and the contents of a namespace.

Everything that a deletion takes with it goes in its transaction, so no state is left in which an owner is gone and a
dependent has been forgotten. Rules: https://kubernetes.io/docs/concepts/architecture/garbage-collection/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from minipdk.services.kubernetes.api.queries import signed, values, wrong_dry_run
from minipdk.services.kubernetes.errors import (
    Cause,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Subject,
    invalid_value,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.kinds.builtin.claims import PROTECTION, claims_of
from minipdk.services.kubernetes.kinds.table import BY_KEY, CLAIMS, NAMESPACES, PODS, VOLUMES
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import now, parse, written

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
POLICIES = ("Background", "Foreground", "Orphan")
PROTECTED_NAMESPACES = ("default", "kube-system")
LONGEST_GRACE = (1 << 31) - 1
"""Beyond it lies a deletionTimestamp that cannot be written."""


@dataclass(frozen=True)
class DeleteOptions:
    """The body or the query of a DELETE: ``uid`` and ``version`` are its preconditions.

    ``grace`` is how many seconds a pod has to end; None leaves it to the pod.
    """

    dry_run: bool = False
    policy: str = "Background"
    uid: str = ""
    version: str = ""
    grace: int | None = None

    @classmethod
    def read(cls, body: Object, query: dict[str, str]) -> DeleteOptions:
        """Raises InvalidError for options that there are not, and for two that contradict."""
        if causes := list(_wrong_options(body, query)):
            raise InvalidError(Subject("meta.k8s.io", "DeleteOptions"), causes)
        policy = body.get("propagationPolicy") or query.get("propagationPolicy")
        orphans = body.get("orphanDependents", query.get("orphanDependents"))
        if policy is None:
            policy = "Orphan" if orphans in (True, "true") else "Background"
        preconditions: dict[str, Any] = body.get("preconditions") or {}
        grace = body.get("gracePeriodSeconds", signed(query, "gracePeriodSeconds"))
        return cls(
            dry_run=bool(body.get("dryRun") or query.get("dryRun")),
            policy=policy,
            uid=preconditions.get("uid") or "",
            version=preconditions.get("resourceVersion") or "",
            grace=None if grace is None else grace if grace >= 0 else 1,
        )


def _wrong_options(body: Object, query: dict[str, str]) -> Iterator[Cause]:
    policy = body.get("propagationPolicy") or query.get("propagationPolicy")
    orphans = body.get("orphanDependents", query.get("orphanDependents"))
    if policy is not None and orphans is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        yield invalid_value("propagationPolicy", policy, why)
    elif policy not in (None, *POLICIES):
        yield unsupported_value("propagationPolicy", policy, POLICIES)
    yield from wrong_dry_run(body.get("dryRun") or values(query, "dryRun"))


class Deleter:
    """Deletes from the store. Every method is called within the store's transaction."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def delete(self, resource: Resource, found: Object, options: DeleteOptions) -> tuple[Object, bool]:
        """The object in its last state, and whether it is gone already or waits for finalizers or for its node."""
        _check_preconditions(resource, found, options)
        metadata = found["metadata"]
        if resource is NAMESPACES:
            return self._delete_namespace(found)
        grace = _grace(resource, found, options)
        finalizers = list(metadata.get("finalizers") or ())
        if resource is CLAIMS and PROTECTION in finalizers and not self._is_used(found):
            finalizers.remove(PROTECTION)
        if options.policy == "Foreground" and FOREGROUND not in finalizers and self._blocking(metadata["uid"]):
            finalizers.append(FOREGROUND)
        if options.policy == "Orphan":
            self._orphan(metadata["uid"])
        if not finalizers and not grace:
            self._remove(resource, found)
            return found, True
        marked = found
        if not metadata.get("deletionTimestamp") or grace != metadata["deletionGracePeriodSeconds"]:
            marked = self._store.put(resource, _marked(found, finalizers, grace), found)
        if FOREGROUND in finalizers:
            self._delete_dependents(metadata["uid"], "Foreground")
            current = self._store.by_uid(metadata["uid"])
            return (current[1], False) if current else (marked, True)
        return marked, False

    def remove_if_done(self, resource: Resource, found: Object) -> bool:
        """Remove an object that is being deleted, whose last finalizer has gone and which waits for no node."""
        metadata = found["metadata"]
        waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        if resource is NAMESPACES or not metadata.get("deletionTimestamp") or waits:
            return False
        self._remove(resource, found)
        return True

    def release_claims(self, pod: Object) -> None:
        """Let the claims go that are being deleted and were kept for ``pod`` alone, which has ended."""
        for name in claims_of(pod):
            claim = self._store.get(CLAIMS, pod["metadata"]["namespace"], name)
            if claim and claim["metadata"].get("deletionTimestamp") and not self._is_used(claim):
                kept = [one for one in claim["metadata"]["finalizers"] if one != PROTECTION]
                released = self._store.put(CLAIMS, {**claim, "metadata": {**claim["metadata"], "finalizers": kept}}, claim)
                self.remove_if_done(CLAIMS, released)

    def _is_used(self, claim: Object) -> bool:
        """Whether a node runs a pod that uses the claim."""
        metadata = claim["metadata"]
        return any(
            pods.is_running(pod) and metadata["name"] in claims_of(pod)
            for pod in self._store.select(PODS, metadata["namespace"])[0]
        )

    def collect_orphan(self, resource: Resource, written: Object) -> None:
        """Remove an object all of whose owners have gone, or never were, or wait for what they own to go."""
        owners = written["metadata"].get("ownerReferences") or ()
        if owners and not any(self._is_there(owner, written) and not self._is_waiting(owner) for owner in owners):
            self.delete(resource, written, DeleteOptions())

    def _is_waiting(self, owner: Object) -> bool:
        """Whether ``owner`` is being deleted in the foreground."""
        found = self._store.by_uid(owner["uid"])
        metadata = found[1]["metadata"] if found else {}
        return "deletionTimestamp" in metadata and FOREGROUND in (metadata.get("finalizers") or ())

    def _is_there(self, owner: Object, dependent: Object) -> bool:
        """Whether there is an ``owner``: by its kind and name as by its uid, and for what is in a namespace, in the same."""
        found = self._store.by_uid(owner["uid"])
        if found is None:
            return False
        known, metadata = BY_KEY[found[0]], found[1]["metadata"]
        same_place = not known.namespaced or metadata["namespace"] == dependent["metadata"].get("namespace")
        return same_place and (known.kind, metadata["name"]) == (owner["kind"], owner["name"])

    def finish_namespace(self, name: str) -> None:
        """Remove a namespace that is being deleted and is empty."""
        found = self._store.get(NAMESPACES, "", name)
        if not found or not found["metadata"].get("deletionTimestamp") or self._store.in_namespace(name):
            return
        if not (found.get("spec") or {}).get("finalizers") or found["spec"]["finalizers"] == ["kubernetes"]:
            self._store.remove(NAMESPACES, found)

    def _delete_namespace(self, found: Object) -> tuple[Object, bool]:
        name = found["metadata"]["name"]
        if name in PROTECTED_NAMESPACES:
            subject = NAMESPACES.subject(name)
            raise ForbiddenError(f'{subject.qualified} "{name}" is forbidden: this namespace may not be deleted', subject)
        marked = found
        if not found["metadata"].get("deletionTimestamp"):
            metadata = {**found["metadata"], "deletionTimestamp": now()}
            marked = self._store.put(NAMESPACES, {**found, "metadata": metadata, "status": {"phase": "Terminating"}}, found)
        for key, content in self._store.in_namespace(name):
            if self._store.by_uid(content["metadata"]["uid"]):  # it may have gone with its owner
                self.delete(BY_KEY[key], content, DeleteOptions())
        self.finish_namespace(name)
        return marked, self._store.get(NAMESPACES, "", name) is None

    def _remove(self, resource: Resource, found: Object) -> None:
        self._store.remove(resource, found)
        if resource is PODS:
            self.release_claims(found)
        elif resource is CLAIMS and (volume := self._store.get(VOLUMES, "", found["spec"]["volumeName"])):
            self._store.remove(VOLUMES, volume)
        self._delete_dependents(found["metadata"]["uid"], "Background")
        for owner in found["metadata"].get("ownerReferences") or ():
            self._release_owner(owner["uid"])
        if namespace := found["metadata"].get("namespace"):
            self.finish_namespace(namespace)

    def _delete_dependents(self, owner: str, policy: str) -> None:
        """Delete what ``owner`` owns alone; what has another owner loses this one."""
        for key, dependent in self._store.dependents(owner):
            current = self._store.by_uid(dependent["metadata"]["uid"])
            if current is None:
                continue
            others = [one for one in current[1]["metadata"]["ownerReferences"] if one["uid"] != owner]
            if any(self._is_there(one, current[1]) for one in others):
                self._put_owners(BY_KEY[key], current[1], others)
            elif not current[1]["metadata"].get("deletionTimestamp"):
                self.delete(BY_KEY[key], current[1], DeleteOptions(policy=policy))

    def _orphan(self, owner: str) -> None:
        for key, dependent in self._store.dependents(owner):
            others = [one for one in dependent["metadata"]["ownerReferences"] if one["uid"] != owner]
            self._put_owners(BY_KEY[key], dependent, others)

    def _put_owners(self, resource: Resource, found: Object, owners: list[Object]) -> None:
        metadata = {key: value for key, value in found["metadata"].items() if key != "ownerReferences"}
        if owners:
            metadata["ownerReferences"] = owners
        self._store.put(resource, {**found, "metadata": metadata}, found)

    def _blocking(self, owner: str) -> bool:
        """Whether a dependent asks for its owner to wait for it."""
        return any(
            one["uid"] == owner and one.get("blockOwnerDeletion")
            for _, dependent in self._store.dependents(owner)
            for one in dependent["metadata"]["ownerReferences"]
        )

    def _release_owner(self, uid: str) -> None:
        """An owner that is being deleted in the foreground goes once nothing blocks it any more."""
        known = self._store.by_uid(uid)
        if known is None or FOREGROUND not in (known[1]["metadata"].get("finalizers") or ()) or self._blocking(uid):
            return
        resource, owner = BY_KEY[known[0]], known[1]
        finalizers = [one for one in owner["metadata"]["finalizers"] if one != FOREGROUND]
        metadata = {key: value for key, value in owner["metadata"].items() if key != "finalizers"}
        if finalizers:
            metadata["finalizers"] = finalizers
        released = self._store.put(resource, {**owner, "metadata": metadata}, owner)
        self.remove_if_done(resource, released)


def _grace(resource: Resource, found: Object, options: DeleteOptions) -> int:
    """How long the object stays for its node to end it. A deletion that is under way can only be shortened."""
    if resource is not PODS:
        return 0
    known = found["metadata"].get("deletionGracePeriodSeconds")
    if known is None:
        return min(pods.grace_period(found, options.grace), LONGEST_GRACE)
    return int(known) if options.grace is None else min(known, options.grace)


def _marked(found: Object, finalizers: list[str], grace: int) -> Object:
    """``found`` with the time by which it is to be gone: its deletion's time and the period of grace."""
    metadata = dict(found["metadata"])
    if "deletionTimestamp" in metadata:
        begun = parse(metadata["deletionTimestamp"]) - timedelta(seconds=metadata["deletionGracePeriodSeconds"])
    else:
        begun = datetime.now(UTC)
        if "generation" in metadata:
            metadata["generation"] += 1
    ends = {"deletionTimestamp": written(begun + timedelta(seconds=grace)), "deletionGracePeriodSeconds": grace}
    return {**found, "metadata": {**metadata, **ends, **({"finalizers": finalizers} if finalizers else {})}}


def _check_preconditions(resource: Resource, found: Object, options: DeleteOptions) -> None:
    metadata = found["metadata"]
    for name, wanted, actual in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.version, metadata["resourceVersion"]),
    ):
        if wanted and wanted != actual:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {actual}"
            raise ConflictError(resource.subject(metadata["name"]), why)
