"""The verbs: create, get, update, patch, apply, bind, delete; lists are in `watches`.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import copy
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from minipdk.services.kubernetes.errors import (
    AlreadyExistsError,
    BadRequestError,
    InvalidError,
    NotFoundError,
    TooLargeVersionError,
    invalid_value,
    required,
)
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.kinds.builtin.claims import CLAIMS
from minipdk.services.kubernetes.kinds.builtin.events import EVENTS
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.model import Object, Resource, Target, Unserved, shown
from minipdk.services.kubernetes.registry.admission import require_namespace, require_service_account
from minipdk.services.kubernetes.registry.bodies import (
    SYSTEM_FIELDS,
    check_identity,
    check_name,
    check_no_identity,
    need_name,
    read_object,
    stored_form,
    without_system_fields,
)
from minipdk.services.kubernetes.registry.deletion import DeleteOptions, Deleter, EventExpiry
from minipdk.services.kubernetes.registry.managed_fields import apply_configuration, equal_except_times, track_update
from minipdk.services.kubernetes.registry.metadata import no_added_finalizers, validate_metadata
from minipdk.services.kubernetes.registry.typed_patches import check_typed
from minipdk.services.kubernetes.registry.volumes import Volumes
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import now

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LONGEST_GENERATED = 58


@dataclass(frozen=True)
class WriteOptions:
    """A write request's parameters.

    ``validation``: unknown fields are refused (Strict), reported as warnings (Warn) or dropped silently (Ignore).
    """

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)
    """Sentences for the client; filled in by the registry."""


class _RolledBackError(Exception):
    """Ends a dry run's transaction."""


class Registry:
    """The objects of a cluster as requests see them. Its methods raise `errors.ApiError`.

    They return objects as these are stored; bodies are in the form of the request's kind, which may show another kind's
    objects.
    """

    def __init__(self, store: ObjectStore, volumes: Path) -> None:
        """``volumes`` is the folder for the claims' volumes."""
        self.store, self.volumes = store, Volumes(store, volumes)
        self._deleter = Deleter(store)
        self.expiry = EventExpiry(store)

    def get(self, target: Target, not_older: int | None = None) -> Object:
        """The object as it is now. Raises TooLargeVersionError if the version ``not_older`` is in the future."""
        if not_older and not_older > (version := self.store.version):
            raise TooLargeVersionError(not_older, version)
        target = target.stored
        stored = self.store.get(target.resource, target.namespace, target.name)
        if stored is None:
            raise NotFoundError(target.subject)
        return stored

    def create(self, resource: Resource, namespace: str, body: Object, options: WriteOptions) -> Object:
        """Store a new object and return it."""
        body = stored_form(resource, body)
        if resource.stored_as and (causes := list(resource.strategy.validate(body))):
            raise InvalidError(resource.stored.invalid_subject((body.get("metadata") or {}).get("name", "")), causes)
        resource = resource.stored
        with self.writing(dry_run=options.dry_run):
            require_namespace(self.store, resource, namespace, body)
            created = self.store.put(resource, self._new(resource, namespace, body, options), None)
            self._after_create(resource, created, options)
        return _answered(created, None, dry_run=options.dry_run)

    def update(self, target: Target, body: Object, options: WriteOptions) -> Object:
        """Replace an object, or its status alone if that is the target."""
        target, body = target.stored, stored_form(target.resource, body)
        resource = target.resource
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            if resource.custom and not (body.get("metadata") or {}).get("resourceVersion"):
                cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
                raise InvalidError(resource.invalid_subject(target.name), [cause])
            return self._store_update(target, old, self._read_part(target, old, body, options), options)

    def change(self, target: Target, edit: Callable[[Object], Object], options: WriteOptions) -> Object:
        """Patch an object: replace it by the result of ``edit``, which gets a copy in the form of the target's kind."""
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            edited = stored_form(target.resource, edit(shown(target.resource, copy.deepcopy(old))))
            target = target.stored
            return self._store_update(target, old, self._read_part(target, old, edited, options), options)

    @contextmanager
    def writing(self, *, dry_run: bool = False) -> Iterator[None]:
        """One transaction. A dry run rolls it back at the end."""
        try:
            with self.store.transaction():
                yield
                if dry_run:
                    raise _RolledBackError
        except _RolledBackError:
            pass

    def apply(self, target: Target, body: Object, options: WriteOptions) -> tuple[Object, bool]:
        """Server-side apply; the object, and whether it was created."""
        target, body = target.stored, stored_form(target.resource, body)
        resource = target.resource
        check_typed(resource, body)
        applied = read_object(resource, target.namespace, body, options.validation, options.warnings, named=True)
        check_name(applied["metadata"], target.name)
        if applied["metadata"].get("managedFields") is not None:
            raise BadRequestError("metadata.managedFields must be nil")
        if target.part:
            applied = {key: applied[key] for key in ("apiVersion", "kind", target.part) if key in applied}
        elif resource.has_status:
            applied.pop("status", None)
        with self.writing(dry_run=options.dry_run):
            old, metadata = self.store.get(resource, target.namespace, target.name), applied.get("metadata") or {}
            if old is None:
                return self._create_applied(target, applied, options), True
            check_identity(resource, old, metadata)
            new = apply_configuration(resource, old, applied, options.manager, force=options.force, part=target.part)
            return self._store_update(target, old, new, options, track=False), False

    def bind(self, target: Target, binding: Object, options: WriteOptions) -> None:
        """Assign a pod to the node that ``binding`` names, which its kubelet watches for."""
        with self.writing(dry_run=options.dry_run):
            pod = self.get(target)
            check_identity(target.resource, pod, binding.get("metadata") or {})
            self.store.put(target.resource, pods.bound(pod, binding), pod)

    def delete(self, target: Target, options: DeleteOptions) -> tuple[Object, bool]:
        """The object in its last state, and whether it is gone: it may wait for finalizers or for its node."""
        target = target.stored
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            deleted, gone = self._deleter.delete(target.resource, old, options)
        return _answered(deleted, old, dry_run=options.dry_run), gone

    def _after_create(self, resource: Resource, created: Object, options: WriteOptions) -> None:
        self._deleter.collect_orphan(resource, created)
        if resource is CLAIMS and not options.dry_run:
            self.volumes.provide(created)
        elif unserved := _unserved(resource, created):
            options.warnings.append(unserved.message)
            event = _unserved_event(resource, created, unserved.message)
            self.create(EVENTS, event["metadata"]["namespace"], event, WriteOptions(manager="minipdk"))

    def _create_applied(self, target: Target, applied: Object, options: WriteOptions) -> Object:
        if target.part:
            raise NotFoundError(target.subject)
        resource = target.resource
        require_namespace(self.store, resource, target.namespace, applied)
        check_no_identity(resource, target.name, applied["metadata"])
        metadata = {**without_system_fields(applied["metadata"]), "name": target.name}
        metadata.pop("resourceVersion", None)
        applied = {**applied, "metadata": metadata}
        new = self._new(resource, target.namespace, applied, options, track=False)
        merged = apply_configuration(resource, new, applied, options.manager, force=True)
        resource.strategy.default(merged)
        created = self.store.put(resource, merged, None)
        self._after_create(resource, created, options)
        return _answered(created, None, dry_run=options.dry_run)

    def _read_part(self, target: Target, old: Object, body: Object, options: WriteOptions) -> Object:
        """``body`` as an object. An update of the status takes every other field from ``old``."""
        if target.part == "status":
            written: Object = {key: body[key] for key in ("apiVersion", "kind", "metadata", "status") if key in body}
            body = {**{key: value for key, value in old.items() if key != "status"}, **written}
        item = read_object(target.resource, target.namespace, body, options.validation, options.warnings)
        need_name(item["metadata"], target.name)
        return item

    def _new(self, resource: Resource, namespace: str, body: Object, options: WriteOptions, *, track: bool = True) -> Object:
        metadata = dict(body.get("metadata") or {})
        if metadata.get("resourceVersion"):
            raise BadRequestError("resourceVersion should not be set on objects to be created")
        metadata = without_system_fields(metadata)
        metadata.pop("managedFields", None)
        new = copy.deepcopy(
            read_object(resource, namespace, {**body, "metadata": metadata}, options.validation, options.warnings)
        )
        metadata = new["metadata"]
        if not metadata.get("name"):
            metadata["name"] = self._generated_name(resource, namespace, metadata)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        resource.strategy.default(new)
        if resource.has_generation:
            metadata["generation"] = 1
        if resource.has_status:
            new.pop("status", None)
            if status := _initial_status(resource, new):
                new["status"] = status
        require_service_account(self.store, resource, new)
        self._validate(resource, new)
        if self.store.get(resource, metadata.get("namespace", ""), metadata["name"]):
            raise AlreadyExistsError(resource.subject(metadata["name"]))
        return track_update(resource, None, new, options.manager) if track else new

    def _generated_name(self, resource: Resource, namespace: str, metadata: Object) -> str:
        prefix = metadata.get("generateName")
        if not prefix:
            raise InvalidError(resource.invalid_subject(), [required("metadata.name", "name or generateName is required")])
        while True:
            name = prefix[:LONGEST_GENERATED] + "".join(secrets.choice(NAME_ALPHABET) for _ in range(5))
            if not self.store.get(resource, namespace if resource.namespaced else "", name):
                return str(name)

    def _store_update(
        self, target: Target, old: Object, new: Object, options: WriteOptions, *, track: bool = True
    ) -> Object:
        resource, part = target.resource, target.part
        metadata = new["metadata"]
        name = old["metadata"]["name"]
        check_identity(resource, old, metadata)
        if part == "status":
            managers = new["metadata"].get("managedFields", old["metadata"].get("managedFields"))
            kept = {**old["metadata"], **({"managedFields": managers} if managers else {})}
            new = {**old, "metadata": kept, **({"status": new["status"]} if "status" in new else {})}
        else:
            system = {key: old["metadata"][key] for key in SYSTEM_FIELDS if key in old["metadata"]}
            new = {**new, "metadata": {**without_system_fields(metadata), **system, "name": name}}
            if resource.has_status:
                new.pop("status", None)
                new |= {"status": old["status"]} if "status" in old else {}
            resource.strategy.default(new)
            self._validate(resource, new, old)
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}}
        if resource.has_generation and part != "status" and _content(old) != _content(new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            if unserved := _unserved(resource, new):
                options.warnings.append(unserved.message)
                new["status"] = {**(new.get("status") or {}), **unserved.status(new, unserved.message)}
        if track:
            new = track_update(resource, old, new, options.manager, part)
        if equal_except_times(new, old):
            return old
        stored = self.store.put(resource, new, old)
        if resource is PODS and not pods.is_running(stored):
            self._deleter.release_claims(stored)
        if not self._deleter.remove_if_done(resource, stored) and _owners(old) != _owners(stored):
            self._deleter.collect_orphan(resource, stored)
        return _answered(stored, old, dry_run=options.dry_run)

    def _validate(self, resource: Resource, new: Object, old: Object | None = None) -> None:
        rules = resource.strategy
        causes = [*validate_metadata(resource, new["metadata"]), *rules.validate(new)]
        if old is not None:
            causes += [*no_added_finalizers(old, new), *rules.validate_update(old, new)]
        if causes:
            raise InvalidError(resource.invalid_subject(new["metadata"]["name"]), causes)
        if old is None or not old["metadata"].get("deletionTimestamp"):  # a webhook must not prevent a deletion
            rules.admit(new, lambda: self.store.select(resource, new["metadata"].get("namespace", ""))[0], old)


def _initial_status(resource: Resource, new: Object) -> Object:
    unserved = _unserved(resource, new)
    return unserved.status(new, unserved.message) if unserved else resource.strategy.initial_status(new)


def _unserved(resource: Resource, new: Object) -> Unserved | None:
    """Set if no controller acts on the object: a client made it, and minipdk has no controller for its kind."""
    return None if _owners(new) else resource.strategy.unserved


def _unserved_event(resource: Resource, created: Object, message: str) -> Object:
    """The event by which `kubectl describe` shows that no controller acts on ``created``."""
    metadata = created["metadata"]
    about = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
    return {
        "metadata": {"name": f"{metadata['name'][:230]}.{time.time_ns():x}", "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": resource.api_version, "kind": resource.kind, **about},
        "reason": "NotSupported",
        "message": message,
        "type": "Warning",
        "source": {"component": "minipdk"},
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "count": 1,
    }


def _owners(item: Object) -> list[Object]:
    return item["metadata"].get("ownerReferences") or []


def _content(item: Object) -> Object:
    return {key: value for key, value in item.items() if key not in ("metadata", "status")}


def _answered(written: Object, old: Object | None, *, dry_run: bool) -> Object:
    """``written`` for the answer. A dry run makes no version, so the object keeps that of ``old``, if any."""
    if not dry_run:
        return written
    metadata = {key: value for key, value in written["metadata"].items() if key != "resourceVersion"}
    if old:
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    return {**written, "metadata": metadata}
