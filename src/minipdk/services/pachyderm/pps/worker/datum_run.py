"""Runs user code on one datum: its private /pfs, its container, its log lines, and the files that it leaves in /pfs/out.

Inputs are hard links to the store in a separate layer on top of the image's, so that user code may change or move its inputs
as on a real cluster, and only the private layer of its container changes.

A try succeeds when the command exits with 0 or an accepted return code and everything below /pfs/out could be stored. After
a try that failed the error command runs in the same /pfs; if it succeeds the datum may be RECOVERED. A datum gets
``datum_tries`` tries.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from minipdk.sandbox import Mount
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs, Upload
from minipdk.services.pachyderm.pfs.messages import file_info_message
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.errors import FailedTryError, StoppedError
from minipdk.services.pachyderm.pps.logs import JobLog
from minipdk.services.pachyderm.pps.messages import datum_state
from minipdk.services.pachyderm.pps.model import Datum, DatumState, Key
from minipdk.services.pachyderm.pps.worker.environment import datum_variables, dotenv, user_environment
from minipdk.services.pachyderm.pps.worker.folders import new_folder, remove_folder
from minipdk.services.pachyderm.pps.worker.plans import Plan
from minipdk.services.pachyderm.pps.worker.user_code import Command, UserCode, describe_exit

ENV_FILE = ".env"
MAX_LINKS = 40  # Linux's own limit of the links in a path


@dataclass
class Result:
    """The end of a datum: its state, its output, why it failed; times in ns, sizes in bytes."""

    state: DatumState = "FAILED"
    upload: Upload | None = None
    reason: str = ""
    download_time: int = 0
    process_time: int = 0
    upload_time: int = 0
    download_bytes: int = 0
    upload_bytes: int = 0


@dataclass
class DatumRun:
    """A datum being processed. `cancel` ends it for good, `restart` ends only the running try."""

    pfs: Pfs
    plan: Plan
    datum: Datum
    log: JobLog
    worker_id: str
    gpus: tuple[int, ...] = ()
    started: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._code: UserCode | None = None
        self._cancelled = False
        self._restarted = False

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
        self._interrupt()

    def restart(self) -> None:
        with self._lock:
            self._restarted = True
        self._interrupt()

    def _interrupt(self) -> None:
        """End the running code."""
        with self._lock:
            code = self._code
        if code is not None:
            code.stop()

    def matches(self, filters: Iterable[str]) -> bool:
        """Whether the datum's inputs hold every one of these paths or hashes (in hex)."""
        return all(any(text in (file.path, file.file.hash.hex()) for file in self.datum.inputs) for text in filters)

    def status(self) -> wire.pps.WorkerStatus:
        """The worker as a WorkerStatus message."""
        status = wire.pps.WorkerStatus(worker_id=self.worker_id, job_id=self.plan.worker.job)
        messages.set_time(status.datum_status.started, self.started)
        for file in self.datum.inputs:
            status.datum_status.data.add(path=file.path, hash=file.file.hash)
        return status

    def info(self, result: Result) -> wire.pps.DatumInfo:
        """The datum and its result as a DatumInfo message."""
        worker, datum = self.plan.worker, self.datum
        info = wire.pps.DatumInfo(state=datum_state(result.state), image_id=self.plan.transform.image)
        info.datum.id = datum.id
        info.datum.job.CopyFrom(messages.job(Key(worker.project, worker.pipeline, worker.job)))
        info.data.extend(file_info_message(file.file) for file in datum.inputs)
        for name in ("download_time", "process_time", "upload_time"):
            messages.set_time(getattr(info.stats, name), getattr(result, name))
        info.stats.download_bytes, info.stats.upload_bytes = result.download_bytes, result.upload_bytes
        return info

    def run(self) -> Result:
        """Try until it succeeds or the tries are used up. Raises StoppedError once cancelled."""
        result = Result()
        recovered = False
        for number in range(1, self.plan.tries + 1):
            folder = new_folder(self.plan.home)
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
            self._run_user_code(folder)
        finally:
            result.process_time = time.perf_counter_ns() - began
        began = time.perf_counter_ns()
        result.upload_bytes, result.upload = self._upload(folder)
        result.upload_time = time.perf_counter_ns() - began

    @staticmethod
    def _timed(call: Callable[[], int]) -> tuple[int, int]:
        began = time.perf_counter_ns()
        return call(), time.perf_counter_ns() - began

    def _download(self, folder: Path) -> int:
        """Arrange /pfs: each input below its name, linked to the store, and an empty out. Returns the bytes."""
        (folder / "out").mkdir(parents=True, mode=0o700)
        inputs = self._inputs(folder)
        for file in self.datum.inputs:
            target = inputs / file.name
            target.mkdir(parents=True, exist_ok=True)
            if not file.s3:
                self.pfs.files.download(file.commit, file.path, target, empty=file.empty_files, link=self._link)
        (inputs / ENV_FILE).write_text(dotenv(datum_variables(self.datum)))
        return sum(file.file.size for file in self.datum.inputs if not file.empty_files and not file.s3)

    _link = True
    """Whether inputs are hard links to the store: the container must not write through them."""

    @staticmethod
    def _inputs(folder: Path) -> Path:
        """The folder of a try's inputs: its container sees it as /pfs, with /pfs/out mounted in it."""
        return folder / "layer" / "root" / "pfs"

    def _run_user_code(self, folder: Path) -> None:
        transform = self.plan.transform
        self.log.write(self.worker_id, self.datum, "beginning to run user code")
        began = time.monotonic()
        status, code = self._run_container(self._command(folder, transform.cmd, transform.stdin))
        took = f"{time.monotonic() - began:.3f}s"
        if status != 0 and status not in transform.accept_return_code:
            raise FailedTryError(code.failure(status))
        self.log.write(self.worker_id, self.datum, f"finished running user code after {took}")

    def _recover(self, folder: Path) -> bool:
        """Run the error command, if any, in the failed try's /pfs; returns whether it succeeded."""
        transform = self.plan.transform
        if not transform.err_cmd or not folder.exists():
            return False
        try:
            status, _ = self._run_container(self._command(folder, transform.err_cmd, transform.err_stdin))
        except FailedTryError as failure:
            self.log.write(self.worker_id, self.datum, f"the error command failed: {failure}")
            return False
        if status != 0 and status not in transform.accept_return_code:
            self.log.write(self.worker_id, self.datum, f"the error command failed: {describe_exit(status)}")
            return False
        return True

    def _command(self, folder: Path, argv: Iterable[str], stdin: Iterable[str]) -> Command:
        """A command with this try's /pfs."""
        mounts = () if self.plan.s3_out else (Mount(source=folder / "out", target="/pfs/out"),)
        output = ("/pfs/out", "/pfs") if self.plan.keeps_output else None
        return Command(list(argv), list(stdin), self._environment(), self.datum, mounts, (folder / "layer",), output)

    def _run_container(self, command: Command) -> tuple[int, UserCode]:
        """Run a command until it ends; returns its exit status, and the code, which has its last line."""
        code = self._start(command)
        try:
            return code.wait(self.plan.timeout), code
        except TimeoutError:
            code.stop()
            code.wait()
            raise FailedTryError(self._too_long()) from None
        finally:
            self._end()

    def _too_long(self) -> str:
        return f"it ran longer than the datum_timeout of {self.plan.timeout:g}s"

    def _start(self, command: Command) -> UserCode:
        with self._lock:
            if self._cancelled:
                raise StoppedError
            self._code = UserCode(self.plan, command, self.log, self.worker_id)
            return self._code

    def _end(self) -> None:
        """Drop the code that has ended. Raises StoppedError or FailedTryError if it was ended from outside."""
        with self._lock:
            self._code = None
            if self._cancelled:
                raise StoppedError
            if self._restarted:
                self._restarted = False
                raise FailedTryError("the datum was restarted by a user")

    def _environment(self) -> Mapping[str, str]:
        visible = ",".join(map(str, self.gpus))
        return {"CUDA_VISIBLE_DEVICES": visible, **user_environment(self.plan.home, self.plan.worker, self.datum)}

    def _upload(self, folder: Path) -> tuple[int, Upload | None]:
        """Read the files that user code left in /pfs/out; returns their size in bytes, and the files."""
        if not self.plan.keeps_output:
            return 0, None
        out = folder / "out"
        if out.is_symlink() or not out.is_dir():
            raise FailedTryError("its /pfs/out is no longer the folder that it was")
        try:
            for link in (path for path in walk_files(out) if path.is_symlink()):
                self._point_outside(link, folder)
            upload = self.pfs.files.prepare(out, pfs_root=self._inputs(folder))
            return self._uploaded_bytes(folder), upload
        except (PachydermError, OSError) as error:
            raise FailedTryError(f"what it wrote to /pfs/out could not be stored: {error}") from error

    def _uploaded_bytes(self, folder: Path) -> int:
        """The size of the output without links to inputs: as at the vendor's worker, these bytes are stored already."""
        inputs = self._inputs(folder).resolve()
        files = (path for path in walk_files(folder / "out") if path.is_file())
        return sum(path.stat().st_size for path in files if not path.resolve().is_relative_to(inputs))

    def _point_outside(self, link: Path, folder: Path) -> None:
        """Redirect a link to a path below /pfs in the container, maybe over further links, to the same file outside it."""
        place = self._followed(PurePosixPath("/pfs/out", *link.relative_to(folder / "out").parts), folder)
        if place.parts[:2] != ("/", "pfs"):
            return
        target = self._outside(place, folder)
        if place.parts[2:3] != ("out",):
            self._fill_empty_file(target, place.parts[2:])
        link.unlink()
        link.symlink_to(target)

    def _followed(self, path: PurePosixPath, folder: Path) -> PurePosixPath:
        """The path in the container that ``path`` leads to, as far as its links are below /pfs."""
        place, names = PurePosixPath("/"), list(reversed(path.parts[1:]))
        followed = 0
        while names:
            name = names.pop()
            if name == "..":
                place = place.parent
                continue
            outside = self._outside(place / name, folder) if place.parts[1:2] == ("pfs",) else None
            if outside is None or not outside.is_symlink():
                place /= name
                continue
            followed += 1
            if followed > MAX_LINKS:
                raise PachydermError(f"the symbolic link {path} leads in a circle")
            target = PurePosixPath(outside.readlink())
            names += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            place = PurePosixPath("/") if target.is_absolute() else place
        return place

    def _outside(self, path: PurePosixPath, folder: Path) -> Path:
        """Where the container's path below /pfs is outside it."""
        if path.parts[2:3] == ("out",):
            return (folder / "out").joinpath(*path.parts[3:])
        return self._inputs(folder).joinpath(*path.parts[2:])

    def _fill_empty_file(self, target: Path, parts: tuple[str, ...]) -> None:
        """Fetch a file that user code saw empty, because a link to it means its content. ``parts``: input, then path."""
        for file in self.datum.inputs:
            if file.empty_files and file.name == parts[0] and target.exists():
                self.pfs.files.download(file.commit, "/" + "/".join(parts[1:]), target.parents[len(parts) - 2], link=True)


def walk_files(folder: Path) -> list[Path]:
    """Every file and link below ``folder``, links not followed."""
    return [Path(root) / name for root, folders, names in os.walk(folder) for name in (*names, *_links(root, folders))]


def _links(root: str, folders: list[str]) -> list[str]:
    return [name for name in folders if (Path(root) / name).is_symlink()]
