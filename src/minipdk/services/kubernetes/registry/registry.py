"""The verbs: create, get, list, update, patch, delete. Every rule that an object passes on its way to the store is here.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from __future__ import annotations

import copy
import secrets
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
from minipdk.services.kubernetes.kinds.builtin import claims, pods
from minipdk.services.kubernetes.kinds.builtin.events import EventExpiry
from minipdk.services.kubernetes.kinds.strategies import Strategy, strategy
from minipdk.services.kubernetes.kinds.table import CLAIMS, EVENTS, PODS
from minipdk.services.kubernetes.kinds.validation import not_more_finalizers, validate_metadata
from minipdk.services.kubernetes.model import Object, Resource, Target
from minipdk.services.kubernetes.registry import not_run
from minipdk.services.kubernetes.registry.admission import require_namespace, require_service_account
from minipdk.services.kubernetes.registry.bodies import (
    SYSTEM_FIELDS,
    check_identity,
    check_name,
    check_no_identity,
    need_name,
    read_object,
    without_system_fields,
)
from minipdk.services.kubernetes.registry.deletion import DeleteOptions, Deleter
from minipdk.services.kubernetes.registry.managed_fields import apply_configuration, track_update
from minipdk.services.kubernetes.registry.managers import same_but_for_times
from minipdk.services.kubernetes.registry.volumes import Volumes
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import now

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LONGEST_GENERATED = 58


@dataclass(frozen=True)
class WriteOptions:
    """A write request's parameters. ``validation``: whether an unknown field is refused, warned of or dropped silently."""

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)
    """What the client is to be warned of; filled in by the registry."""


class _RolledBackError(Exception):
    """Ends a dry run's transaction."""


class Registry:
    """The objects of a cluster as requests see them. Its methods raise `errors.ApiError`."""

    def __init__(self, store: ObjectStore, volumes: Path) -> None:
        """``volumes`` is the folder of the claims' volumes."""
        self.store, self.volumes = store, Volumes(store, volumes)
        self._deleter = Deleter(store)
        self._expiry = EventExpiry(store)

    def get(self, target: Target, not_older: int | None = None) -> Object:
        """The object as it is now. Raises TooLargeVersionError if the version ``not_older`` has not been yet."""
        if not_older and not_older > (version := self.store.version):
            raise TooLargeVersionError(not_older, version)
        found = self.store.get(target.resource, target.namespace, target.name)
        if found is None:
            raise NotFoundError(target.subject)
        return found

    def create(self, resource: Resource, namespace: str, body: Object, options: WriteOptions) -> Object:
        """Store a new object and return it."""
        with self.writing(dry_run=options.dry_run):
            require_namespace(self.store, resource, namespace, body)
            created = self.store.put(resource, self._new(resource, namespace, body, options), None)
            self._after_create(resource, created, options)
        return _answered(created, None, dry_run=options.dry_run)

    def update(self, target: Target, body: Object, options: WriteOptions) -> Object:
        """Replace an object, or where the target is its status, that alone."""
        resource = target.resource
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            if resource.custom and not (body.get("metadata") or {}).get("resourceVersion"):
                cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
                raise InvalidError(resource.invalid_subject(target.name), [cause])
            return self._store_update(target, old, self._read_part(target, old, body, options), options)

    def change(self, target: Target, edit: Callable[[Object], Object], options: WriteOptions) -> Object:
        """Replace an object by what ``edit`` makes of it: a patch."""
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            edited = edit(copy.deepcopy(old))
            return self._store_update(target, old, self._read_part(target, old, edited, options), options)

    @contextmanager
    def writing(self, *, dry_run: bool = False) -> Iterator[None]:
        """One transaction; everything in it is undone at the end of a dry run."""
        try:
            with self.store.transaction():
                yield
                if dry_run:
                    raise _RolledBackError
        except _RolledBackError:
            pass

    def apply(self, target: Target, body: Object, options: WriteOptions) -> tuple[Object, bool]:
        """Server-side apply; the object, and whether it was created."""
        resource = target.resource
        applied = read_object(resource, target.namespace, body, options.validation, options.warnings, named=True)
        check_name(applied["metadata"], target.name)
        if applied["metadata"].get("managedFields"):
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
        """The object in its last state, and whether it is gone already or waits for finalizers or for its node."""
        with self.writing(dry_run=options.dry_run):
            old = self.get(target)
            found, gone = self._deleter.delete(target.resource, old, options)
        return _answered(found, old, dry_run=options.dry_run), gone

    def _after_create(self, resource: Resource, created: Object, options: WriteOptions) -> None:
        self._deleter.collect_orphan(resource, created)
        if resource is EVENTS:
            self._expiry.forget_old()
        elif resource is CLAIMS and not options.dry_run:
            self.volumes.provide(created)
        elif message := not_run.why(resource, created):
            options.warnings.append(message)
            event = not_run.event(resource, created)
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
        strategy(resource).default(merged)
        created = self.store.put(resource, merged, None)
        self._after_create(resource, created, options)
        return _answered(created, None, dry_run=options.dry_run)

    def _read_part(self, target: Target, old: Object, body: Object, options: WriteOptions) -> Object:
        """``body`` read; a status comes with the rest of ``old``, whatever else the body says."""
        if target.part == "status":
            shown: Object = {key: body[key] for key in ("apiVersion", "kind", "metadata", "status") if key in body}
            body = {**{key: value for key, value in old.items() if key != "status"}, **shown}
        found = read_object(target.resource, target.namespace, body, options.validation, options.warnings)
        need_name(found["metadata"], target.name)
        return found

    def _new(self, resource: Resource, namespace: str, body: Object, options: WriteOptions, *, track: bool = True) -> Object:
        rules = strategy(resource)
        metadata = dict(body.get("metadata") or {})
        if metadata.get("resourceVersion"):
            raise BadRequestError("resourceVersion should not be set on objects to be created")
        metadata = without_system_fields(metadata)
        metadata.pop("managedFields", None)
        found = copy.deepcopy(
            read_object(resource, namespace, {**body, "metadata": metadata}, options.validation, options.warnings)
        )
        metadata = found["metadata"]
        if not metadata.get("name"):
            metadata["name"] = self._generated_name(resource, namespace, metadata)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        rules.default(found)
        if rules.generation:
            metadata["generation"] = 1
        if resource.has_status:
            found.pop("status", None)
            if status := _initial_status(resource, found):
                found["status"] = status
        require_service_account(self.store, resource, found)
        self._validate(resource, rules, found)
        if self.store.get(resource, metadata.get("namespace", ""), metadata["name"]):
            raise AlreadyExistsError(resource.subject(metadata["name"]))
        return track_update(resource, None, found, options.manager) if track else found

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
        rules, metadata = strategy(resource), new["metadata"]
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
            rules.default(new)
            self._validate(resource, rules, new, old)
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}}
        if rules.generation and part != "status" and _content(old) != _content(new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            if status := not_run.status(resource, new):
                options.warnings.append(not_run.why(resource, new))
                new["status"] = {**(new.get("status") or {}), **status}
        if track:
            new = track_update(resource, old, new, options.manager, part)
        if same_but_for_times(new, old):
            return old
        stored = self.store.put(resource, new, old)
        if resource is PODS and not pods.is_running(stored):
            self._deleter.release_claims(stored)
        if not self._deleter.remove_if_done(resource, stored) and _owners(old) != _owners(stored):
            self._deleter.collect_orphan(resource, stored)
        return _answered(stored, old, dry_run=options.dry_run)

    def _validate(self, resource: Resource, rules: Strategy, found: Object, old: Object | None = None) -> None:
        causes = [*validate_metadata(resource, found["metadata"]), *rules.validate(found)]
        if old is not None:
            causes += [*not_more_finalizers(old, found), *rules.validate_update(old, found)]
        if causes:
            raise InvalidError(resource.invalid_subject(found["metadata"]["name"]), causes)
        if old is None or not old["metadata"].get("deletionTimestamp"):  # a webhook must not keep an object from going away
            rules.admit(found, lambda: self.store.select(resource, found["metadata"].get("namespace", ""))[0])


def _initial_status(resource: Resource, found: Object) -> Object:
    if resource is PODS:
        return pods.initial_status(found)
    if resource is CLAIMS:
        return claims.initial_status(found)
    known: dict[str, Object] = {"Namespace": {"phase": "Active"}, "Service": {"loadBalancer": {}}}
    return known.get(resource.kind) or not_run.status(resource, found)


def _owners(found: Object) -> list[Object]:
    return found["metadata"].get("ownerReferences") or []


def _content(found: Object) -> Object:
    return {key: value for key, value in found.items() if key not in ("metadata", "status")}


def _answered(written: Object, old: Object | None, *, dry_run: bool) -> Object:
    """``written`` as the client is told of it: a dry run makes no version, so the object has that of ``old``, if any."""
    if not dry_run:
        return written
    metadata = {key: value for key, value in written["metadata"].items() if key != "resourceVersion"}
    if old:
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    return {**written, "metadata": metadata}
