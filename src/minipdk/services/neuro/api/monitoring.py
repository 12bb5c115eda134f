"""The output of jobs over WebSockets: the log from its beginning, and what a running job prints from now on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.web.streams import BLOCK, Connection
from minipdk.common.web.upgrades import Hijacked, hijack
from minipdk.common.web.websocket import Handshake, WebSocket
from minipdk.services.neuro import logs
from minipdk.services.neuro.api.http import route
from minipdk.services.neuro.api.jobs import time_of
from minipdk.services.neuro.errors import InvalidArgumentError, NotFoundError, TooManySessionsError, UnsupportedError
from minipdk.services.neuro.jobs import Jobs
from minipdk.services.neuro.logs import Logs
from minipdk.services.neuro.model import Job

MOST_SESSIONS = 200
STALL_SECONDS = 60.0
"""How long a client may leave what was sent to it unread."""
CHANNELS = "v2.channels.neu.ro"
STDOUT, END = b"\x01", b"\x03"
POLL_SECONDS = 0.1
PLATFORM_ERROR = 1

Serve = Callable[[WebSocket], Awaitable[None]]


class MonitoringApi:
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

        return await self._session(request, (), serve)

    async def _attach(self, request: Request) -> Response:
        job = await self._job(request)
        if job.status.is_final:
            raise NotFoundError(f"job {job.id} has ended")
        if job.container.tty:
            raise UnsupportedError("attaching to a terminal (tty)")

        async def serve(socket: WebSocket) -> None:
            async for lines in self._logs.of(job.id).follow(from_end=True):
                await _send(socket, STDOUT, logs.shown(lines, since=None, timestamps=False))
            code = await self._exit_code(job)
            await socket.write(END + json.dumps({"exit_code": code}).encode())

        return await self._session(request, (CHANNELS,), serve)

    async def _exit_code(self, job: Job) -> int:
        """The exit code of a job whose log is complete, once its end is recorded."""
        while not job.status.is_final:
            await asyncio.sleep(POLL_SECONDS)
            job = await run_in_threadpool(self._jobs.get, job.id)
        return PLATFORM_ERROR if job.current.exit_code is None else job.current.exit_code

    async def _job(self, request: Request) -> Job:
        job = await run_in_threadpool(self._jobs.get, request.path_params["id"])
        if job.status.is_final and not self._logs.of(job.id).complete:
            self._jobs.changed(job.id)
        return job

    async def _session(self, request: Request, protocols: tuple[str, ...], serve: Serve) -> Response:
        """Take the connection over as a WebSocket, and serve it until ``serve`` is done or the client leaves."""
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
        serving, reading = asyncio.ensure_future(serve(socket)), asyncio.create_task(_discard(socket))
        try:
            await asyncio.wait([serving, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, reading):
                task.cancel()
            await asyncio.gather(serving, reading, return_exceptions=True)
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(socket.close(), 1.0)
    except OSError:  # the client has left
        pass
    finally:
        connection.abandon()


async def _discard(socket: WebSocket) -> None:
    """Read what the client sends, so that its pings are answered, until it leaves."""
    while await socket.receive() is not None:
        pass


async def _send(socket: WebSocket, channel: bytes, content: bytes) -> None:
    """Send in messages of bounded size. Raises TimeoutError if the client does not read them."""
    for start in range(0, len(content), BLOCK):
        await asyncio.wait_for(socket.write(channel + content[start : start + BLOCK]), STALL_SECONDS)
