"""The command as a separate process for each call, with a separate configuration, against a real pachd."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from tests.conftest import end

from minipdk.common.home import Home
from minipdk.common.ports import HOST


@dataclass
class Done:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """A table's cells, its header first."""
        return [re.split(r" {2,}", line.strip()) for line in self.out.splitlines()]

    @property
    def documents(self) -> list[Any]:
        """What ``--raw`` printed."""
        decoder, documents, rest = json.JSONDecoder(), [], self.out.strip()
        while rest:
            document, end = decoder.raw_decode(rest)
            documents.append(document)
            rest = rest[end:].strip()
        return documents


def as_process(words: list[str], stdin: str, environment: dict[str, str], folder: Path) -> Done:
    """A call as a shell makes it."""
    command = [sys.executable, "-m", "pachctl", *words]
    done = subprocess.run(command, input=stdin, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Pachctl:
    """``pachctl("list repo")``: fails the test when the command fails; `refused` expects that it does."""

    config: Path
    folder: Path
    execute: Callable[[list[str], str, dict[str, str], Path], Done] = as_process

    def run(self, words: str | list[str], stdin: str = "", **environment: str) -> Done:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PACH")}
        split = words.split() if isinstance(words, str) else words
        return self.execute(split, stdin, {**kept, "PACH_CONFIG": str(self.config), **environment}, self.folder)

    def __call__(self, words: str | list[str], stdin: str = "", **environment: str) -> Done:
        done = self.run(words, stdin, **environment)
        assert done.code == 0, f"pachctl {words}: {done.err}"
        return done

    def refused(self, words: str | list[str], stdin: str = "", **environment: str) -> str:
        """The error message, a single line, of a failing call."""
        done = self.run(words, stdin, **environment)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done
        return done.err.rstrip("\n")

    @contextmanager
    def following(self, words: str) -> Iterator[IO[str]]:
        """The lines of a command that goes on until it is interrupted; ends it so."""
        command = [sys.executable, "-m", "pachctl", *words.split()]
        environment = {**os.environ, "PACH_CONFIG": str(self.config)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
            assert process.stdout
            try:
                yield process.stdout
            finally:
                status = end(process, signal.SIGINT, seconds=60)
            assert status == 130

    def file(self, name: str, content: str) -> str:
        """A local file; its name, as the command sees it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return name

    def repo(self, prefix: str = "repo") -> str:
        """A new repo of the cluster."""
        name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        self(f"create repo {name}")
        return name


def write_config(path: Path, address: str, token: str = "") -> Path:
    context = {"pachd_address": address, "session_token": token}
    path.write_text(json.dumps({"v2": {"active_context": "test", "contexts": {"test": context}}}))
    return path


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Done]]:
    """`as_process`, but forked from a process that has the imports behind it (see ``zygote``)."""
    streams = tmp_path_factory.mktemp("streams")
    command = [sys.executable, str(Path(__file__).with_name("zygote.py"))]
    zygote = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert zygote.stdin
    requests, statuses = zygote.stdin, zygote.stdout
    assert requests
    assert statuses

    def execute(words: list[str], stdin: str, environment: dict[str, str], folder: Path) -> Done:
        files = {name: streams / name for name in ("stdin", "out", "err")}
        for name, path in files.items():
            path.write_text(stdin if name == "stdin" else "")
        request = {"words": words, "env": environment, "cwd": str(folder)}
        requests.write(json.dumps(request | {name: str(path) for name, path in files.items()}) + "\n")
        requests.flush()
        return Done(int(statuses.readline()), files["out"].read_text(), files["err"].read_text())

    yield execute
    requests.close()
    zygote.wait(10)
    statuses.close()


@pytest.fixture(scope="module")
def pachctl(
    home: Home, run_service: Callable[..., Any], forked: Callable[..., Done], tmp_path_factory: pytest.TempPathFactory
) -> Pachctl:
    """The command, connected to a pachd of this module's own."""
    run_service(home, "pachyderm", "pachd", "s3")
    folder = tmp_path_factory.mktemp("pachctl")
    config = write_config(folder / "config.json", f"grpc://{HOST}:{home.port('pachd')}", home.token)
    return Pachctl(config, folder, forked)
