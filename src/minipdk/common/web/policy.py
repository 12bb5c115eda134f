"""The rules of a port: its limits, who may call, and the form of a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class RefusedError(Exception):
    """The request is refused before its body is read; the client gets ``response``."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(frozen=True)
class Limits:
    """The bounds of a port: sizes in bytes, times in seconds.

    ``body`` is the size of a known caller's body, ``open_body`` of any other caller's. ``stall`` is the time between two
    pieces of a known caller's body; any other caller's whole body must arrive within ``open_seconds``. A request's head
    must be complete within ``head_seconds``. The head's limits are the defaults of Envoy, behind which all these services
    run on a real cluster.
    """

    body: int
    open_body: int = 64 << 10
    stall: float = 30.0
    open_seconds: float = 10.0
    head: int = 60 << 10
    fields: int = 100
    head_seconds: float = 10.0
    handshake_seconds: float = 10.0
    keep_alive: float = 75.0  # longer than clients keep an idle connection, so that none is closed as it is used again
    connections: int = 1000
    unread: int = 4 << 20
    """So much of a refused body is read, because many clients read the answer only after they have sent their request."""
    unread_seconds: float = 3.0


@dataclass(frozen=True)
class Policy:
    """The rules of one port.

    ``authenticate`` sees a request without its body: it returns whether its caller is known, False if any may make the
    request, or raises RefusedError. It may keep the caller in the connection's ``state``. ``refusal`` makes the response
    with a status and a reason in the vendor's form. ``hosts`` says whether the port serves a host name.
    """

    limits: Limits
    authenticate: Callable[[HTTPConnection], Awaitable[bool]]
    refusal: Callable[[int, str], Response]
    hosts: Callable[[str], bool] = LOOPBACK_NAMES.__contains__
