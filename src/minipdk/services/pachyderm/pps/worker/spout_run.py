"""Runs a spout: user code without input or job, which commits to the pipeline's output as its client.

Its token, by which pachd knows it (see `minipdk.services.pachyderm.callers`), is in PACH_TOKEN and in the pachctl
configuration that spouts read at /pachctl/config.json. When it ends, it starts again. A commit that it left open is finished
with an error, because no other client could finish it and no new commit could be made on it.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

from minipdk.common.home import write_private
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs import Pfs, Repo
from minipdk.services.pachyderm.pps.branches import LEFT_OPEN, close_open_commit
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.messages import service_of
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.worker.environment import user_environment
from minipdk.services.pachyderm.pps.worker.folders import new_folder, remove_folder
from minipdk.services.pachyderm.pps.worker.plans import Plan
from minipdk.services.pachyderm.pps.worker.service_ports import open_port
from minipdk.services.pachyderm.pps.worker.user_code import Command, UserCode, keep_running

LOG = "spout"
"""The job of a spout's log lines."""


class SpoutRun:
    """A running version of a spout, each worker in a thread, until it is cancelled; then ``done`` is called."""

    def __init__(self, pfs: Pfs, logs: Logs, pipeline: wire.pps.PipelineInfo, plan: Plan, done: Callable[[], None]) -> None:
        self._pfs, self._pipeline, self._plan, self._done = pfs, pipeline, plan, done
        self.key = Key.of(pipeline.pipeline, LOG)
        self.version = pipeline.version
        self._log = logs.job(self.key)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._running: set[UserCode] = set()
        self._thread = threading.Thread(target=self._main, name=f"spout {self.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until it has ended, for at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def is_current(self, pipeline: wire.pps.PipelineInfo | None) -> bool:
        """Whether the pipeline, as it is now, should run this."""
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
        with self._plan.take_gpus() as gpus:
            keep_running(
                lambda: self._run_once(worker, gpus), self._ended, lambda message: self._log.write(worker, None, message)
            )

    def _run_once(self, worker: str, gpus: tuple[int, ...]) -> str:
        folder = new_folder(self._plan.home)
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
        environment = user_environment(self._plan.home, self._plan.worker, None)
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        transform = self._plan.transform
        return Command(list(transform.cmd), list(transform.stdin), environment, layers=(folder / "layer",))

    def _pachctl_configuration(self) -> dict[str, object]:
        context = {
            "pachd_address": self._plan.home.url("pachd", "grpc"),
            "project": self.key.project,
            "session_token": self._plan.worker.token,
        }
        return {"v2": {"active_context": "spout", "contexts": {"spout": context}, "metrics": False}}

    def _run_code(self, worker: str, command: Command) -> str:
        """Run the command until it ends or is ended; returns how it ended, in words."""
        with self._lock:
            if self._ended.is_set():
                return "stopped"
            if not self._running:
                self._close_open_commit()
            code = UserCode(self._plan, command, self._log, worker)
            self._running.add(code)
        try:
            return code.failure(code.wait())
        finally:
            with self._lock:
                self._running.discard(code)

    def _close_open_commit(self) -> None:
        branch = Repo(self.key.project, self.key.pipeline).branch(self._pipeline.details.output_branch)
        with contextlib.suppress(NotFoundError):  # the pipeline is being deleted
            close_open_commit(self._pfs, branch, error=LEFT_OPEN)
