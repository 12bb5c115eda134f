"""Lists and watches: what matches a selector now, and every change from there on.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from minipdk.services.kubernetes.api.negotiation import Form
from minipdk.services.kubernetes.api.queries import is_set, number
from minipdk.services.kubernetes.errors import (
    ApiError,
    BadRequestError,
    Cause,
    ExpiredError,
    InvalidError,
    Subject,
    TooLargeVersionError,
    forbidden,
    unsupported_value,
)
from minipdk.services.kubernetes.model import Object, Resource, Target
from minipdk.services.kubernetes.registry.selectors import Predicate, field_selector, label_selector, selected_name
from minipdk.services.kubernetes.store import Change, ObjectStore, place

SHORTEST_WATCH = 1800
BOOKMARK_EVERY = 60.0
EXACT, NOT_OLDER = "Exact", "NotOlderThan"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Event = tuple[str, Object]


@dataclass(frozen=True)
class ListOptions:
    """The query of a list or a watch. ``version`` is None when the client names no resourceVersion.

    ``exact``: the list must be as it was at ``version``; else it may be newer. ``name`` is the only one that can match, if
    not "".
    """

    matches: Predicate
    name: str = ""
    version: int | None = None
    limit: int = 0
    after: tuple[str, str] | None = None
    timeout: float | None = None
    bookmarks: bool = False
    initial_events: bool | None = None
    exact: bool = False

    @classmethod
    def read(cls, target: Target, query: Mapping[str, str]) -> ListOptions:
        """Raises BadRequestError and InvalidError for parameters that mean nothing, alone or together."""
        labels = label_selector(query.get("labelSelector", ""))
        fields = field_selector(target.resource, query.get("fieldSelector", ""))
        version, after, timeout = number(query, "resourceVersion"), None, number(query, "timeoutSeconds")
        limit, match = number(query, "limit") or 0, query.get("resourceVersionMatch", "")
        if causes := list(_wrong_match(query)):
            raise InvalidError(Subject("meta.k8s.io", "ListOptions"), causes)
        if token := query.get("continue"):
            if version:
                raise BadRequestError("specifying resource version is not allowed when using continue")
            after, version = _read_continue(token)
        return cls(
            matches=lambda found: labels(found) and fields(found),
            name=selected_name(query.get("fieldSelector", "")),
            version=version,
            limit=limit,
            after=after,
            timeout=float(timeout) if timeout else None,
            bookmarks=is_set(query, "allowWatchBookmarks"),
            exact=bool(version) and (match == "Exact" or after is not None or (limit > 0 and not match)),
            initial_events=is_set(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        )


def _wrong_match(query: Mapping[str, str]) -> Iterator[Cause]:
    """What is wrong with resourceVersionMatch beside the query's other parameters."""
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


def list_objects(store: ObjectStore, target: Target, options: ListOptions) -> tuple[list[Object], Object]:
    """The matching objects and the list's metadata. Every page of a list is as the objects were at its first page."""
    try:
        items, version = store.select(
            target.resource, target.namespace, options.version if options.exact else None, options.name
        )
    except ExpiredError as error:
        if options.after is None:
            raise
        why = "The provided continue parameter is too old to display a consistent list result"
        raise ExpiredError(f"{why}: begin the list again without it") from error
    if options.version and options.version > version:
        raise TooLargeVersionError(options.version, version)
    matching = [item for item in items if options.matches(item)]
    metadata: Object = {"resourceVersion": str(version)}
    if options.after is not None:
        matching = [item for item in matching if place(item) > options.after]
    if options.limit and len(matching) > options.limit:
        page = matching[: options.limit]
        metadata["continue"] = _continue(place(page[-1]), version)
        metadata["remainingItemCount"] = len(matching) - options.limit
        return page, metadata
    return matching, metadata


async def watch(
    store: ObjectStore, target: Target, options: ListOptions, form: Form, stopping: asyncio.Event
) -> AsyncIterator[bytes]:
    """Events as lines of JSON until the client's timeout, an error, or ``stopping``."""
    header = True
    try:
        async for kind, found in _events(store, target, options, stopping):
            shown = found
            if kind != "BOOKMARK" or form.kind == "Table":
                shown = form.one(target.resource, found, header=header)
                header = False
            yield _line(kind, shown)
    except ApiError as error:
        yield _line("ERROR", error.status())


async def _events(store: ObjectStore, target: Target, options: ListOptions, stopping: asyncio.Event) -> AsyncIterator[Event]:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(woken.set)

    timeout = options.timeout or random.uniform(SHORTEST_WATCH, 2 * SHORTEST_WATCH)  # noqa: S311  # spreads reconnects
    ends, told = loop.time() + timeout, loop.time()
    with store.listening(wake):
        since = options.version or 0
        if _starts_with_state(options):
            items, since = store.select(target.resource, target.namespace, name=options.name)
            for item in filter(options.matches, items):
                yield "ADDED", item
            if options.initial_events and options.bookmarks:
                yield "BOOKMARK", _bookmark(target.resource, since, {INITIAL_EVENTS_END: "true"})
        while not stopping.is_set() and loop.time() < ends:
            woken.clear()
            changes, since = store.changes(target.resource, target.namespace, since)
            for change in changes:
                if event := _as_event(change, options.matches):
                    yield event
            if options.bookmarks and loop.time() - told > BOOKMARK_EVERY:
                yield "BOOKMARK", _bookmark(target.resource, since)
                told = loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(0.0, min(ends - loop.time(), BOOKMARK_EVERY)))


def _starts_with_state(options: ListOptions) -> bool:
    if options.initial_events is not None:
        return options.initial_events
    return not options.version


def _as_event(change: Change, matches: Predicate) -> Event | None:
    """The change as seen through a selector: an object that begins to match is ADDED, one that ceases is DELETED."""
    before = change.previous is not None and matches(change.previous)
    after = change.current is not None and matches(change.current)
    if change.current is not None and after:
        return ("MODIFIED" if before else "ADDED"), change.current
    return ("DELETED", change.last) if before else None


def _bookmark(resource: Resource, version: int, annotations: dict[str, str] | None = None) -> Object:
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def _line(kind: str, found: Object) -> bytes:
    return json.dumps({"type": kind, "object": found}, separators=(",", ":")).encode() + b"\n"


def _continue(place: tuple[str, str], version: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([*place, version]).encode()).decode().rstrip("=")


def _read_continue(token: str) -> tuple[tuple[str, str], int]:
    try:
        namespace, name, version = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return (str(namespace), str(name)), int(version)
    except (ValueError, TypeError) as error:
        raise BadRequestError("continue key is not valid: begin the list again without it") from error
