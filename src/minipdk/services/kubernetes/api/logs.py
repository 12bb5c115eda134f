"""A pod's logs, read from the files that the node writes (`Home.pod_log`).

A line may begin with the time it was written and its stream, as container runtimes write them
(``2026-01-02T03:04:05.678Z stdout F text``); then the time is known for sinceSeconds, sinceTime and timestamps, and only
the text is shown. Other lines have the time of the file's last write.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from minipdk.common.home import Home
from minipdk.services.kubernetes.api.queries import is_set, number
from minipdk.services.kubernetes.errors import BadRequestError
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.model import Object
from minipdk.services.kubernetes.times import parse

POLL_EVERY = 0.1
CHUNK = 1 << 16
LONGEST_SINCE = 100 * 365 * 86400
_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) ([FP]) ")


@dataclass(frozen=True)
class LogOptions:
    """The query of GET .../pods/{name}/log. ``since`` is the oldest line's time."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit_bytes: int | None = None
    since: datetime | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> LogOptions:
        since = None
        if (seconds := number(query, "sinceSeconds")) is not None:
            since = datetime.now(UTC) - timedelta(seconds=min(seconds, LONGEST_SINCE))
        if text := query.get("sinceTime"):
            try:
                since = parse(text)
            except ValueError as error:
                raise BadRequestError(f"sinceTime: Invalid value: {text!r}: must be an RFC 3339 time") from error
        return cls(
            container=query.get("container", ""),
            follow=is_set(query, "follow"),
            previous=is_set(query, "previous"),
            timestamps=is_set(query, "timestamps"),
            tail=number(query, "tailLines"),
            limit_bytes=number(query, "limitBytes"),
            since=since,
        )


def log_file(home: Home, pod: Object, options: LogOptions) -> Path:
    """The container's log. Raises BadRequestError if there is no such container or it has not started."""
    metadata = pod["metadata"]
    names = [container["name"] for container in pods.containers(pod["spec"])]
    chosen = options.container
    if not chosen and len(pod["spec"]["containers"]) == 1:
        chosen = names[0]
    if not chosen:
        raise BadRequestError(
            f"a container name must be specified for pod {metadata['name']}, choose one of: [{' '.join(names)}]"
        )
    if chosen not in names:
        raise BadRequestError(f"container {chosen} is not valid for pod {metadata['name']}")
    path = home.pod_log(metadata["namespace"], metadata["name"], chosen, previous=options.previous)
    if not path.exists():
        if options.previous:
            raise BadRequestError(f'previous terminated container "{chosen}" in pod "{metadata["name"]}" not found')
        raise BadRequestError(
            f'container "{chosen}" in pod "{metadata["name"]}" is waiting to start: {_waiting_for(pod, chosen)}'
        )
    return path


async def read(path: Path, options: LogOptions, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log's lines; with ``follow`` also later lines, until ``ended`` says that the container writes no more."""
    left = options.limit_bytes
    async for chunk in _chunks(path, options, ended):
        data = chunk if left is None else chunk[:left]
        if data:
            yield data
        if left is not None:
            left -= len(data)
            if left <= 0:
                return


async def _chunks(path: Path, options: LogOptions, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Blocks of lines; with ``follow`` also of later files, which follow when this one is full or the container restarts."""
    file: IO[bytes] = path.open("rb")
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        rest = b""
        if options.tail is not None:
            file.seek(_tail_offset(path, options.tail))
        while True:
            is_last = ended()  # before reading, so that the last lines are still read
            successor = _successor(path, file) if options.follow else None
            while block := file.read(CHUNK):
                *lines, rest = (rest + block).split(b"\n")
                shown = b"".join(_shown(line + b"\n", options, written) for line in lines)
                if shown:
                    yield shown
            if successor:
                file.close()
                file = successor
                continue
            if is_last or not options.follow:
                break
            await asyncio.sleep(POLL_EVERY)
            written = datetime.now(UTC)
        if rest:
            yield _shown(rest, options, written)
    finally:
        file.close()


def _successor(path: Path, file: IO[bytes]) -> IO[bytes] | None:
    """The file at ``path``, if ``file`` is no longer that file."""
    try:
        return None if os.path.samestat(path.stat(), os.fstat(file.fileno())) else path.open("rb")
    except FileNotFoundError:  # it is being replaced, or its pod is gone
        return None


def _shown(line: bytes, options: LogOptions, written: datetime) -> bytes:
    """The line as it is shown; empty if it is too old."""
    text, at = line, written
    if match := _CRI.match(line):
        at, text = parse(match[1].decode()), line[match.end() :]
        if match[2] == b"P":
            text = text.removesuffix(b"\n")
    if options.since and at < options.since:
        return b""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode() + text if options.timestamps else text


def _tail_offset(path: Path, lines: int) -> int:
    """The offset of the last ``lines`` lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position, count = size, 0
        while position > 0:
            start = max(0, position - CHUNK)
            file.seek(start)
            block = file.read(position - start)
            for index in range(len(block) - 1, -1, -1):
                if block[index] == 0x0A and start + index != size - 1:
                    count += 1
                    if count == lines:
                        return start + index + 1
            position = start
    return 0 if lines else size


def _waiting_for(pod: Object, container: str) -> str:
    pod_status = pod.get("status") or {}
    for status in (*(pod_status.get("containerStatuses") or ()), *(pod_status.get("initContainerStatuses") or ())):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if status.get("name") == container and waiting.get("reason"):
            return str(waiting["reason"])
    return "ContainerCreating"
