"""Runs user code on one datum: its private /pfs, its container, its log lines, and what it leaves in /pfs/out.

Inputs are hard links to the store in a layer of their own on top of the image's, so that user code may change or move its
inputs as on a real cluster, and only its container's private layer takes note.

A try ends well when the command exits with 0 or an accepted return code and everything below /pfs/out could be stored. After
a try that failed the error command runs in the same /pfs; if it succeeds the datum may be RECOVERED. A datum gets
``datum_tries`` tries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from minipdk import sandbox
from minipdk.home import Home
from minipdk.pachyderm.errors import PachydermError
from minipdk.pachyderm.pfs import Pfs
from minipdk.pachyderm.pps.datums import Datum
from minipdk.pachyderm.pps.environment import Worker, datum_environment
from minipdk.pachyderm.pps.logs import JobLog
from minipdk.sandbox import ContainerSpec, Mount
from minipdk.sandbox.errors import SandboxError

TAIL_LINES = 5
STOP_GRACE_S = 2.0


@dataclass(frozen=True)
class Plan:
    """How the containers of one job are made: everything but the datum. Timeouts are in seconds."""

    image: Any
    transform: Any
    worker: Worker
    mounts: tuple[Mount, ...]
    tries: int
    timeout: float | None


@dataclass
class Result:
    """What became of a datum: a DatumState's name, the file set it wrote, why it failed; times in ns, sizes in bytes."""

    state: str = "FAILED"
    fileset: str | None = None
    reason: str = ""
    download_time: int = 0
    process_time: int = 0
    upload_time: int = 0
    download_bytes: int = 0
    upload_bytes: int = 0


class FailedTryError(Exception):
    """A try came to nothing, for the reason given."""


class StoppedError(Exception):
    """The job was ended from outside while the datum ran."""


@dataclass
class DatumRun:
    """One datum on its way. `cancel` ends it for good, `restart` ends only the try that is running."""

    home: Home
    pfs: Pfs
    plan: Plan
    datum: Datum
    log: JobLog
    worker_id: str
    gpus: tuple[int, ...] = ()
    started: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._container: Any = None
        self._cancelled = False
        self._restarted = False

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            container = self._container
        if container is not None:
            container.stop(grace=STOP_GRACE_S)

    def restart(self) -> None:
        with self._lock:
            self._restarted = True
            container = self._container
        if container is not None:
            container.stop(grace=STOP_GRACE_S)

    def run(self) -> Result:
        """Try until it succeeds or the tries are used up. Raises StoppedError once cancelled."""
        result = Result()
        recovered = False
        for number in range(1, self.plan.tries + 1):
            folder = pfs_folder(self.home) / uuid.uuid4().hex
            try:
                self._try(folder, result)
            except FailedTryError as failure:
                result.reason = str(failure)
                self.log.write(self.worker_id, self.datum, f"try {number} of {self.plan.tries} failed: {failure}")
                recovered = self._recover(folder) or recovered
            else:
                result.state, result.reason = "SUCCESS", ""
                return result
            finally:
                remove_folder(folder)
        if recovered:
            result.state, result.reason = "RECOVERED", ""
        return result

    def _try(self, folder: Path, result: Result) -> None:
        result.download_bytes, result.download_time = self._timed(lambda: self._download(folder))
        began = time.perf_counter_ns()
        try:
            self._run_user_code(folder, self.plan.transform.cmd, self.plan.transform.stdin)
        finally:
            result.process_time = time.perf_counter_ns() - began
        began = time.perf_counter_ns()
        result.upload_bytes, result.fileset = self._upload(folder)
        result.upload_time = time.perf_counter_ns() - began

    @staticmethod
    def _timed(call: Any) -> tuple[int, int]:
        began = time.perf_counter_ns()
        return call(), time.perf_counter_ns() - began

    def _download(self, folder: Path) -> int:
        """Lay out /pfs: each input below its name, linked to the store, and an empty out. Returns the bytes."""
        (folder / "out").mkdir(parents=True, mode=0o700)
        for one in self.datum.inputs:
            target = inputs_of(folder) / one.name
            target.mkdir(parents=True, exist_ok=True)
            self.pfs.files.download(one.commit, one.path, target, empty=one.empty_files, link=True)
        return sum(one.file.size for one in self.datum.inputs if not one.empty_files)

    def _run_user_code(self, folder: Path, command: Any, stdin: Any) -> None:
        if not command:
            raise FailedTryError('invalid pipeline transform, no command specified: give transform.cmd, such as ["python3"]')
        self.log.write(self.worker_id, self.datum, "beginning to run user code")
        began = time.monotonic()
        code, tail = self._run_container(folder, list(command), list(stdin))
        took = f"{time.monotonic() - began:.3f}s"
        if code == 0 or code in self.plan.transform.accept_return_code:
            self.log.write(self.worker_id, self.datum, f"finished running user code after {took}")
            return
        last = f"; its last line was: {tail[-1]}" if tail else ""
        raise FailedTryError(f"{describe_exit(code)}{last}")

    def _recover(self, folder: Path) -> bool:
        """Run the error command in the failed try's /pfs; whether there is one and it succeeded."""
        transform = self.plan.transform
        if not transform.err_cmd or not folder.exists():
            return False
        try:
            code, _ = self._run_container(folder, list(transform.err_cmd), list(transform.err_stdin))
        except FailedTryError as failure:
            self.log.write(self.worker_id, self.datum, f"the error command failed: {failure}")
            return False
        if code != 0 and code not in transform.accept_return_code:
            self.log.write(self.worker_id, self.datum, f"the error command failed: {describe_exit(code)}")
            return False
        return True

    def _run_container(self, folder: Path, argv: list[str], stdin: list[str]) -> tuple[int, deque[str]]:
        """Run a command with this /pfs until it ends; its exit status and the last lines it wrote."""
        spec = ContainerSpec(
            image=replace(self.plan.image, layers=(*self.plan.image.layers, folder / "layer")),
            argv=argv,
            env=self._environment(),
            working_dir=self.plan.transform.working_dir or None,
            user=self.plan.transform.user or None,
            mounts=[Mount(source=folder / "out", target="/pfs/out"), *self.plan.mounts],
        )
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as output:
            with os.fdopen(writing, "wb") as sink:
                container = self._start(spec, "".join(line + "\n" for line in stdin).encode(), sink)
            copier = threading.Thread(target=self.log.copy, args=(output, self.worker_id, self.datum, tail), daemon=True)
            copier.start()
            try:
                code = container.wait(timeout=self.plan.timeout)
            except TimeoutError:
                container.stop(grace=STOP_GRACE_S)
                raise FailedTryError(f"it ran longer than the datum_timeout of {self.plan.timeout:g}s") from None
            finally:
                copier.join()
                self._end()
        return code, tail

    def _start(self, spec: ContainerSpec, stdin: bytes, sink: Any) -> Any:
        with self._lock:
            if self._cancelled:
                raise StoppedError
            try:
                self._container = sandbox.start(self.home, spec, stdin=stdin, stdout=sink, stderr=subprocess.STDOUT)
            except SandboxError as error:
                raise FailedTryError(f"the container could not start: {error}") from error
            return self._container

    def _end(self) -> None:
        """Forget the container that has ended, and say if it was ended from outside."""
        with self._lock:
            self._container = None
            if self._cancelled:
                raise StoppedError
            if self._restarted:
                self._restarted = False
                raise FailedTryError("the datum was restarted by a user")

    def _environment(self) -> Mapping[str, str]:
        visible = ",".join(map(str, self.gpus))
        return {"CUDA_VISIBLE_DEVICES": visible, **datum_environment(self.home, self.plan.worker, self.datum)}

    def _upload(self, folder: Path) -> tuple[int, str]:
        """Store what user code left in /pfs/out; its size in bytes and the file set's id."""
        out = folder / "out"
        try:
            for link in (path for path in walk_files(out) if path.is_symlink()):
                self._point_outside(link, folder)
            fileset = self.pfs.files.upload(out, pfs_root=inputs_of(folder))
            return sum(path.stat().st_size for path in walk_files(out) if path.is_file()), fileset
        except (PachydermError, OSError) as error:
            raise FailedTryError(f"what it wrote to /pfs/out could not be stored: {error}") from error

    def _point_outside(self, link: Path, folder: Path) -> None:
        """Let a link to a place below /pfs, as the container saw it, point there as seen from outside."""
        parts = link.readlink().parts
        if parts[:2] != ("/", "pfs"):
            return
        if parts[2:3] == ("out",):
            target = (folder / "out").joinpath(*parts[3:])
        else:
            target = inputs_of(folder).joinpath(*parts[2:])
            self._fill_empty_file(target, parts[2:])
        link.unlink()
        link.symlink_to(target)

    def _fill_empty_file(self, target: Path, parts: tuple[str, ...]) -> None:
        """A link to what was given as empty files means the files themselves: fetch them. ``parts``: input, then path."""
        for one in self.datum.inputs:
            if one.empty_files and one.name == parts[0] and target.exists():
                self.pfs.files.download(one.commit, "/" + "/".join(parts[1:]), target.parents[len(parts) - 2], link=True)


def describe_exit(code: int) -> str:
    """An exit status in words: "exit status 1", "killed by signal 9"."""
    return f"killed by signal {code - 128}" if code > 128 else f"exit status {code}"


def pfs_folder(home: Home) -> Path:
    """Where the private /pfs folders of running datums lie: on the store's own disk, so that files can be linked."""
    return home.folder("run") / "datums"


def inputs_of(folder: Path) -> Path:
    """Where a try's inputs lie: what its container sees as /pfs, but for /pfs/out."""
    return folder / "layer" / "root" / "pfs"


def remove_folder(folder: Path) -> None:
    """Remove a try's /pfs, also where user code took away its own permissions."""

    def unlock(function: Any, path: str, _error: Any) -> None:
        Path(path).parent.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)


def walk_files(folder: Path) -> list[Path]:
    """Every file and link below ``folder``, links not followed."""
    return [Path(root) / name for root, folders, names in os.walk(folder) for name in (*names, *_links(root, folders))]


def _links(root: str, folders: list[str]) -> list[str]:
    return [name for name in folders if (Path(root) / name).is_symlink()]
