"""The requests of the streaming server, at the paths of a kubelet's: ``/exec``, ``/attach`` and ``/portForward``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.server import ServerState

from minipdk.common import unix_sockets
from minipdk.common.web.upgrades import Hijacked, UpgradableProtocol
from minipdk.services.node.container import ContainerWorker
from minipdk.services.node.pod import PodWorker
from minipdk.services.node.process import Process
from minipdk.services.node.streaming import commands, port_forward
from minipdk.services.node.streaming.channels import V4, V5
from minipdk.services.node.streaming.port_forward import LARGEST_PORT, serve_ports
from minipdk.services.node.streaming.remote_command import Options, serve_command
from minipdk.services.node.streaming.streams import Connection, ProtocolError
from minipdk.services.node.streaming.upgrade import Client, Offer, upgrade

REMOTE_COMMAND = Offer(websocket=(V5, V4), spdy=(V4,))
PORT_FORWARD = Offer(websocket=(port_forward.TUNNEL, V4), spdy=(port_forward.PROTOCOL,))
METHODS = ["GET", "POST"]
MOST_PORTS = 16

log = logging.getLogger(__name__)


class Pods(Protocol):
    """The Pods that run on the node."""

    def worker(self, uid: str) -> PodWorker | None: ...


@dataclass(frozen=True)
class Limits:
    """The number of sessions at a time, and the seconds that a session may pass without data (a kubelet's default)."""

    sessions: int = 100
    idle_seconds: float = 4 * 3600.0


DEFAULTS = Limits()


class StreamingServer:
    """The routes over the node's ``pods``."""

    def __init__(self, pods: Pods, limits: Limits) -> None:
        self._pods, self._limits, self._sessions = pods, limits, 0

    def app(self) -> Starlette:
        pod = "{namespace}/{pod}/{uid}"
        return Starlette(
            routes=[
                Route(f"/exec/{pod}/{{container}}", self._exec, methods=METHODS),
                Route(f"/attach/{pod}/{{container}}", self._attach, methods=METHODS),
                Route(f"/portForward/{pod}", self._forward, methods=METHODS),
            ]
        )

    async def _exec(self, request: Request) -> Response:
        _, process = self._container(request)
        options = _options(request)
        if not options.command:
            raise HTTPException(400, "you must specify at least one command for the container")
        program = commands.command(process, options.command, stdin=options.stdin, terminal=options.tty)
        return await self._session(request, REMOTE_COMMAND, lambda client: serve_command(client, options, program))

    async def _attach(self, request: Request) -> Response:
        worker, process = self._container(request)
        options, container = _options(request), worker.container
        stdin = options.stdin and bool(container.get("stdin"))
        program = commands.main_process(process, stdin=stdin, once=bool(container.get("stdinOnce")))
        return await self._session(request, REMOTE_COMMAND, lambda client: serve_command(client, options, program))

    async def _forward(self, request: Request) -> Response:
        pod, ports = self._pod(request), _ports(request)
        return await self._session(request, PORT_FORWARD, lambda client: serve_ports(client, _Reachable(pod), ports))

    def _pod(self, request: Request) -> PodWorker:
        worker = self._pods.worker(request.path_params["uid"])
        if worker is None:
            raise HTTPException(404, "pod does not exist")
        return worker

    def _container(self, request: Request) -> tuple[ContainerWorker, Process]:
        """The request's container, which runs."""
        name = request.path_params["container"]
        worker = self._pod(request).container(name)
        if worker is None or worker.running is None:
            raise HTTPException(500, f'container not found ("{name}")')
        return worker, worker.running

    async def _session(self, request: Request, offer: Offer, serve: Callable[[Client], Awaitable[None]]) -> Response:
        """Upgrade the request's connection and serve the client until its session has ended."""
        if self._sessions >= self._limits.sessions:
            raise HTTPException(429, f"the node has {self._sessions} exec, attach and port-forward sessions: end one first")
        self._sessions += 1
        try:
            client = await upgrade(request, offer)
            try:
                await self._until_idle(client, serve)
            except (OSError, ProtocolError, ExceptionGroup) as error:  # TimeoutError is an OSError
                log.info("session %s ended: %s %s", request.url.path, type(error).__name__, error)
            finally:
                await client.leave()
        except ConnectionError:  # the client has left
            pass
        finally:
            self._sessions -= 1
        return Hijacked()

    async def _until_idle(self, client: Client, serve: Callable[[Client], Awaitable[None]]) -> None:
        clock, seconds = asyncio.get_running_loop().time, self._limits.idle_seconds
        async with asyncio.timeout(seconds) as idle:
            client.connection.active = lambda: idle.reschedule(clock() + seconds)
            await serve(client)


class _Reachable:
    """A Pod whose ports are reached; failures have a kubelet's words."""

    def __init__(self, pod: PodWorker) -> None:
        self._pod = pod

    async def connect(self, port: int) -> Connection:
        try:
            reader, writer = await asyncio.open_connection(sock=await self._pod.connect(port))
        except OSError as error:
            metadata = self._pod.pod["metadata"]
            subject = f"error forwarding port {port} to pod {metadata['name']}, uid {metadata['uid']}"
            reason = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error) or "timed out"
            raise type(error)(f"{subject}: dial tcp 127.0.0.1:{port}: connect: {reason}") from error
        return Connection(reader, writer)


def _options(request: Request) -> Options:
    options = Options.read(request.query_params)
    if options.refusal:
        raise HTTPException(400, options.refusal)
    return options


def _ports(request: Request) -> list[int]:
    """The ports of the query, which only a WebSocket with channels has."""
    texts = [text for value in request.query_params.getlist("ports") for text in value.split(",")]
    if any(not text.isdecimal() or not 0 < int(text[:6]) <= LARGEST_PORT for text in texts):
        raise HTTPException(400, f"ports: Invalid value: {','.join(texts)!r}: a port is a number from 1 to {LARGEST_PORT}")
    if len(texts) > MOST_PORTS:
        raise HTTPException(400, f"ports: Too many: {len(texts)}: must have at most {MOST_PORTS} items")
    return [int(text) for text in texts]


@asynccontextmanager
async def listening(path: Path, pods: Pods, limits: Limits = DEFAULTS) -> AsyncIterator[None]:
    """Serve on a Unix socket at ``path`` within this context."""
    config = uvicorn.Config(
        StreamingServer(pods, limits).app(), log_config=None, access_log=False, ws="none", lifespan="off"
    )
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: UpgradableProtocol(config, state, {}), sock=unix_sockets.listen(path))
    try:
        yield
    finally:
        server.close()
        for connection in state.connections:
            connection.shutdown()
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
