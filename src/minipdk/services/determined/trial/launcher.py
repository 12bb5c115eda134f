"""The master's side of the zygote: starts it on first use, hands it jobs, and reports how they ended."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from minipdk.common.home import Home

log = logging.getLogger(__name__)
LOST = -1
"""The exit status of a trial whose zygote ended."""
FAILED = 1
"""The exit status of a trial whose zygote could not even start: to retry without end would not help."""


class Launcher:
    """Starts trials. ``on_started(allocation)`` and ``on_ended(allocation, status)`` are called from its own thread."""

    def __init__(self, home: Home, on_started: Callable[[str], None], on_ended: Callable[[str, int], None]) -> None:
        self._home = home
        self._on_started = on_started
        self._on_ended = on_ended
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs: set[str] = set()

    def warm_up(self) -> None:
        """Start the zygote, if it does not run, without waiting for its imports.

        This takes about three seconds and 300 MB. The master does not do it when it starts, because many clusters never
        train and the start of the others would be slower; a login is the first sign of training.
        """
        with self._lock:
            self._running_socket()

    def start(self, job: dict[str, Any], context: bytes, stdout: int, stderr: int) -> None:
        """Start the trial that ``job`` describes, writing to the descriptors ``stdout`` and ``stderr``."""
        allocation = job["allocation"]
        with ExitStack() as files, self._lock:
            described, packed = _memory_file(files, json.dumps(job).encode()), _memory_file(files, context)
            zygote = self._running_socket()
            self._jobs.add(allocation)
            try:
                message = json.dumps({"start": allocation}).encode()
                socket.send_fds(zygote, [message], [stdout, stderr, described, packed])
            except OSError:
                self._jobs.discard(allocation)
                raise

    def kill(self, allocation: str) -> None:
        """End everything in the trial's container."""
        with self._lock:
            if self._socket and allocation in self._jobs:
                self._socket.send(json.dumps({"kill": allocation}).encode())

    def stop(self) -> None:
        """End the zygote and with it every trial."""
        with self._lock:
            if self._process:
                self._process.kill()
                self._process.wait()

    def _running_socket(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            threading.Thread(target=self._run_zygote, args=(self._socket, theirs), daemon=True, name="launcher").start()
        return self._socket

    def _run_zygote(self, ours: socket.socket, theirs: socket.socket) -> None:
        """Start the zygote and listen to it. In one thread: the kernel ends a child with the *thread* that started it."""
        arguments = ["--home", str(self._home.path), "--socket", str(theirs.fileno()), "--master", str(os.getpid())]
        process = self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "minipdk.services.determined.trial.zygote", *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
        )
        theirs.close()
        lost_status = FAILED
        while data := _receive(ours):
            message = json.loads(data)
            if message.get("ready"):
                lost_status = LOST
            elif allocation := message.get("started"):
                self._on_started(allocation)
            elif allocation := message.get("ended"):
                with self._lock:
                    self._jobs.discard(allocation)
                self._on_ended(allocation, message["status"])
        log.warning("the zygote ended with status %s", process.wait())
        with self._lock:
            ours.close()
            self._socket, lost = None, self._jobs
            self._jobs = set()
        for allocation in lost:
            self._on_ended(allocation, lost_status)


def _receive(zygote: socket.socket) -> bytes:
    try:
        return zygote.recv(4096)
    except OSError:
        return b""


def _memory_file(files: ExitStack, content: bytes) -> int:
    """A descriptor of a file in memory, closed with ``files``."""
    descriptor = os.memfd_create("trial")
    files.callback(os.close, descriptor)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor
