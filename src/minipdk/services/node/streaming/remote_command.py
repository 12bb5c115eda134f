"""The sessions of `kubectl exec` and `kubectl attach`: a client's streams joined to a command, or to a container's own.

The status that ends a session: https://github.com/kubernetes/kubelet, pkg/cri/streaming/remotecommand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from minipdk.controller.objects import Object
from minipdk.sandbox.errors import SandboxError
from minipdk.services.node.streaming.channels import Channels
from minipdk.services.node.streaming.commands import Running
from minipdk.services.node.streaming.spdy import SpdySession, SpdyStream
from minipdk.services.node.streaming.streams import Stream, copy, first_of
from minipdk.services.node.streaming.upgrade import Client

STDIN, STDOUT, STDERR, ERROR, RESIZE = "stdin", "stdout", "stderr", "error", "resize"
CHANNELS = {STDIN: 0, STDOUT: 1, STDERR: 2, ERROR: 3, RESIZE: 4}
"""The streams and their numbers in the channel subprotocols."""
LONGEST_RESIZE = 1 << 10
OPEN_SECONDS = 30.0


@dataclass(frozen=True)
class Options:
    """The query of an `exec` or `attach` request (core/v1 PodExecOptions)."""

    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @classmethod
    def read(cls, query: QueryParams) -> Options:
        flags = {name: query.get(name, "").lower() in ("true", "1") for name in (STDIN, STDOUT, STDERR, "tty")}
        if flags["tty"]:
            flags[STDERR] = False  # a terminal has one output
        return cls(command=tuple(query.getlist("command")), **flags)

    @property
    def refusal(self) -> str:
        """The reason to refuse the request; empty if it is one."""
        return "" if self.stdin or self.stdout or self.stderr else "you must specify at least 1 of stdin, stdout, stderr"

    @property
    def streams(self) -> list[str]:
        """The streams that the client opens."""
        wanted = {STDIN: self.stdin, STDOUT: self.stdout, STDERR: self.stderr, ERROR: True, RESIZE: self.tty}
        return [name for name, is_wanted in wanted.items() if is_wanted]


async def join(running: Running, streams: Mapping[str, Stream]) -> int:
    """Pass the streams on until ``running`` has ended and the client has all of its output; its exit status."""
    inward = [asyncio.create_task(_feed(running, streams)), asyncio.create_task(_follow_size(running, streams))]
    outward = [
        asyncio.create_task(copy(source, streams[name]))
        for name, source in ((STDOUT, running.stdout), (STDERR, running.stderr))
        if source and name in streams
    ]
    try:
        status = await running.wait()
        await asyncio.gather(*outward)
    finally:
        for task in (*inward, *outward):
            task.cancel()
        await asyncio.gather(*inward, *outward, return_exceptions=True)
    return status


async def _feed(running: Running, streams: Mapping[str, Stream]) -> None:
    """Pass the client's input on; a command that reads no more gets no more."""
    if running.stdin and STDIN in streams:
        with contextlib.suppress(OSError):
            await copy(streams[STDIN], running.stdin)
    elif STDIN in streams:
        while await streams[STDIN].read():
            pass


async def _follow_size(running: Running, streams: Mapping[str, Stream]) -> None:
    """Give the terminal the sizes that the client sends, as JSON objects in a row."""
    if RESIZE not in streams:
        return
    text, decoder = "", json.JSONDecoder()
    while data := await streams[RESIZE].read():
        text = (text + data.decode(errors="replace")).lstrip()
        while text:
            try:
                size, length = decoder.raw_decode(text)
            except ValueError:  # the rest of it comes later
                text = text[-LONGEST_RESIZE:]
                break
            text = text[length:].lstrip()
            with contextlib.suppress(KeyError, TypeError, ValueError, OSError):
                running.resize(int(size["Width"]), int(size["Height"]))


def exited(command: tuple[str, ...], status: int) -> Object:
    """The status that ends a session; for an attached client (without a ``command``) a container's end is no failure."""
    if not status or not command:
        return {"metadata": {}, "status": "Success"}
    why = f"error executing command [{' '.join(command)}], exit code {status}"
    return {
        **_failure(f"command terminated with non-zero exit code: {why}", "NonZeroExitCode"),
        "details": {"causes": [{"reason": "ExitCode", "message": str(status)}]},
    }


def failed(error: SandboxError) -> Object:
    """The status of a command that could not be started."""
    message = f"Internal error occurred: error executing command in container: {error}"
    return {**_failure(message, "InternalError"), "details": {"causes": [{"message": str(error)}]}, "code": 500}


def _failure(message: str, reason: str) -> Object:
    return {"metadata": {}, "status": "Failure", "message": message, "reason": reason}


async def report(status: Object, error: Stream) -> None:
    await error.write(json.dumps(status).encode())
    await error.close()


class Opening:
    """The streams with these ``names`` that a client opens over SPDY, each with its name in a header."""

    def __init__(self, names: Sequence[str]) -> None:
        self.streams: dict[str, SpdyStream] = {}
        self._names, self._complete = names, asyncio.Event()

    async def opened(self, stream: SpdyStream) -> None:
        name = stream.headers.get("streamtype", "")
        if name not in self._names or name in self.streams:
            await stream.reset()
            return
        self.streams[name] = stream
        if len(self.streams) == len(self._names):
            self._complete.set()

    async def complete(self) -> Mapping[str, Stream]:
        """All streams. Raises TimeoutError if the client does not open them."""
        await asyncio.wait_for(self._complete.wait(), OPEN_SECONDS)
        return self.streams


async def serve_command(client: Client, options: Options, program: AbstractAsyncContextManager[Running]) -> None:
    """Join the client to ``program`` until either has ended, and report how it ended."""
    if client.socket:
        channels = Channels(client.socket, len(CHANNELS))
        streams: Mapping[str, Stream] = {name: channels[CHANNELS[name]] for name in options.streams}
        await first_of(channels.run(), _serve(streams, options, program))
    else:
        opening = Opening(options.streams)
        session = SpdySession(client.connection, client.connection.active, opening.opened)

        async def serve() -> None:
            await _serve(await opening.complete(), options, program)

        await first_of(session.run(), serve())


async def _serve(streams: Mapping[str, Stream], options: Options, program: AbstractAsyncContextManager[Running]) -> None:
    try:
        async with program as running:
            status = exited(options.command, await join(running, streams))
    except SandboxError as error:
        status = failed(error)
    await report(status, streams[ERROR])
