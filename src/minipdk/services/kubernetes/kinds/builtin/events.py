"""Events: their rules, and their two kinds.

They are stored as Events of the core group; events.k8s.io shows and takes the same objects with other names for some
fields. The registry deletes them after an hour. Rules: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minipdk.services.kubernetes.errors import Cause, invalid_value, required
from minipdk.services.kubernetes.kinds.columns import at, text
from minipdk.services.kubernetes.model import Cell, Column, Object, Resource, Strategy
from minipdk.services.kubernetes.times import age, is_time, parse

EVENTS_GROUP = "events.k8s.io"
NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""The names in events.k8s.io of the core group's fields."""
LONGEST = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
NEEDED = ("reportingComponent", "reportingInstance", "action", "reason")
"""Fields that are required of an event with an eventTime."""


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
    """The rules for an event that is created through events.k8s.io, in addition to `validate_event`."""
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


def _last_seen_at(event: Object) -> str:
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])


def last_written(event: Object, at: datetime) -> datetime:
    """When the event was written, by the server's clock up to the time ``at``; clients choose the times in an event."""
    metadata = event["metadata"]
    times = [metadata["creationTimestamp"], *(entry.get("time", "") for entry in metadata.get("managedFields") or ())]
    return max((time for time in map(parse, filter(is_time, times)) if time <= at), default=at)


def _last_seen(event: Object) -> Cell:
    return age(_last_seen_at(event))


def _first_seen(event: Object) -> Cell:
    return age(event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"))


def _about(event: Object) -> Cell:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _source(event: Object) -> Cell:
    component = at(event, "source", "component", default=event.get("reportingComponent", ""))
    host = at(event, "source", "host")
    return f"{component}, {host}" if host else str(component)


_COLUMNS = (
    Column("Last Seen", _last_seen),
    Column("Type", text("type", default="")),
    Column("Reason", text("reason", default="")),
    Column("Object", _about),
    Column("Subobject", text("involvedObject", "fieldPath", default=""), wide=True),
    Column("Source", _source, wide=True),
    Column("Message", lambda event: str(event.get("message", "")).strip()),
    Column("First Seen", _first_seen, wide=True),
    Column("Count", lambda event: at(event, "series", "count") or event.get("count") or 1, wide=True, kind="integer"),
    Column("Name", lambda event: event["metadata"]["name"], wide=True, format="name"),
)
_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_SELECTABLE = (*(f"involvedObject.{name}" for name in _ABOUT), "reason", "reportingComponent", "source", "type")

EVENTS = Resource(
    *("", "v1", "Event", "events", ("ev",)),
    model="CoreV1Event",
    description="What happened to an object, kept for an hour.",
    strategy=Strategy(default_event, validate_event),
    columns=_COLUMNS,
    selectable=_SELECTABLE,
)
NEW_EVENTS = Resource(
    *(EVENTS_GROUP, "v1", "Event", "events", ("ev",)),
    model="EventsV1Event",
    description="What happened to an object, kept for an hour; the core group's events in their newer form.",
    stored_as=EVENTS,
    renamed=NEW_NAMES,
    strategy=Strategy(validate=validate_new_event),
    columns=_COLUMNS,
    selectable=_SELECTABLE,
)
