"""How long events are kept."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from minipdk.kubernetes.resources import EVENTS
from minipdk.kubernetes.store import ObjectStore
from minipdk.kubernetes.times import parse

KEPT = timedelta(hours=1)
LOOK_EVERY = 60.0


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
            seen = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
            if parse(seen) < oldest:
                self._store.remove(EVENTS, event)
