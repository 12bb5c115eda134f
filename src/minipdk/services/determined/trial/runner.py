"""Runs a trial in its container, in the steps of Determined's entrypoint.sh: files, startup hook, entrypoint.

This is a fork of the zygote. If there is no hook, and the Python environment does not differ from the zygote's, the
entrypoint runs in this very process (warm); else a new interpreter executes it (cold), which is slower and otherwise the
same. The shell that sources the hook becomes the entrypoint: it keeps the folder, the umask, the limits and the variables
that the hook has set.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import random
import re
import runpy
import shlex
import sys
import tarfile
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from minipdk.common.home import Home
from minipdk.images import Image, ImageStore
from minipdk.sandbox import ContainerSpec, Mount, enter, launcher
from minipdk.sandbox.errors import SandboxError

Json = dict[str, Any]
RUN = Path("/run/determined")
HOOK = "startup-hook.sh"
SOURCE_HOOK = f'set -e; set -x; source ./{HOOK}; {{ set +x; }} 2>/dev/null; exec "$@"'
SHELL_SYNTAX = re.compile(r"[^\w\s./:@,+=-]")
TRIAL_CLASS = re.compile(r"[a-zA-Z0-9_.]+:[a-zA-Z0-9_]+")
GUARD: Json = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python 3.11.4 and newer (Debian 12 has 3.11.2) guard the extraction; the container's private root does so anyway."""
MATTERS_TO_PYTHON = ("PYTHON", "LD_", "VIRTUAL_ENV", "CONDA")


def main(home: Home, job: bytes, context: bytes) -> NoReturn:
    """Enter the container of ``job`` and run the trial; ends the process."""
    code = 1
    try:
        code = _run(home, json.loads(job), context)
    except SandboxError as error:
        _print(f"ERROR: the trial's container could not be made: {error}")
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException as error:  # any exception of the user's code ends its trial, as in an interpreter
        _print_traceback(error)
    finally:
        _finish(code)


def _run(home: Home, job: Json, context: bytes) -> int:
    image = ImageStore(home).resolve(job["image"])
    mounts = [Mount(Path(source), target, read_only) for source, target, read_only in job["mounts"]]
    inside = enter(home, ContainerSpec(image, env=job["env"], working_dir=job["work_dir"], mounts=mounts))
    _write_files(job["info"], context)
    argv = command(job["entrypoint"])
    if Path(HOOK).exists():
        launcher.execute(["bash", "-c", SOURCE_HOOK, "bash", *argv])
    prefixes = {sys.prefix, sys.base_prefix, str(Path.home() / ".local")}
    fresh = not any(inside.changed(prefix) for prefix in prefixes)
    target = python_target(argv)
    if target is None or not fresh or not _same_python(image):
        launcher.execute(argv)
    return _run_here(*target)


def command(entrypoint: str | list[str]) -> list[str]:
    """The argument list of an entrypoint: a Trial class by its name, a shell command, or a list already."""
    if isinstance(entrypoint, list):
        return entrypoint
    if TRIAL_CLASS.fullmatch(entrypoint):
        return ["python3", "-m", "determined.exec.harness", entrypoint]
    return ["sh", "-c", entrypoint]


def python_target(argv: list[str]) -> tuple[str, bool, list[str]] | None:
    """The (script or module, whether it is a module, its arguments) of a plain Python command; None for any other."""
    if argv[:2] == ["sh", "-c"] and len(argv) == 3 and not SHELL_SYNTAX.search(argv[2]):
        argv = shlex.split(argv[2])
    if len(argv) < 2 or argv[0] not in ("python", "python3"):
        return None
    if argv[1] == "-m" and len(argv) > 2:
        return argv[2], True, argv[3:]
    return None if argv[1].startswith("-") else (argv[1], False, argv[2:])


def _write_files(info: dict[str, Json], context: bytes) -> None:
    for folder in (RUN / "info", RUN / "train" / "model", RUN / "train" / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in info.items():
        (RUN / "info" / f"{name}.json").write_text(json.dumps(content))
    for number, name in ((1, "stdout"), (2, "stderr")):
        (RUN / "train" / "logs" / f"{name}.log").symlink_to(f"/proc/{os.getpid()}/fd/{number}")
    for target in (Path.cwd(), RUN / "train" / "model"):
        with tarfile.open(fileobj=io.BytesIO(context)) as archive:
            archive.extractall(target, **GUARD)  # noqa: S202  # GUARD is its filter


def _same_python(image: Image) -> bool:
    """Whether a new interpreter here would import the same files as this one has."""
    if any((layer / part).exists() for layer in image.layers for part in ("environment", "usr")):
        return False
    matter = {name for name in os.environ if name.startswith(MATTERS_TO_PYTHON)}
    return matter <= {"PYTHONUNBUFFERED"}


def _run_here(target: str, is_module: bool, arguments: list[str]) -> int:
    _become_fresh_interpreter()
    if is_module:
        sys.argv = [target, *arguments]
        sys.path.insert(0, str(Path.cwd()))
        sys.modules.pop(target, None)  # the zygote has imported the harness; runpy warns about imported modules
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    elif not Path(target).exists():
        _print(f"python3: can't open file '{Path(target).absolute()}': [Errno 2] No such file or directory")
        return 2
    else:
        sys.argv = [target, *arguments]
        sys.path.insert(0, str(Path(target).absolute().parent))
        runpy.run_path(target, run_name="__main__")
    return 0


def _become_fresh_interpreter() -> None:
    """Reset the state that a fork inherits and a new interpreter would not have: buffers, random state, thread counts."""
    sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
        threads = os.environ.get("OMP_NUM_THREADS", "")
        torch.set_num_threads(int(threads) if threads.isdecimal() and int(threads) else os.cpu_count() or 1)


def _print_traceback(error: BaseException) -> None:
    """As the interpreter would: from the user's first frame on."""
    frames: TracebackType | None = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>", runpy.__file__):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames, file=sys.stderr)


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    _print(str(end.code))
    return 1


def _finish(code: int) -> NoReturn:
    """End as an interpreter does: threads, exit handlers, buffers."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _print(message: str) -> None:
    os.write(2, f"{message}\n".encode())
