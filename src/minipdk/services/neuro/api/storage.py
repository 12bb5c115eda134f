"""The storage's files over HTTP, after WebHDFS: the query's ``op`` names the operation on the path."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from minipdk.services.neuro import messages
from minipdk.services.neuro.api.http import Handler, raw_path, route
from minipdk.services.neuro.errors import InvalidArgumentError, RangeError, UnsupportedError
from minipdk.services.neuro.storage import Place, Storage, Upload, place

PREFIX = "/storage/"
NDJSON = "application/x-ndjson"
BLOCK = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:\*|\d+)")
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


class StorageApi:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def routes(self) -> list[Route]:
        operations: dict[tuple[str, str], Handler] = {
            ("PUT", "MKDIRS"): self._make_folders,
            ("PUT", "CREATE"): self._create,
            ("PATCH", "WRITE"): self._write,
            ("GET", "GETFILESTATUS"): self._status,
            ("GET", "LISTSTATUS"): self._list,
            ("GET", "OPEN"): self._open,
            ("GET", "GETDISKUSAGE"): self._usage,
            ("DELETE", "DELETE"): self._delete,
            ("POST", "RENAME"): self._rename,
        }

        async def carry_out(request: Request) -> Response:
            name = request.query_params.get("op", "")
            if operation := operations.get((request.method, name)):
                return await operation(request)
            raise UnsupportedError(f"{request.method} {request.url.path} with op={name}")

        return [route(PREFIX + "{path:any}", carry_out, *{method for method, _ in operations})]

    async def _make_folders(self, request: Request) -> Response:
        await run_in_threadpool(self._storage.make_folders, _place(request))
        return Response(status_code=201)

    async def _create(self, request: Request) -> Response:
        where = _place(request)
        await self._receive(request, lambda upload: self._storage.put(upload, where))
        return Response(status_code=201)

    async def _write(self, request: Request) -> Response:
        where, header = _place(request), request.headers.get("content-range", "")
        match = _CONTENT_RANGE.fullmatch(header)
        if match is None:
            raise InvalidArgumentError(f"Content-Range {header!r} must be like 'bytes 0-9/*'")
        first, last = int(match[1]), int(match[2])

        def write(upload: Upload) -> None:
            if upload.size != last - first + 1:
                raise InvalidArgumentError(f"the body has {upload.size} bytes, and Content-Range says {last - first + 1}")
            self._storage.write(upload, where, first)

        await self._receive(request, write)
        return Response(status_code=200)

    async def _receive(self, request: Request, use: Callable[[Upload], None]) -> None:
        """Receive the whole body into a file, and only then use it."""
        upload = await run_in_threadpool(self._storage.begin_upload)
        try:
            waiting = bytearray()
            async for chunk in request.stream():
                waiting += chunk
                if len(waiting) >= BLOCK:
                    await run_in_threadpool(upload.write, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(upload.write, bytes(waiting))
            await run_in_threadpool(use, upload)
        finally:
            await run_in_threadpool(upload.discard)

    async def _status(self, request: Request) -> Response:
        return JSONResponse(messages.file_status(await run_in_threadpool(self._storage.status, _place(request))))

    async def _list(self, request: Request) -> Response:
        statuses = await run_in_threadpool(lambda: list(self._storage.entries(_place(request))))
        described = [messages.file_status(status) for status in statuses]
        if NDJSON in request.headers.get("accept", ""):
            lines = (json.dumps(status) + "\n" for status in described)
            return Response("".join(lines), media_type=NDJSON)
        return JSONResponse({"FileStatuses": {"FileStatus": [status["FileStatus"] for status in described]}})

    async def _open(self, request: Request) -> Response:
        file = await run_in_threadpool(self._storage.read, _place(request))
        try:
            size = file.seek(0, 2)
            first, last = _range(request.headers.get("range"), size)
            file.seek(first)
        except BaseException:
            file.close()
            raise
        partial = "range" in request.headers
        headers = {"Content-Length": str(last - first + 1), "Accept-Ranges": "bytes"}
        headers |= {"Content-Range": f"bytes {first}-{last}/{size}"} if partial else {}
        return StreamingResponse(
            _blocks(file, last - first + 1), 206 if partial else 200, headers, "application/octet-stream"
        )

    async def _usage(self, request: Request) -> Response:
        _place(request)
        total, used, free = await run_in_threadpool(self._storage.usage)
        return JSONResponse({"total": total, "used": used, "free": free})

    async def _delete(self, request: Request) -> Response:
        recursive = request.query_params.get("recursive", "true") == "true"
        deleted = await run_in_threadpool(lambda: self._storage.delete(_place(request), recursive=recursive))
        lines = (json.dumps({"path": path, "is_dir": is_folder}) + "\n" for path, is_folder in deleted)
        return Response("".join(lines), media_type=NDJSON)

    async def _rename(self, request: Request) -> Response:
        destination = place(request.query_params.get("destination", ""))
        await run_in_threadpool(self._storage.rename, _place(request), destination)
        return Response(status_code=204)


def _place(request: Request) -> Place:
    return place(raw_path(request, PREFIX))


def _range(header: str | None, size: int) -> tuple[int, int]:
    """The first and last byte to send. Raises RangeError."""
    if header is None:
        return 0, size - 1
    match = _RANGE.fullmatch(header)
    if match is None:
        raise RangeError(f"Range {header!r} is not supported by minipdk: use 'bytes=FIRST-' or 'bytes=FIRST-LAST'")
    first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    if first > last:
        raise RangeError(f"Range {header!r} is outside of the file, which has {size} bytes")
    return first, last


async def _blocks(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    try:
        while size and (block := await run_in_threadpool(file.read, min(size, BLOCK))):
            size -= len(block)
            yield block
    finally:
        file.close()
