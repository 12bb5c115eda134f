"""Runs a spout: user code without input or job, which commits to the pipeline's output as its client.

It has a token by which pachd knows it (see `minipdk.services.pachyderm.callers`), in PACH_TOKEN and in the pachctl
configuration that spouts find at /pachctl/config.json. When it ends, it is started again; a commit that it left open,
which nobody else could finish and on which no other could be made, is finished with an error.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minipdk.common.home import write_private
from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs import Branch, Pfs, Repo
from minipdk.services.pachyderm.pps.parts import Parts
from minipdk.services.pachyderm.pps.store import Key
from minipdk.services.pachyderm.pps.worker.environment import user_environment
from minipdk.services.pachyderm.pps.worker.long_running import keep_running
from minipdk.services.pachyderm.pps.worker.service_ports import open_port, service_of
from minipdk.services.pachyderm.pps.worker.user_code import Command, Plan, UserCode, new_folder, remove_folder

LEFT_OPEN = "the spout ended before it finished this commit"
LOG = "spout"
"""The job that a spout's log lines are said to belong to."""


def close_open_commit(pfs: Pfs, branch: Branch, *, error: str = "", description: str = "") -> None:
    """Finish the head of a spout's output branch, if it is open."""
    with pfs.transaction():
        head = pfs.inspect_commit(branch.repo.commit(branch.name))
        if not head.finishing:
            pfs.finish_commit(head.commit, error=error, description=description)


class SpoutRun:
    """A version of a spout being run, by each of its workers in a thread, until it is cancelled; then ``done`` is called."""

    def __init__(self, parts: Parts, pipeline: Any, plan: Plan, done: Callable[[], None]) -> None:
        self._parts, self._pipeline, self._plan, self._done = parts, pipeline, plan, done
        self.key = Key.of(pipeline.pipeline, LOG)
        self.version = pipeline.version
        self._log = parts.logs.job(self.key)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._running: set[UserCode] = set()
        self._thread = threading.Thread(target=self._main, name=f"spout {self.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def is_current(self, pipeline: Any | None) -> bool:
        """Whether this is what the pipeline, as it is now, is to run."""
        return pipeline is not None and not pipeline.stopped and pipeline.version == self.version

    def cancel(self) -> None:
        """End the containers and start no more."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            running = list(self._running)
        for code in running:
            threading.Thread(target=code.stop, daemon=True).start()

    def _main(self) -> None:
        names = [f"{self.key.project}-{self.key.pipeline}-v{self.version}-{n}" for n in range(self._pipeline.parallelism)]
        workers = [threading.Thread(target=self._work, args=(name,), name=name, daemon=True) for name in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._log.close()
        self._done()

    def _work(self, worker: str) -> None:
        with self._parts.gpus.take(self._pipeline.details.resource_limits.gpu.number) as gpus:
            keep_running(
                lambda: self._run_once(worker, gpus), self._ended, lambda message: self._log.write(worker, None, message)
            )

    def _run_once(self, worker: str, gpus: tuple[int, ...]) -> str:
        folder = new_folder(self._parts.home)
        try:
            with open_port(service_of(self._pipeline.details)):
                return self._run_code(worker, self._command(folder, gpus))
        except OSError as error:
            return f"the service's external port cannot be opened: {error}"
        finally:
            remove_folder(folder)

    def _command(self, folder: Path, gpus: tuple[int, ...]) -> Command:
        root = folder / "layer" / "root"
        (root / "pfs").mkdir(parents=True)
        (root / "pachctl").mkdir()
        write_private(root / "pachctl" / "config.json", json.dumps(self._pachctl_configuration()))
        environment = user_environment(self._parts.home, self._plan.worker, None)
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        transform = self._plan.transform
        return Command(list(transform.cmd), list(transform.stdin), environment, layers=(folder / "layer",))

    def _pachctl_configuration(self) -> dict[str, Any]:
        context = {
            "pachd_address": self._parts.home.url("pachd", "grpc"),
            "project": self.key.project,
            "session_token": self._plan.worker.token,
        }
        return {"v2": {"active_context": "spout", "contexts": {"spout": context}, "metrics": False}}

    def _run_code(self, worker: str, command: Command) -> str:
        """Run the command until it ends or is ended; how that was, in words."""
        with self._lock:
            if self._ended.is_set():
                return "stopped"
            if not self._running:
                self._close_open_commit()
            code = UserCode(self._parts.home, self._plan, command, self._log, worker)
            self._running.add(code)
        try:
            return code.failure(code.wait())
        finally:
            with self._lock:
                self._running.discard(code)

    def _close_open_commit(self) -> None:
        branch = Repo(self.key.project, self.key.pipeline).branch(self._pipeline.details.output_branch)
        with contextlib.suppress(NotFoundError):  # the pipeline is being deleted
            close_open_commit(self._parts.pfs, branch, error=LEFT_OPEN)
