"""Start a module of this package in a bare interpreter, in about 20 ms, and read its report."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

Stream = int | IO[Any] | None
SOURCE_ROOT = str(Path(__file__).parents[2])
BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from minipdk.sandbox.{} import main; main()"


def spawn(
    module: str,
    config: dict[str, Any],
    descriptors: Sequence[int] = (),
    *,
    stdin: bytes | Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Run ``main`` of ``module`` with ``config``; returns the process and its report, empty if there is none.

    The module reads ``config`` from descriptor argv[1] and reports on descriptor argv[2]. Both use marshal: the interpreter
    is the same on both sides, and json takes milliseconds to import. ``descriptors`` stay open in the process.
    """
    reader, report = os.pipe()
    opened = [_memory_file(marshal.dumps(config))]
    if isinstance(stdin, bytes):
        stdin = _memory_file(stdin)
        opened.append(stdin)
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", BOOT.format(module), SOURCE_ROOT, str(opened[0]), str(report)],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            pass_fds=[opened[0], report, *descriptors],
            start_new_session=True,
        )
    finally:
        for descriptor in (*opened, report):
            os.close(descriptor)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    return process, marshal.loads(content) if content else {}  # noqa: S302  (written by the module)


def _memory_file(content: bytes) -> int:
    """A descriptor to read ``content`` from, without a file on disk or a thread that feeds a pipe."""
    descriptor = os.memfd_create("minipdk")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
