"""Deletion: finalizers, the grace period of pods, dependents, the contents of a namespace, and the expiry of events.

A deletion removes everything that depends on the object in one transaction, so no crash leaves a dependent without its
owner. Rules: https://kubernetes.io/docs/concepts/architecture/garbage-collection/.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from minipdk.services.kubernetes.errors import ConflictError, ForbiddenError
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.kinds.builtin.claims import CLAIMS, PROTECTION, VOLUMES, claims_of
from minipdk.services.kubernetes.kinds.builtin.events import EVENTS, last_written
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.kinds.table import BY_KEY
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import now, parse, written

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
PROTECTED_NAMESPACES = ("default", "kube-system")
LONGEST_GRACE = (1 << 31) - 1
"""A longer grace period could give a deletionTimestamp after the year 9999."""
EVENT_LIFETIME = timedelta(hours=1)
EXPIRE_EVERY = 60.0


@dataclass(frozen=True)
class DeleteOptions:
    """The options of a DELETE: ``policy`` is Background, Foreground or Orphan; ``uid`` and ``version`` are preconditions.

    ``grace`` is the time in seconds that a pod has to end; None is the pod's own.
    """

    dry_run: bool = False
    policy: str = "Background"
    uid: str = ""
    version: str = ""
    grace: int | None = None


class Deleter:
    """Deletes from the store. Every method is called within the store's transaction."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def delete(self, resource: Resource, old: Object, options: DeleteOptions) -> tuple[Object, bool]:
        """The object in its last state, and whether it is gone: it may wait for finalizers or for its node."""
        _check_preconditions(resource, old, options)
        metadata = old["metadata"]
        if resource is NAMESPACES:
            return self._delete_namespace(old)
        grace = _grace(resource, old, options)
        finalizers = list(metadata.get("finalizers") or ())
        if resource is CLAIMS and PROTECTION in finalizers and not self._is_used(old):
            finalizers.remove(PROTECTION)
        if options.policy == "Foreground" and FOREGROUND not in finalizers and self._blocking(metadata["uid"]):
            finalizers.append(FOREGROUND)
        if options.policy == "Orphan":
            self._orphan(metadata["uid"])
        if not finalizers and not grace:
            self._remove(resource, old)
            return old, True
        marked = old
        if not metadata.get("deletionTimestamp") or grace != metadata["deletionGracePeriodSeconds"]:
            marked = self._store.put(resource, _marked(old, finalizers, grace), old)
        if FOREGROUND in finalizers:
            self._delete_dependents(metadata["uid"], "Foreground")
            current = self._store.by_uid(metadata["uid"])
            return (current[1], False) if current else (marked, True)
        return marked, False

    def remove_if_done(self, resource: Resource, old: Object) -> bool:
        """Remove an object that is being deleted, if it has no finalizers left and waits for no node."""
        metadata = old["metadata"]
        waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        if resource is NAMESPACES or not metadata.get("deletionTimestamp") or waits:
            return False
        self._remove(resource, old)
        return True

    def release_claims(self, pod: Object) -> None:
        """Remove the claims that are being deleted and were kept for ``pod`` alone, which has ended."""
        for name in claims_of(pod):
            claim = self._store.get(CLAIMS, pod["metadata"]["namespace"], name)
            if claim and claim["metadata"].get("deletionTimestamp") and not self._is_used(claim):
                kept = [finalizer for finalizer in claim["metadata"]["finalizers"] if finalizer != PROTECTION]
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
        """Remove an object if all its owners are gone, never existed, or are being deleted in the foreground."""
        owners = written["metadata"].get("ownerReferences") or ()
        if owners and not any(self._is_there(owner, written) and not self._is_waiting(owner) for owner in owners):
            self.delete(resource, written, DeleteOptions())

    def _is_waiting(self, owner: Object) -> bool:
        """Whether ``owner`` is being deleted in the foreground."""
        stored = self._store.by_uid(owner["uid"])
        metadata = stored[1]["metadata"] if stored else {}
        return "deletionTimestamp" in metadata and FOREGROUND in (metadata.get("finalizers") or ())

    def _is_there(self, owner: Object, dependent: Object) -> bool:
        """Whether ``owner`` exists, with its uid, kind and name, in the dependent's namespace if it has one."""
        stored = self._store.by_uid(owner["uid"])
        if stored is None:
            return False
        resource, metadata = BY_KEY[stored[0]], stored[1]["metadata"]
        same_place = not resource.namespaced or metadata["namespace"] == dependent["metadata"].get("namespace")
        return same_place and (resource.kind, metadata["name"]) == (owner["kind"], owner["name"])

    def finish_namespace(self, name: str) -> None:
        """Remove a namespace that is being deleted and is empty."""
        namespace = self._store.get(NAMESPACES, "", name)
        if not namespace or not namespace["metadata"].get("deletionTimestamp") or self._store.in_namespace(name):
            return
        if not (namespace.get("spec") or {}).get("finalizers") or namespace["spec"]["finalizers"] == ["kubernetes"]:
            self._store.remove(NAMESPACES, namespace)

    def _delete_namespace(self, old: Object) -> tuple[Object, bool]:
        name = old["metadata"]["name"]
        if name in PROTECTED_NAMESPACES:
            subject = NAMESPACES.subject(name)
            raise ForbiddenError(f'{subject.qualified} "{name}" is forbidden: this namespace may not be deleted', subject)
        marked = old
        if not old["metadata"].get("deletionTimestamp"):
            metadata = {**old["metadata"], "deletionTimestamp": now()}
            marked = self._store.put(NAMESPACES, {**old, "metadata": metadata, "status": {"phase": "Terminating"}}, old)
        for key, content in self._store.in_namespace(name):
            if self._store.by_uid(content["metadata"]["uid"]):  # it may be gone with its owner
                self.delete(BY_KEY[key], content, DeleteOptions())
        self.finish_namespace(name)
        return marked, self._store.get(NAMESPACES, "", name) is None

    def _remove(self, resource: Resource, old: Object) -> None:
        self._store.remove(resource, old)
        if resource is PODS:
            self.release_claims(old)
        elif resource is CLAIMS and (volume := self._store.get(VOLUMES, "", old["spec"]["volumeName"])):
            self._store.remove(VOLUMES, volume)
        self._delete_dependents(old["metadata"]["uid"], "Background")
        for owner in old["metadata"].get("ownerReferences") or ():
            self._release_owner(owner["uid"])
        if namespace := old["metadata"].get("namespace"):
            self.finish_namespace(namespace)

    def _delete_dependents(self, owner: str, policy: str) -> None:
        """Delete the objects that ``owner`` alone owns; remove it from the owners of the others."""
        for key, dependent in self._store.dependents(owner):
            current = self._store.by_uid(dependent["metadata"]["uid"])
            if current is None:
                continue
            others = [other for other in current[1]["metadata"]["ownerReferences"] if other["uid"] != owner]
            if any(self._is_there(other, current[1]) for other in others):
                self._put_owners(BY_KEY[key], current[1], others)
            elif not current[1]["metadata"].get("deletionTimestamp"):
                self.delete(BY_KEY[key], current[1], DeleteOptions(policy=policy))

    def _orphan(self, owner: str) -> None:
        for key, dependent in self._store.dependents(owner):
            others = [other for other in dependent["metadata"]["ownerReferences"] if other["uid"] != owner]
            self._put_owners(BY_KEY[key], dependent, others)

    def _put_owners(self, resource: Resource, old: Object, owners: list[Object]) -> None:
        metadata = {key: value for key, value in old["metadata"].items() if key != "ownerReferences"}
        if owners:
            metadata["ownerReferences"] = owners
        self._store.put(resource, {**old, "metadata": metadata}, old)

    def _blocking(self, owner: str) -> bool:
        """Whether the deletion of the owner must wait for a dependent."""
        return any(
            reference["uid"] == owner and reference.get("blockOwnerDeletion")
            for _, dependent in self._store.dependents(owner)
            for reference in dependent["metadata"]["ownerReferences"]
        )

    def _release_owner(self, uid: str) -> None:
        """Remove an owner that is being deleted in the foreground, if no dependent blocks it any longer."""
        stored = self._store.by_uid(uid)
        if stored is None or FOREGROUND not in (stored[1]["metadata"].get("finalizers") or ()) or self._blocking(uid):
            return
        resource, owner = BY_KEY[stored[0]], stored[1]
        finalizers = [finalizer for finalizer in owner["metadata"]["finalizers"] if finalizer != FOREGROUND]
        metadata = {key: value for key, value in owner["metadata"].items() if key != "finalizers"}
        if finalizers:
            metadata["finalizers"] = finalizers
        released = self._store.put(resource, {**owner, "metadata": metadata}, owner)
        self.remove_if_done(resource, released)


class EventExpiry:
    """Deletes events an hour after they were last written, whether or not their objects exist, as a real API server does."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def remove_old(self, at: datetime) -> None:
        """Remove the events that have expired at the time ``at``."""
        expired = [event for event in self._store.select(EVENTS, "")[0] if last_written(event, at) < at - EVENT_LIFETIME]
        with self._store.transaction():
            for event in expired:
                if self._store.by_uid(event["metadata"]["uid"]) == (EVENTS.key, event):  # not written meanwhile
                    self._store.remove(EVENTS, event)

    def keep_removing(self, stopping: threading.Event) -> None:
        """Remove expired events now, and every minute from a background thread."""

        def remove() -> None:
            self.remove_old(datetime.now(UTC))
            while not stopping.wait(EXPIRE_EVERY):
                self.remove_old(datetime.now(UTC))

        threading.Thread(target=remove, daemon=True, name="expire events").start()


def _grace(resource: Resource, old: Object, options: DeleteOptions) -> int:
    """The seconds that the object has to end on its node. A second deletion can only shorten them."""
    if resource is not PODS:
        return 0
    known = old["metadata"].get("deletionGracePeriodSeconds")
    if known is None:
        return min(pods.grace_period(old, options.grace), LONGEST_GRACE)
    return int(known) if options.grace is None else min(known, options.grace)


def _marked(old: Object, finalizers: list[str], grace: int) -> Object:
    """``old`` with the time by which it must have ended: the time of the deletion plus the grace period."""
    metadata = dict(old["metadata"])
    if "deletionTimestamp" in metadata:
        begun = parse(metadata["deletionTimestamp"]) - timedelta(seconds=metadata["deletionGracePeriodSeconds"])
    else:
        begun = datetime.now(UTC)
        if "generation" in metadata:
            metadata["generation"] += 1
    ends = {"deletionTimestamp": written(begun + timedelta(seconds=grace)), "deletionGracePeriodSeconds": grace}
    return {**old, "metadata": {**metadata, **ends, **({"finalizers": finalizers} if finalizers else {})}}


def _check_preconditions(resource: Resource, old: Object, options: DeleteOptions) -> None:
    metadata = old["metadata"]
    for name, expected, actual in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.version, metadata["resourceVersion"]),
    ):
        if expected and expected != actual:
            why = f"Precondition failed: {name} in precondition: {expected}, {name} in object meta: {actual}"
            raise ConflictError(resource.subject(metadata["name"]), why)
