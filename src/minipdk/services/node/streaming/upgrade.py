"""From an HTTP request to a client that speaks WebSocket or SPDY/3.1, by the request's Upgrade header."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from minipdk.common.web.upgrades import hijack, switching
from minipdk.services.node.streaming.streams import Connection
from minipdk.services.node.streaming.websocket import Handshake, WebSocket

SPDY = "SPDY/3.1"
VERSION_HEADER = "X-Stream-Protocol-Version"


@dataclass(frozen=True)
class Offer:
    """The protocols that a request may choose, over each of the two, in the order of preference."""

    websocket: tuple[str, ...]
    spdy: tuple[str, ...]


@dataclass(frozen=True)
class Client:
    """A client whose connection has left HTTP; without a ``socket``, it speaks SPDY on the connection itself."""

    connection: Connection
    socket: WebSocket | None = None

    async def leave(self) -> None:
        """End the connection in an orderly way."""
        if self.socket:
            await self.socket.close()
        await self.connection.finish()


async def upgrade(request: Request, offer: Offer) -> Client:
    """Take over the request's connection. Raises HTTPException if there is no protocol that both sides speak."""
    protocol = request.headers.get("upgrade", "").lower()
    if protocol == "websocket":
        handshake = Handshake(request.headers.items(), offer.websocket)
        if handshake.refusal:
            raise HTTPException(400, handshake.refusal)
        connection = Connection(*hijack(request.scope))
        return Client(connection, await handshake.complete(connection))
    if protocol == SPDY.lower():
        version = _common(request, offer.spdy)
        connection = Connection(*hijack(request.scope))
        await connection.write(switching({"Connection": "Upgrade", "Upgrade": SPDY, VERSION_HEADER: version}))
        return Client(connection)
    raise HTTPException(400, "Upgrade request required")


def _common(request: Request, versions: tuple[str, ...]) -> str:
    """The first of ``versions`` that the client speaks too."""
    offered = [name.strip() for line in request.headers.getlist(VERSION_HEADER) for name in line.split(",")]
    for version in versions:
        if version in offered:
            return version
    supported = f"client supports [{' '.join(offered)}], server supports [{' '.join(versions)}]"
    raise HTTPException(403, f"unable to upgrade: unable to negotiate protocol: {supported}")
