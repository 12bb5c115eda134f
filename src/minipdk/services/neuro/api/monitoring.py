"""The output of jobs over WebSockets: the log from its beginning, or further output of a running job."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

import aiohttp
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.web.streams import BLOCK, Connection, first_of
from minipdk.common.web.upgrades import Hijacked, hijack
from minipdk.common.web.websocket import Handshake, WebSocket
from minipdk.controller.api import Api
from minipdk.services.neuro.api.http import route
from minipdk.services.neuro.api.jobs import time_of
from minipdk.services.neuro.errors import InvalidArgumentError, NotFoundError, TooManySessionsError
from minipdk.services.neuro.jobs import logs
from minipdk.services.neuro.jobs.builds import is_build
from minipdk.services.neuro.jobs.jobs import Jobs
from minipdk.services.neuro.jobs.logs import Logs
from minipdk.services.neuro.model import Job, Status
from minipdk.services.neuro.names import NAMESPACE

MOST_SESSIONS = 200
STALL_SECONDS = 60.0
"""How long a client may leave messages unread."""
CLOSE_SECONDS = 1.0
POLL_SECONDS = 0.1
MOST_TYPED = 256
"""Messages of an attached client that are kept for a terminal that does not take them yet."""
CHANNELS = "v2.channels.neu.ro"
STDIN, STDOUT, END, SIZE = 0, 1, 3, 4
"""The first byte of a message of the attached client."""
PLATFORM_ERROR = 1
"""The exit code of a job without one."""

Serve = Callable[[WebSocket], Coroutine[None, None, None]]


class MonitoringApi:
    """``api``, the connection to the Kubernetes API, is set before the first request."""

    api: Api

    def __init__(self, jobs: Jobs, logs: Logs) -> None:
        self._jobs, self._logs = jobs, logs
        self._sessions: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        return [
            route("/monitoring/{id}/log_ws", self._log, "GET"),
            route("/monitoring/{id}/attach", self._attach, "GET"),
        ]

    def stop(self) -> None:
        """End every session, so that the server can stop."""
        for session in self._sessions:
            session.cancel()

    async def _log(self, request: Request) -> Response:
        job = await self._job(request)
        query = request.query_params
        since = time_of("since", query["since"]) if "since" in query else None
        timestamps = query.get("timestamps", "").lower() in ("1", "true", "yes")

        async def serve(socket: WebSocket) -> None:
            async for lines in self._logs.of(job.id).follow():
                await _send(socket, b"", logs.shown(lines, since=since, timestamps=timestamps))

        return await self._session(request, (), _beside_reading(serve))

    async def _attach(self, request: Request) -> Response:
        job = await self._job(request)
        if job.status.is_final:
            raise NotFoundError(f"job {job.id} has ended")
        if job.container.tty and not is_build(job):
            return await self._session(request, (CHANNELS,), partial(self._terminal, job))

        async def serve(socket: WebSocket) -> None:
            async for lines in self._logs.of(job.id).follow(from_end=True):
                await _send(socket, bytes([STDOUT]), logs.shown(lines, since=None, timestamps=False))
            await self._end(socket, job)

        return await self._session(request, (CHANNELS,), _beside_reading(serve))

    async def _terminal(self, job: Job, socket: WebSocket) -> None:
        """Join the client to the terminal of the job's container, until either ends."""
        typed: asyncio.Queue[bytes] = asyncio.Queue(MOST_TYPED)
        await first_of(self._join(job, socket, typed), _receive(socket, typed))

    async def _join(self, job: Job, socket: WebSocket, typed: asyncio.Queue[bytes]) -> None:
        """Pass on what is ``typed`` and the terminal's output, once there is a terminal; at the end the exit code."""
        while job.status is Status.PENDING:
            await asyncio.sleep(POLL_SECONDS)
            job = await run_in_threadpool(self._jobs.get, job.id)
        with contextlib.suppress(aiohttp.ClientError):  # the container has ended meanwhile
            async with self.api.attach(NAMESPACE, job.id) as terminal:
                await first_of(_to_terminal(typed, terminal), _from_terminal(terminal, socket))
        await self._end(socket, job)

    async def _end(self, socket: WebSocket, job: Job) -> None:
        """Send the exit code, once the job's end is recorded."""
        while not job.status.is_final:
            await asyncio.sleep(POLL_SECONDS)
            job = await run_in_threadpool(self._jobs.get, job.id)
        code = PLATFORM_ERROR if job.current.exit_code is None else job.current.exit_code
        await socket.write(bytes([END]) + json.dumps({"exit_code": code}).encode())

    async def _job(self, request: Request) -> Job:
        job = await run_in_threadpool(self._jobs.get, request.path_params["id"])
        if job.status.is_final and not self._logs.of(job.id).complete:
            self._jobs.changed(job.id)
        return job

    async def _session(self, request: Request, protocols: tuple[str, ...], serve: Serve) -> Response:
        """Take the connection over as a WebSocket, and serve it until ``serve`` is done."""
        if request.headers.get("upgrade", "").lower() != "websocket":
            raise InvalidArgumentError("this address wants a WebSocket")
        if len(self._sessions) >= MOST_SESSIONS:
            raise TooManySessionsError(f"{MOST_SESSIONS} sessions for logs are open: close one first")
        handshake = Handshake(request.headers.items(), protocols)
        if handshake.refusal:
            raise InvalidArgumentError(handshake.refusal)
        connection = Connection(*hijack(request.scope))
        session = asyncio.create_task(_serve(handshake, connection, serve))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        await asyncio.wait([session])
        return Hijacked()


async def _serve(handshake: Handshake, connection: Connection, serve: Serve) -> None:
    try:
        socket = await handshake.complete(connection)
        await serve(socket)
        await asyncio.wait_for(socket.close(), CLOSE_SECONDS)
    except OSError:  # the client has left, or does not read (TimeoutError)
        pass
    finally:
        connection.abandon()


def _beside_reading(serve: Serve) -> Serve:
    """``serve`` for a client that sends nothing but pings, which are answered; it ends when the client leaves."""

    async def both(socket: WebSocket) -> None:
        await first_of(serve(socket), _discard(socket))

    return both


async def _discard(socket: WebSocket) -> None:
    while await socket.receive() is not None:
        pass


async def _send(socket: WebSocket, channel: bytes, content: bytes) -> None:
    """Send in messages of bounded size. Raises TimeoutError if the client does not read them."""
    for start in range(0, len(content), BLOCK):
        await _in_time(socket.write(channel + content[start : start + BLOCK]))


async def _in_time(sending: Awaitable[None]) -> None:
    await asyncio.wait_for(sending, STALL_SECONDS)


async def _receive(socket: WebSocket, typed: asyncio.Queue[bytes]) -> None:
    """Keep the client's messages for the terminal, until it leaves. While there is none yet, only the first are kept."""
    while (message := await socket.receive()) is not None:
        if typed.full():
            await asyncio.sleep(POLL_SECONDS)
        with contextlib.suppress(asyncio.QueueFull):
            typed.put_nowait(message)


async def _to_terminal(typed: asyncio.Queue[bytes], terminal: aiohttp.ClientWebSocketResponse) -> None:
    """Pass on the keys of the client and the size of its window."""
    while True:
        message = await typed.get()
        if message[:1] == bytes([STDIN]):
            await terminal.send_bytes(message)
        elif message[:1] == bytes([SIZE]):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                size = json.loads(message[1:])
                translated = json.dumps({"Width": int(size["width"]), "Height": int(size["height"])})
                await terminal.send_bytes(bytes([SIZE]) + translated.encode())


async def _from_terminal(terminal: aiohttp.ClientWebSocketResponse, socket: WebSocket) -> None:
    async for message in terminal:
        if message.type is aiohttp.WSMsgType.BINARY and message.data[:1] == bytes([STDOUT]):
            await _send(socket, bytes([STDOUT]), message.data[1:])
