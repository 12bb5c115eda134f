"""The streams of v4.channel.k8s.io and v5.channel.k8s.io: the first byte of each message is the number of its stream.

In v5 a client ends a stream with the message 255 and the stream's number.
https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/4006-transition-spdy-to-websockets
"""

from __future__ import annotations

from minipdk.services.node.streaming.streams import BLOCK, Inbox
from minipdk.services.node.streaming.websocket import WebSocket

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
END = 255


class Channel:
    """One numbered stream."""

    def __init__(self, socket: WebSocket, number: int) -> None:
        self._socket, self._number = socket, number
        self.inbox = Inbox()

    async def read(self) -> bytes:
        return await self.inbox.get()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), BLOCK):
            await self._socket.write(bytes([self._number]) + data[start : start + BLOCK])

    async def close(self) -> None:
        """Nothing: a server does not end single streams."""


class Channels:
    """The channels 0 to ``count`` - 1 over ``socket``."""

    def __init__(self, socket: WebSocket, count: int) -> None:
        self._socket = socket
        self._channels = [Channel(socket, number) for number in range(count)]

    def __getitem__(self, number: int) -> Channel:
        return self._channels[number]

    async def run(self) -> None:
        """Hand messages to their channels until the client ends the connection."""
        try:
            while (message := await self._socket.receive()) is not None:
                await self._take(message)
        finally:
            for channel in self._channels:
                await channel.inbox.end()

    async def _take(self, message: bytes) -> None:
        if message[:1] == bytes([END]) and self._socket.protocol_name == V5:
            for number in message[1:2]:
                if number < len(self._channels):
                    await self._channels[number].inbox.end()
        elif message and message[0] < len(self._channels):
            await self._channels[message[0]].inbox.put(message[1:])
