"""Pass `exec`, `attach` and `port-forward` on to the pod's node, whose server speaks the clients' protocols.

The request is authenticated and its pod looked up as for any other; then bytes pass between the client and the node.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Coroutine
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from minipdk.common import unix_sockets
from minipdk.common.home import Home
from minipdk.common.web.upgrades import Hijacked, Streams, hijack
from minipdk.services.kubernetes.errors import ApiError, BadRequestError
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.model import Object, Target

PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
"""The subresources of a pod, and the node's paths for them."""
PASSED_ON = ("upgrade", "connection", "x-stream-protocol-version")
BLOCK, LONGEST_ANSWER = 1 << 16, 1 << 16
LINGER_SECONDS = 5.0


def node_path(target: Target, pod: Object, container: str) -> str:
    """The path of the request at the pod's node. Raises BadRequestError if there is none."""
    metadata, spec = pod["metadata"], pod["spec"]
    if not spec.get("nodeName"):
        raise BadRequestError(f"pod {metadata['name']} does not have a host assigned")
    path = f"/{PATHS[target.part]}/{metadata['namespace']}/{metadata['name']}/{metadata['uid']}"
    return path if target.part == "portforward" else f"{path}/{quote(_container(pod, container))}"


def _container(pod: Object, name: str) -> str:
    """The name of the pod's container: ``name``, or its only one."""
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    names = [container["name"] for container in pods.containers(spec)]
    if not name and len(spec["containers"]) == 1:
        return str(spec["containers"][0]["name"])
    if not name:
        choices = f"[{' '.join(container['name'] for container in spec['containers'])}]"
        raise BadRequestError(f"a container name must be specified for pod {pod_name}, choose one of: {choices}")
    if name not in names:
        raise BadRequestError(f"container {name} is not valid for pod {pod_name}")
    return name


async def pass_on(home: Home, request: Request, path: str, stopping: asyncio.Event) -> Response:
    """The node's answer; when it takes the connection over, the client's session, until an end or ``stopping``."""
    if "upgrade" not in request.headers:
        raise BadRequestError("Upgrade request required")
    try:
        node = await run_in_threadpool(unix_sockets.connect, home.kubelet_socket)
    except OSError as error:
        raise ApiError(f"Internal error occurred: error dialing backend: {error.strerror}") from error
    reader, writer = await asyncio.open_connection(sock=node, limit=LONGEST_ANSWER)
    try:
        writer.write(_head(request, path))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            return await _refusal(head, reader)
        client = hijack(request.scope)
        client[1].write(head)
        await _join(client, (reader, writer), stopping)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ApiError(f"Internal error occurred: error dialing backend: {error}") from error
    finally:
        writer.close()
    return Hijacked()


def _head(request: Request, path: str) -> bytes:
    """The head of the request to the node: the client's, as far as the node needs it."""
    headers = [(name, value) for name, value in request.headers.items() if name in PASSED_ON or name.startswith("sec-")]
    lines = [f"{request.method} {path}?{request.url.query} HTTP/1.1", "host: localhost"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


async def _refusal(head: bytes, reader: asyncio.StreamReader) -> Response:
    """The node's answer to a request that it does not take over, a short text."""
    length = re.search(rb"\r\ncontent-length: *(\d{1,5})\r\n", head, re.IGNORECASE)
    body = await reader.readexactly(int(length[1])) if length else b""
    return Response(body, int(head.split(b" ", 2)[1]), media_type="text/plain")


async def _join(client: Streams, node: Streams, stopping: asyncio.Event) -> None:
    """Pass bytes on until one side has ended and the other has had time to end too, or ``stopping``.

    The node's last bytes, a command's exit status, reach a client that still sends.
    """
    works: tuple[Coroutine[None, None, object], ...] = (_copy(client[0], node[1]), _copy(node[0], client[1]))
    copies = [asyncio.create_task(work) for work in works]
    tasks = [*copies, asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if copies[0].done():
            with contextlib.suppress(OSError):
                node[1].write_eof()
        if not stopping.is_set():
            await asyncio.wait(copies, timeout=LINGER_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # a side that ends with a reset
        while data := await reader.read(BLOCK):
            writer.write(data)
            await writer.drain()
