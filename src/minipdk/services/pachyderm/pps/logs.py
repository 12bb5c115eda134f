"""The log lines of pipelines: appended immediately, one file a job, and read back filtered or followed.

A file holds one JSON value a line: ``[time in ns, worker, datum, source, message]``, and before a datum's first line
``{"datum": id, "data": [[path, hash in hex], ...]}``. Lines survive pachd.

Logs are of bounded size, as a kubelet's are: a full file is set aside, in place of the one that was set aside before, and a
pipeline's oldest logs are removed. A line in the log says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from minipdk.common.home import Home
from minipdk.services.pachyderm.pps.model import Datum, Key
from minipdk.services.pachyderm.waiting import Signal, Steps

USER, WORKER, MASTER = "user", "worker", "master"
"""Who wrote a line: user code, the worker that ran it, or the master that distributes a job's datums."""
MAX_LINE = 1 << 16
FILE_BYTES, PIPELINE_BYTES = 16 << 20, 64 << 20
ASIDE = ".1"


@dataclass(frozen=True)
class Line:
    """A log line: ``ts`` in ns since 1970, ``source`` its writer, ``data`` the datum's (path, hash) pairs."""

    ts: int
    job: str
    worker: str
    datum: str
    source: str
    message: str
    data: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Filter:
    """The lines to read: of a job, of a datum ("": of all), with these input paths or hashes, not older than ``since``."""

    job: str = ""
    datum: str = ""
    data: tuple[str, ...] = ()
    since: int = 0
    master: bool = False

    def allows(self, line: Line) -> bool:
        return (
            line.ts >= self.since
            and self.master == (line.source == MASTER)
            and self.datum in ("", line.datum)
            and all(any(text in (path, digest.hex()) for path, digest in line.data) for text in self.data)
        )


class Logs:
    """Every pipeline's lines, below the cluster's logs folder."""

    def __init__(self, home: Home) -> None:
        self._root = home.folder("logs") / "pipelines"
        self._grown = Signal()
        self._open: set[Path] = set()

    def job(self, key: Key) -> JobLog:
        """Where a job's lines go."""
        self._make_room(self._folder(key))
        path = self._path(key)
        self._open.add(path)
        return JobLog(path, self._grown.give, lambda: self._open.discard(path))

    def _make_room(self, folder: Path) -> None:
        """Remove a pipeline's oldest logs, except running jobs', until it has room for another job's."""
        sizes = {path: path.stat().st_size + _size(_aside(path)) for path in _by_age(folder)}
        excess = sum(sizes.values()) + 2 * FILE_BYTES - PIPELINE_BYTES
        for path, size in sizes.items():
            if excess <= 0:
                break
            if path not in self._open and size > len(_removed(0)):
                _aside(path).unlink(missing_ok=True)
                path.write_bytes(_removed(path.stat().st_mtime_ns))
                excess -= size

    def delete_pipeline(self, key: Key) -> None:
        shutil.rmtree(self._folder(key), ignore_errors=True)

    def delete_job(self, key: Key) -> None:
        for path in (self._path(key), _aside(self._path(key))):
            path.unlink(missing_ok=True)

    def read(self, key: Key, lines: Filter, tail: int = 0) -> Iterator[Line]:
        """The lines that ``lines`` allows, by time; with ``tail`` only the last ``tail`` of each worker."""
        written = (line for tailer in self._tailers(key, lines) for line in tailer.read())
        matches = sorted((line for line in written if lines.allows(line)), key=lambda line: line.ts)
        return iter(_last(matches, tail) if tail > 0 else matches)

    def follow(self, key: Key, lines: Filter, tail: int = 0) -> Steps[Line]:
        """As `read`, then every new line as it is written."""
        tailers: dict[Path, _Tailer] = {}
        first = True
        while True:
            for tailer in self._tailers(key, lines):
                tailers.setdefault(tailer.path, tailer)
            written = sorted((line for tailer in tailers.values() for line in tailer.read()), key=lambda line: line.ts)
            matches = [line for line in written if lines.allows(line)]
            yield from _last(matches, tail) if first and tail > 0 else matches
            first = False
            yield self._grown

    def _folder(self, key: Key) -> Path:
        return self._root / key.project / key.pipeline

    def _path(self, key: Key) -> Path:
        if not re.fullmatch(r"[0-9a-zA-Z_-]+", key.id):
            raise ValueError(f"not a job id: {key.id!r}")
        return self._folder(key) / f"{key.id}.jsonl"

    def _tailers(self, key: Key, lines: Filter) -> list[_Tailer]:
        if lines.job:
            path = self._path(Key(key.project, key.pipeline, lines.job))
            return [_Tailer(path)] if path.exists() else []
        return [_Tailer(path) for path in sorted(self._folder(key).glob("*.jsonl"))]


def _by_age(folder: Path) -> list[Path]:
    """The logs of a pipeline's jobs, the oldest first."""
    return sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}{ASIDE}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _removed(ts: int) -> bytes:
    """The content of a log that was removed at the time ``ts`` of its last line."""
    text = f"the log of this job was removed: a pipeline keeps the newest {PIPELINE_BYTES >> 20} MiB of its jobs' logs"
    return f"{json.dumps([ts, '', '', WORKER, text])}\n".encode()


def _last(lines: list[Line], count: int) -> list[Line]:
    kept: dict[str, deque[Line]] = {}
    for line in lines:
        kept.setdefault(line.worker, deque(maxlen=count)).append(line)
    return sorted((line for some in kept.values() for line in some), key=lambda line: line.ts)


class JobLog:
    """Appends one job's lines; safe from any thread."""

    def __init__(self, path: Path, notify: Callable[[], None], closed: Callable[[], None]) -> None:
        self._path, self._notify, self._closed = path, notify, closed
        self._lost = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._announced: set[str] = set()

    def write(self, worker: str, datum: Datum | None, message: str, source: str = WORKER) -> None:
        """Append a line; ``datum`` is None if it concerns the job as a whole."""
        with self._lock:
            line = [time.time_ns(), worker, datum.id if datum else "", source, message]
            text = self._announced_text(datum, line)
            with contextlib.suppress(OSError):  # on a full disk the line is lost: user code must not wait for its log
                if os.fstat(self._open()).st_size + len(text) > FILE_BYTES:
                    self._set_aside(worker)
                    text = self._announced_text(datum, line)
                os.write(self._open(), text)
        self._notify()

    def _announced_text(self, datum: Datum | None, line: list[object]) -> bytes:
        """The line, after the datum's record if it is the datum's first in this file."""
        records: list[object] = [line]
        if datum is not None and datum.id not in self._announced:
            self._announced.add(datum.id)
            records.insert(0, {"datum": datum.id, "data": [[file.path, file.file.hash.hex()] for file in datum.inputs]})
        return "".join(json.dumps(record) + "\n" for record in records).encode()

    def _set_aside(self, worker: str) -> None:
        """Begin another file. Its first line says how much is lost with the one that was set aside before."""
        self._close()
        self._announced.clear()
        self._lost += _size(_aside(self._path))
        self._path.replace(_aside(self._path))
        if self._lost:
            kept = f"a job keeps the newest {2 * FILE_BYTES >> 20} MiB of its log"
            text = f"{self._lost >> 20} MiB of earlier lines were removed: {kept}"
            os.write(self._open(), self._announced_text(None, [time.time_ns(), worker, "", WORKER, text]))

    def close(self) -> None:
        with self._lock:
            self._close()
        self._closed()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor


class OutputCopier:
    """Appends the lines that user code writes to a pipe, in a separate thread until the pipe ends."""

    def __init__(self, log: JobLog, descriptor: int, worker: str, datum: Datum | None) -> None:
        self._log, self._descriptor, self._worker, self._datum = log, descriptor, worker, datum
        self._rest = b""
        self._ended = False
        self._lock = threading.Lock()
        self.last_line: str | None = None
        os.set_blocking(descriptor, False)
        self._thread = threading.Thread(target=self._copy, name="output", daemon=True)
        self._thread.start()

    def attribute(self, datum: Datum | None) -> None:
        """Attribute lines from now on to ``datum``; lines so far belong to the previous one."""
        with self._lock:
            self._drain()
            self._datum = datum

    def join(self) -> None:
        """Wait until the pipe has ended and every line is in the log."""
        self._thread.join()

    def _copy(self) -> None:
        while not self._ended:
            select.select([self._descriptor], [], [])
            with self._lock:
                self._drain()
        os.close(self._descriptor)

    def _drain(self) -> None:
        """Append the lines that are in the pipe now. The caller has the lock."""
        while not self._ended:
            try:
                read = os.read(self._descriptor, MAX_LINE)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + read).split(b"\n")
            if not read or len(self._rest) >= MAX_LINE:
                lines, self._rest = [*lines, *filter(None, [self._rest])], b""
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r")
                if any(character.isalnum() for character in text):
                    self.last_line = text  # a traceback may end in a quote sign, which explains nothing
                self._log.write(self._worker, self._datum, text, USER)
            self._ended = not read


class _Tailer:
    """Reads the new lines of a job's log, whole lines only: of the file that was set aside, then of the present one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._offset = 0
        self._data: dict[str, tuple[tuple[str, bytes], ...]] = {}

    def read(self) -> Iterator[Line]:
        aside, present = _inode(_aside(self.path)), _inode(self.path)
        if aside is not None and self._file != present:
            yield from self._lines(_aside(self.path), aside)
        if present is not None:
            yield from self._lines(self.path, present)

    def _lines(self, path: Path, inode: int) -> Iterator[Line]:
        if self._file != inode:
            self._file, self._offset = inode, 0
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        return
                    self._offset += len(raw)
                    if line := self._parse(raw):
                        yield line
        except FileNotFoundError:
            return

    def _parse(self, raw: bytes) -> Line | None:
        try:
            record = json.loads(raw)
        except ValueError:  # a torn write of a killed pachd, completed by its successor's first line
            return None
        if isinstance(record, dict):
            self._data[record["datum"]] = tuple((path, bytes.fromhex(digest)) for path, digest in record["data"])
            return None
        ts, worker, datum, source, message = record
        return Line(ts, self.path.stem, worker, datum, source, message, self._data.get(datum, ()))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
