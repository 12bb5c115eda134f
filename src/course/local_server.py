"""Run a model server on this machine, as a process or from its image: at a free port of loopback, with its log kept."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

import requests

from course.commands import printed
from course.progress import WaitTimeoutError, wait_for

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 30
TIMEOUT_SECONDS = 30


class LocalServer:
    """The server that ``command``, a program and its arguments, starts in ``folder``.

    It gets its port in HTTP_PORT, and ``variables``. A server that the same command started there before ends. The
    constructor returns when the server answers, has ended, or has taken ``seconds``: see `ready`, `ended` and `log`.
    """

    _running: ClassVar[dict[tuple[str, Path], LocalServer]] = {}

    def __init__(self, command: str, folder: Path, *, seconds: float = START_SECONDS, **variables: str) -> None:
        self._place = (command, folder.resolve())
        if earlier := self._running.get(self._place):
            earlier.stop()
        self.port = _free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._file, self._lines = tempfile.TemporaryFile(), list[str]()  # noqa: SIM115  # it lives as long as the server
        self._process = subprocess.Popen(
            shlex.split(command),
            cwd=folder,
            env=os.environ | variables | {"HTTP_PORT": str(self.port)},
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )
        self._running[self._place] = self
        atexit.register(self.stop)
        with contextlib.suppress(WaitTimeoutError):
            wait_for(command, self._look, seconds=seconds)

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self._process.poll() is not None

    @property
    def ready(self) -> bool:
        """Whether it answers requests."""
        if self.ended:
            return False
        try:
            return requests.get(f"{self.url}/v2/health/ready", timeout=TIMEOUT_SECONDS).ok
        except requests.RequestException:
            return False

    @property
    def models(self) -> list[str]:
        """The names of the models that it has loaded; none while it does not answer."""
        if not self.ready:
            return []
        return list(requests.get(f"{self.url}/v2/models", timeout=TIMEOUT_SECONDS).json()["models"])

    @property
    def log(self) -> list[str]:
        """The lines that it has printed."""
        if self._file.closed:
            return self._lines
        return printed(self._file).splitlines()

    def ask(self, model: str, instances: list[list[float]]) -> requests.Response:
        """The answer of ``model`` to ``instances`` in protocol v1."""
        url = f"{self.url}/v1/models/{model}:predict"
        return requests.post(url, json={"instances": instances}, timeout=TIMEOUT_SECONDS)

    def predict(self, model: str, instances: list[list[float]]) -> list[int]:
        """The predictions for ``instances``. Raises HTTPError for an error status."""
        response = self.ask(model, instances)
        response.raise_for_status()
        return list(response.json()["predictions"])

    def stop(self) -> None:
        """End it after its current requests. Its log can still be read."""
        if not self.ended:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._lines = self.log
        self._file.close()
        if self._running.get(self._place) is self:
            del self._running[self._place]
        atexit.unregister(self.stop)

    def _look(self) -> tuple[bool, str, None]:
        return self.ended or self.ready, "starting", None


def _free_port() -> int:
    """A port for the server to bind within a minute: until then the kernel gives it to no other that asks for any port.

    The reason is a connection that has just ended there (TIME_WAIT). A server that sets SO_REUSEADDR can bind it.
    """
    with socket.create_server((HOST, 0)) as reserving, socket.create_connection(reserving.getsockname()) as client:
        accepted, _ = reserving.accept()
        accepted.close()
        client.recv(1)
        return int(reserving.getsockname()[1])
