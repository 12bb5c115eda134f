"""Kubernetes Events, by which `kubectl describe` and `kubectl get events` show a controller's work."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from minipdk.controller.api import UNAVAILABLE, Api, describe
from minipdk.controller.correlation import Correlator, Known, Occurrence
from minipdk.controller.errors import NotFoundError
from minipdk.controller.objects import EVENTS, Object

NORMAL, WARNING = "Normal", "Warning"
MAX_MESSAGE = 1024  # the API's own limit

log = logging.getLogger(__name__)


def now() -> str:
    """The time as Kubernetes writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """Writes events in the background, as the `Correlator` decides."""

    def __init__(self, api: Api, component: str, tasks: asyncio.TaskGroup) -> None:
        self._api, self._component, self._tasks = api, component, tasks
        self._correlator = Correlator(time.monotonic)
        self._writing = asyncio.Lock()

    def emit(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Record that ``reason`` (CamelCase) happened to the object ``about``; ``kind`` is NORMAL or WARNING."""
        metadata, seen = about["metadata"], now()
        occurrence = Occurrence(metadata["uid"], kind, reason, message[:MAX_MESSAGE])
        correlated = self._correlator.correlate(occurrence, lambda: Known(f"{metadata['name']}.{time.time_ns():x}", seen, 0))
        if correlated is None:
            return
        log.log(logging.WARNING if kind == WARNING else logging.INFO, "%s: %s: %s", _subject(about), reason, message)
        known, text = correlated
        event = {**_event(about, known, kind), "reason": reason, "message": text[:MAX_MESSAGE], "lastTimestamp": seen}
        event |= {"source": {"component": self._component}, "reportingComponent": self._component}
        self._tasks.create_task(self._write(event))

    async def _write(self, event: Object) -> None:
        metadata = event["metadata"]
        try:
            async with self._writing:  # in order, so that no count goes back
                await self._count(event) if event["count"] > 1 else await self._create(event)
        except UNAVAILABLE as error:
            # An event is news, not state: its loss harms nothing.
            log.info("event %s was not recorded: %s", metadata["name"], describe(error))

    async def _create(self, event: Object) -> None:
        await self._api.create(EVENTS, event["metadata"]["namespace"], event)

    async def _count(self, event: Object) -> None:
        metadata, changed = event["metadata"], {key: event[key] for key in ("count", "message", "lastTimestamp")}
        try:
            await self._api.patch(EVENTS, metadata["namespace"], metadata["name"], changed)
        except NotFoundError:  # it has expired
            await self._create(event)


def _event(about: Object, known: Known, kind: str) -> Object:
    metadata = about["metadata"]
    involved = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": known.name, "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": about["apiVersion"], "kind": about["kind"], **involved},
        "type": kind,
        "reportingInstance": "",
        "firstTimestamp": known.first,
        "count": known.count,
    }


def _subject(about: Object) -> str:
    return f"{about['kind']} {about['metadata']['namespace']}/{about['metadata']['name']}"
