"""A process that has torch and Determined's harness imported already, and forks for every trial.

Imports are over half of a short trial. The fork enters the trial's container (`minipdk.sandbox.enter`) and becomes the
trial there. Single-threaded, since a fork keeps only the thread that makes it. It is a separate process, so that the
master stays small and quick to answer.

The master writes to a SOCK_SEQPACKET socket ``{"start": allocation}`` with four descriptors (stdout, stderr, the job as
JSON, the model definition as tar.gz) or ``{"kill": allocation}``, and reads ``{"ready": true}`` once, then
``{"started": allocation}`` and ``{"ended": allocation, "status": n}``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from minipdk.common.home import load
from minipdk.common.processes import die_with_parent

PRELOADED = (
    "minipdk.services.determined.trial.runner",
    "torch",
    "torch.utils.data",
    "torch.utils.tensorboard",
    "determined.pytorch",
    "determined.exec.harness",
    "pandas",
)
MAX_MESSAGE = 4096
KILL_REQUEST = signal.SIGUSR1  # the container's launcher kills everything inside


class Zygote:
    def __init__(self, home: Path, master: socket.socket) -> None:
        self._home = home
        self._master = master
        self._selector = selectors.DefaultSelector()
        self._selector.register(master, selectors.EVENT_READ)
        self._children: dict[str, int] = {}

    def serve(self) -> None:
        """Fork trials until the master closes the socket."""
        self._send({"ready": True})
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._master:
                    if not self._receive():
                        return
                else:
                    self._reap(key.fd, key.data)

    def _receive(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._master, MAX_MESSAGE, 4)
        if not data:
            return False
        message = json.loads(data)
        if allocation := message.get("kill"):
            if pid := self._children.get(allocation):
                with suppress(ProcessLookupError):
                    os.kill(pid, KILL_REQUEST)
        else:
            self._start(message["start"], list(descriptors))
        return True

    def _start(self, allocation: str, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_trial(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children[allocation] = pid
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (allocation, pid))
        self._send({"started": allocation})

    def _become_trial(self, descriptors: list[int]) -> None:
        from minipdk.services.determined.trial import runner

        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()
        stdout, stderr, job, context = descriptors
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.close(stdout)
        os.close(stderr)
        runner.main(load(self._home), _read(job), _read(context))

    def _reap(self, pidfd: int, child: tuple[str, int]) -> None:
        allocation, pid = child
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._selector.unregister(pidfd)
        os.close(pidfd)
        del self._children[allocation]
        self._send({"ended": allocation, "status": status if status >= 0 else 128 - status})

    def _send(self, message: dict[str, Any]) -> None:
        self._master.send(json.dumps(message).encode())


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--master", type=int, required=True, help="process id to die with")
    arguments = parser.parse_args()
    if not die_with_parent(arguments.master):
        sys.exit("the master has ended")
    for name in PRELOADED:
        with suppress(ImportError):  # an environment without pandas can still train
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # children do not touch, and so do not copy, the modules loaded here
    Zygote(arguments.home, socket.socket(fileno=arguments.socket)).serve()


if __name__ == "__main__":
    main()
