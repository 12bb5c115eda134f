"""Lists and watches: the objects that match a selector now, and every change after that.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from minipdk.services.kubernetes.errors import ApiError, ExpiredError, TooLargeVersionError
from minipdk.services.kubernetes.messages import Form, failure
from minipdk.services.kubernetes.model import Object, Resource, Target
from minipdk.services.kubernetes.registry.selectors import Predicate
from minipdk.services.kubernetes.store import Change, ObjectStore, place

SHORTEST_WATCH = 1800
BOOKMARK_EVERY = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Event = tuple[str, Object]


@dataclass(frozen=True)
class ListOptions:
    """The query of a list or a watch. ``version`` is None when the client names no resourceVersion.

    ``exact``: the list must be as it was at ``version``; else it may be newer. ``name`` is the only name that can match,
    unless it is "". ``after`` is the place of the last object on the former page.
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


def list_objects(store: ObjectStore, target: Target, options: ListOptions) -> tuple[list[Object], Object]:
    """The matching objects and the list's metadata. All pages of a list show the objects at the version of the first."""
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
        metadata["continue"] = continue_token(place(page[-1]), version)
        metadata["remainingItemCount"] = len(matching) - options.limit
        return page, metadata
    return matching, metadata


async def watch(
    store: ObjectStore, target: Target, options: ListOptions, form: Form, stopping: asyncio.Event
) -> AsyncIterator[bytes]:
    """Events as lines of JSON until the client's timeout, an error, or ``stopping``."""
    header = True
    try:
        async for kind, item in _events(store, target, options, stopping):
            if kind == "BOOKMARK" and form.kind != "Table":
                yield _line(kind, item)
            else:
                yield _line(kind, form.one(target.resource, item, header=header))
                header = False
    except ApiError as error:
        yield _line("ERROR", failure(error))


async def _events(store: ObjectStore, target: Target, options: ListOptions, stopping: asyncio.Event) -> AsyncIterator[Event]:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended, and the watch with it
            loop.call_soon_threadsafe(woken.set)

    timeout = options.timeout or random.uniform(SHORTEST_WATCH, 2 * SHORTEST_WATCH)  # noqa: S311  # spreads reconnects
    ends, last_bookmark = loop.time() + timeout, loop.time()
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
            if options.bookmarks and loop.time() - last_bookmark > BOOKMARK_EVERY:
                yield "BOOKMARK", _bookmark(target.resource, since)
                last_bookmark = loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(0.0, min(ends - loop.time(), BOOKMARK_EVERY)))


def _starts_with_state(options: ListOptions) -> bool:
    if options.initial_events is not None:
        return options.initial_events
    return not options.version


def _as_event(change: Change, matches: Predicate) -> Event | None:
    """The change as seen through a selector: an object that starts to match is ADDED, one that stops is DELETED."""
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


def _line(kind: str, item: Object) -> bytes:
    return json.dumps({"type": kind, "object": item}, separators=(",", ":")).encode() + b"\n"


def continue_token(place: tuple[str, str], version: int) -> str:
    """The token of the page after ``place``; `api.options` reads it."""
    return base64.urlsafe_b64encode(json.dumps([*place, version]).encode()).decode().rstrip("=")
