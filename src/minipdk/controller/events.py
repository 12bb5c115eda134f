"""Kubernetes Events, by which `kubectl describe` and `kubectl get events` show a controller's work."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from minipdk.controller.api import UNAVAILABLE, Api, describe
from minipdk.controller.objects import EVENTS, Object

NORMAL, WARNING = "Normal", "Warning"
MAX_MESSAGE = 1024  # the API's own limit
REMEMBERED = 1000

log = logging.getLogger(__name__)


def now() -> str:
    """The time as Kubernetes writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """Writes events in the background. A repeated event is counted, not written again."""

    def __init__(self, api: Api, component: str, tasks: asyncio.TaskGroup) -> None:
        self._api, self._component, self._tasks = api, component, tasks
        self._written: dict[tuple[str, str, str], tuple[str, int]] = {}

    def emit(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Record that ``reason`` (CamelCase) happened to the object ``about``; ``kind`` is NORMAL or WARNING."""
        log.log(logging.WARNING if kind == WARNING else logging.INFO, "%s: %s: %s", _subject(about), reason, message)
        self._tasks.create_task(self._write(about, kind, reason, message))

    async def _write(self, about: Object, kind: str, reason: str, message: str) -> None:
        metadata, seen = about["metadata"], now()
        same = (metadata["uid"], reason, message)
        name, count = self._written.pop(same, (f"{metadata['name']}.{time.time_ns():x}", 0))
        self._written[same] = name, count + 1
        if len(self._written) > REMEMBERED:
            del self._written[next(iter(self._written))]
        try:
            if count:
                await self._api.patch(EVENTS, metadata["namespace"], name, {"count": count + 1, "lastTimestamp": seen})
            else:
                event = _event(about, name, kind, seen) | {"reason": reason, "message": message[:MAX_MESSAGE]}
                event |= {"source": {"component": self._component}, "reportingComponent": self._component}
                await self._api.create(EVENTS, metadata["namespace"], event)
        except UNAVAILABLE as error:
            # An event is news, not state: its loss harms nothing.
            log.info("event %s was not recorded: %s", name, describe(error))


def _event(about: Object, name: str, kind: str, time: str) -> Object:
    metadata = about["metadata"]
    involved = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {"apiVersion": about["apiVersion"], "kind": about["kind"], **involved},
        "type": kind,
        "reportingInstance": "",
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _subject(about: Object) -> str:
    return f"{about['kind']} {about['metadata']['namespace']}/{about['metadata']['name']}"
