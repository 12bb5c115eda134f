"""What the parts of the PFS service share."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import grpc

from minipdk.services.pachyderm.errors import InvalidRequestError
from minipdk.services.pachyderm.pfs.facade import Pfs


class Calls:
    """A part of the service, over one `Pfs`.

    ``project_defaults`` tells a project's pipeline defaults as JSON; PPS knows them.
    """

    def __init__(self, pfs: Pfs, project_defaults: Callable[[str], str]) -> None:
        self._pfs = pfs
        self._project_defaults = project_defaults

    def _stop(self, context: grpc.ServicerContext) -> Event:
        """An event that is set when the client has gone or the server stops."""
        stop = Event()

        def tell() -> None:
            stop.set()
            self._pfs.wake()

        if not context.add_callback(tell):
            stop.set()
        return stop


def require(request: Any, *fields: str) -> None:
    """Refuse a request that leaves out what the protocol's own rules ask for."""
    for field in fields:
        if not request.HasField(field):
            kind = type(request).__name__
            name = "".join(part.title() for part in field.split("_"))
            raise InvalidRequestError(f"validate request: invalid {kind}.{name}: value is required")
