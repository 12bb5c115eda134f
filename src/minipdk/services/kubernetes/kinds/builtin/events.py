"""Events: how long they are kept, their rules, and their two forms.

They are kept as the core group has them; events.k8s.io shows and takes the same objects with other names for some fields.
Rules: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from minipdk.services.kubernetes.errors import BadRequestError, Cause, invalid_value, required
from minipdk.services.kubernetes.kinds.table import EVENTS, NEW_EVENTS
from minipdk.services.kubernetes.model import Object, Resource, Target
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import parse

KEPT = timedelta(hours=1)
LOOK_EVERY = 60.0
NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""What events.k8s.io calls the core group's fields."""
OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}
LONGEST = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
NEEDED = ("reportingComponent", "reportingInstance", "action", "reason")
"""What an event that has an eventTime must say."""


def kept(target: Target) -> Target:
    """The target by the kind that its objects are kept as."""
    return Target(EVENTS, target.namespace, target.name, target.part) if target.resource is NEW_EVENTS else target


def shown(resource: Resource, found: Object) -> Object:
    """An object as it is kept, in the form of ``resource``."""
    if resource is not NEW_EVENTS:
        return found
    renamed = {NEW_NAMES.get(name, name): value for name, value in found.items()}
    return {**renamed, "apiVersion": NEW_EVENTS.api_version}


def read(resource: Resource, body: Object) -> Object:
    """A body in the form of ``resource``, as it is kept. Raises BadRequestError."""
    if resource is not NEW_EVENTS:
        return body
    if body.get("apiVersion") not in (None, "", NEW_EVENTS.api_version):
        why = f"does not match the expected API version ({NEW_EVENTS.api_version})"
        raise BadRequestError(f"the API version in the data ({body['apiVersion']}) {why}")
    if unknown := [f'unknown field "{name}"' for name in body if name in NEW_NAMES]:
        raise BadRequestError(f"strict decoding error: {', '.join(unknown)}")
    return {**{OLD_NAMES.get(name, name): value for name, value in body.items()}, "apiVersion": EVENTS.api_version}


def default_event(event: Object) -> None:
    event.setdefault("type", "Normal")


def validate_event(event: Object) -> Iterator[Cause]:
    namespace, timed = event["metadata"].get("namespace"), bool(event.get("eventTime"))
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    fits = namespace in ("default", "kube-system")[: 1 + timed] if not about else timed or about == namespace
    if not fits:
        yield invalid_value("involvedObject.namespace", about, "does not match event.namespace")
    if timed:
        yield from (required(NEW_NAMES.get(name, name)) for name in NEEDED if not event.get(name))
        for name, longest in LONGEST.items():
            if len(event.get(name) or "") > longest:
                yield invalid_value(name, "", f"can have at most {longest} characters")


def validate_new_event(event: Object) -> Iterator[Cause]:
    """What is wrong with an event that is made in the newer form, beside what is wrong with any."""
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type") not in ("Normal", "Warning"):
        yield invalid_value("type", "", f"has invalid value: {event.get('type') or ''}")
    yield from (
        invalid_value(name, "", "needs to be unset")
        for name in ("firstTimestamp", "lastTimestamp", "count", "source")
        if event.get(name)
    )
    series = event.get("series")
    if series and series.get("count", 0) < 2:
        yield invalid_value("series.count", "", "should be at least 2")


class EventExpiry:
    """Forgets events after an hour, as a real API server does."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._looked = 0.0

    def forget_old(self) -> None:
        """Called within a transaction whenever an event is written; looks at most once a minute."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        oldest = datetime.now(UTC) - KEPT
        for event in self._store.select(EVENTS, "")[0]:
            if max(parse(last_seen(event)), parse(event["metadata"]["creationTimestamp"])) < oldest:
                self._store.remove(EVENTS, event)


def last_seen(event: Object) -> str:
    """When it happened last."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
