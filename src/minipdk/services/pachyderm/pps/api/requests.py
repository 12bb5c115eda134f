"""What the calls share: the keys that requests name, their filters, and noticing that a client has gone away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pps.store import Key


def required(pipeline: Any) -> Key:
    """The key of a Pipeline message that must be set."""
    if not pipeline.name:
        raise PachydermError("request.Pipeline cannot be nil: name a pipeline")
    return Key.of(pipeline)


def allowed(request: Any) -> set[str]:
    """The projects that a list is limited to; empty for all. jq filters are refused."""
    if request.jq_filter:
        raise UnsupportedError("jq_filter")
    return {project.name or "default" for project in request.projects}


def job_key(job: Any) -> Key:
    """The key of a Job message that must be set."""
    if not job.id:
        raise PachydermError("must specify a job")
    if not job.pipeline.name:
        raise PachydermError("pipeline must be specified for the given job")
    return Key.of(job.pipeline, job.id)


def gone(context: Any, then: Callable[[], None] = lambda: None) -> threading.Event:
    """An event that is set, and ``then`` called, when the client has gone away."""
    event = threading.Event()

    def tell() -> None:
        event.set()
        then()

    if not context.add_callback(tell):
        event.set()
    return event
