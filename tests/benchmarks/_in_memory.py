"""The least a server can do on pachd's wire: files in a dictionary, nothing hashed, checked or stored.

Its time is that of the protocol and the client; `pachyderm` compares pachd with it. It is started as
``python -m tests.benchmarks._in_memory PORT``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

from minipdk.services.pachyderm import rpc, wire

CHUNK = 2 << 20


class Memory:
    """The calls of pfs_v2.API that the benchmark makes. Every commit is the same one."""

    def __init__(self) -> None:
        self._files: dict[str, list[bytes]] = {}

    def create_repo(self, _request: Any, _context: object) -> Any:
        return wire.Empty()

    def start_commit(self, request: Any, _context: object) -> Any:
        return wire.pfs.Commit(repo=request.branch.repo, id="0" * 32)

    def finish_commit(self, _request: Any, _context: object) -> Any:
        return wire.Empty()

    def modify_file(self, requests: Iterator[Any], _context: object) -> Any:
        for request in requests:
            if request.WhichOneof("body") == "add_file":
                self._files.setdefault(request.add_file.path, []).append(request.add_file.raw.value)
            elif request.WhichOneof("body") == "delete_file":
                self._files.pop(request.delete_file.path, None)
        return wire.Empty()

    def get_file(self, request: Any, _context: object) -> Iterator[Any]:
        for part in self._files[request.file.path]:
            for start in range(0, len(part), CHUNK):
                yield wire.BytesValue(value=part[start : start + CHUNK])

    def walk_file(self, request: Any, _context: object) -> Iterator[Any]:
        yield self._info(request.file.path + "/", 0)
        for path in sorted(path for path in self._files if path.startswith(request.file.path + "/")):
            yield self._info(path, sum(map(len, self._files[path])))

    def _info(self, path: str, size: int) -> Any:
        commit = wire.pfs.Commit(repo=wire.pfs.Repo(name="bench", type="user"), id="0" * 32)
        return wire.pfs.FileInfo(file=wire.pfs.File(commit=commit, path=path), size_bytes=size, hash=b"0" * 32)


if __name__ == "__main__":
    server = rpc.Server(int(sys.argv[1]), "", {"pfs": Memory()})
    server.start()
    threading.Event().wait()
