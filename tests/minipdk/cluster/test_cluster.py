"""The minipdk command on a real cluster: it starts, reports its state, heals, and forgets only when asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import psutil
import pytest
from dotenv import dotenv_values
from tests.conftest import new_home, wait_for

from minipdk import cli, cluster
from minipdk.common import readiness
from minipdk.common.home import Home, load, save
from minipdk.common.ports import HOST, hold, is_listening
from minipdk.common.readiness import State
from minipdk.services.ingress import counts


def minipdk(
    home: Home, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "minipdk", *arguments, "--home", str(home.path)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.fixture(scope="session")
def another_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modules of the names of packages that the command and its services use; they cannot be imported."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("typer", "rich", "grpc", "uvicorn", "starlette", "envoy", "yaml"):
        (folder / f"{name}.py").write_text("raise ImportError('of another Python')")
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = new_home(tmp_path_factory.mktemp("cluster") / "home")
    result = minipdk(home, "start")
    assert result.returncode == 0, result.stderr
    yield load(home.path)
    minipdk(home, "stop")


def pid_of(home: Home, service: str) -> int:
    return next(process.pid for process in cluster.status(home) if process.process.name == service)


def test_start_returns_when_every_service_answers_and_prints_the_addresses(running: Home) -> None:
    assert all(process.ready for process in cluster.status(running))
    again = minipdk(running, "start")
    assert again.returncode == 0
    for address in (running.url("pachd", "grpc"), running.url("determined"), running.url("kubernetes", "https")):
        assert address in again.stdout
    assert "Next:" in again.stdout


def test_starting_a_running_cluster_leaves_its_services_alone(running: Home) -> None:
    before = [process.pid for process in cluster.status(running)]
    minipdk(running, "start")
    assert [process.pid for process in cluster.status(running)] == before


@pytest.mark.parametrize("output", ["shell", "dotenv", "json"])
def test_env_tells_the_same_truth_in_every_format(running: Home, output: str) -> None:
    printed = minipdk(running, "env", "--format", output).stdout
    if output == "json":
        printed_variables = json.loads(printed)
    elif output == "dotenv":
        printed_variables = dict(line.split("=", 1) for line in printed.splitlines())
    else:
        shell = subprocess.run(["env", "-i", "sh", "-c", f"{printed}\nenv"], capture_output=True, text=True).stdout
        printed_variables = {
            k: v for k, _, v in (line.partition("=") for line in shell.splitlines()) if k in cluster.environment(running)
        }
    assert printed_variables == cluster.environment(running)


@pytest.mark.parametrize("service", [process.name for process in cluster.PROCESSES])
def test_a_service_that_is_killed_comes_back(running: Home, service: str) -> None:
    before = pid_of(running, service)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: pid_of(running, service) not in (0, before), what=f"{service} to be started again")
    wait_for(lambda: all(process.ready for process in cluster.status(running)), what="every service to answer")


def test_a_suspended_process_is_not_ready(running: Home) -> None:
    suspended = [psutil.Process(process.pid) for process in cluster.status(running)]
    suspended[-1] = next(child for child in suspended[-1].children() if child.name() == "envoy")  # it has the ingress's port
    for process in suspended:
        process.suspend()
    began = time.monotonic()
    states = [process.state for process in cluster.status(running)]
    assert time.monotonic() - began < 20 * readiness.SECONDS
    for process in suspended:
        process.resume()
    assert states == [State.SILENT] * len(cluster.PROCESSES)
    wait_for(lambda: all(process.ready for process in cluster.status(running)), what="every service to answer")


def test_the_ports_of_a_cluster_are_its_own_while_it_runs(running: Home) -> None:
    victim = pid_of(running, "pachyderm")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: pid_of(running, "pachyderm") != victim, what="the service to be down")
    assert [hold(port) for port in running.identity.ports.values()] == [None] * 5
    wait_for(lambda: all(process.ready for process in cluster.status(running)), what="every service to answer")


def test_services_die_with_their_supervisor_and_start_again_on_their_ports(tmp_path: Path) -> None:
    home = cluster.start(new_home(tmp_path / "home").path).home
    supervisor = cluster.supervisor_pid(home)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    again = cluster.start(home.path)
    assert again.home == home
    assert not again.moved
    assert all(process.restarts == 0 for process in cluster.status(home))
    os.kill(cluster.supervisor_pid(home) or 0, signal.SIGKILL)
    wait_for(lambda: not any(is_listening(port) for port in home.identity.ports.values()), what="every port to close")
    assert not cluster.is_running(home)


def test_clusters_that_start_at_once_have_ports_of_their_own(running: Home, tmp_path: Path) -> None:
    """All want the ports of the one that runs. One is started twice, from two terminals."""
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path in paths:
        path.mkdir()
        save(path, replace(running.identity, cluster_id=path.name))
    with ThreadPoolExecutor(4) as terminals:
        homes = [started.home for started in terminals.map(cluster.start, [*paths, paths[0]])]
    try:
        assert homes.pop() == homes[0]
        ports = [port for home in (running, *homes) for port in home.identity.ports.values()]
        assert len(set(ports)) == len(ports) == 20
        processes = [process for home in (running, *homes) for process in cluster.status(home)]
        assert all(process.ready for process in processes)
        assert not any(process.restarts for home in homes for process in cluster.status(home))
        assert [load(path) for path in paths] == homes
    finally:
        for home in homes:
            cluster.stop(home)


def test_a_cluster_whose_ports_others_took_says_where_it_moved_and_writes_its_files_again(
    tmp_path: Path, another_python: Path
) -> None:
    """In an environment that has another Python's packages and a proxy that nothing answers."""
    home, profile = new_home(tmp_path / "home"), tmp_path / "profile.env"
    environment = {"PYTHONPATH": str(another_python), "http_proxy": "http://127.0.0.1:1"}
    before = home.identity.ports
    with ExitStack() as strangers:
        for port in before.values():
            strangers.enter_context(socket.create_server((HOST, port)))
        started = minipdk(home, "start", "--profile", str(profile), environment=environment)
    assert started.returncode == 0, started.stderr
    home = load(home.path)
    try:
        for name, port in home.identity.ports.items():
            assert port != before[name]
            assert f"{name} {before[name]} -> {port}" in started.stdout
        assert dotenv_values(profile) == cluster.environment(home)
        assert profile.stat().st_mode & 0o777 == 0o600
        for file in ("pachctl.json", "kubeconfig"):
            text = (home.path / file).read_text()
            assert home.url("pachd", "grpc") in text or home.url("kubernetes", "https") in text
    finally:
        cluster.stop(home)


def test_a_service_that_cannot_start_is_named_with_its_reason_and_nothing_is_left_running(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home.database("determined").write_text("not a database")
    result = minipdk(home, "start")
    assert result.returncode == 1
    assert "Determined does not start" in result.stderr
    assert "file is not a database" in result.stderr
    assert not cluster.is_running(home)


def test_a_folder_in_use_by_another_cluster_is_refused_in_one_sentence(running: Home) -> None:
    """A second process would write the same database: the supervisor's lock or the process's own prevents it."""
    command = [sys.executable, "-m", "minipdk.services.pachyderm.server", "--home", str(running.path)]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr == (
        f"{running.path} is in use by another cluster, whose pachyderm is process {pid_of(running, 'pachyderm')}: "
        "stop that one with `minipdk stop`, or choose another folder with --home\n"
    )


def test_a_newer_database_is_named_with_its_version_and_the_remedy(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    with closing(sqlite3.connect(home.database("kubernetes"))) as database:
        database.execute("PRAGMA user_version = 99")
    result = minipdk(home, "start")
    assert result.returncode == 1
    assert "Kubernetes API does not start" in result.stderr
    assert "kubernetes.db has version 99 of its schema and this minipdk knows 1: install the newer minipdk" in result.stderr
    assert "Traceback" not in result.stderr


def test_reset_forgets_everything_but_identity_and_images(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    (home.folder("images") / "kept").touch()
    (home.folder("shared_fs") / "checkpoint").touch()
    assert minipdk(home, "reset", "--yes").returncode == 0
    assert (home.path / "images" / "kept").exists()
    assert not (home.path / "shared_fs").exists()
    assert load(home.path).identity == home.identity


def test_what_is_not_there_is_said_in_one_line_with_the_mend(tmp_path: Path, running: Home) -> None:
    nowhere = minipdk(Home(tmp_path / "nowhere", running.identity), "stop")
    assert nowhere.returncode == 1
    assert nowhere.stderr == (
        f"minipdk: there is no cluster at {tmp_path}/nowhere: create one with `minipdk start --home {tmp_path}/nowhere`\n"
    )
    service = minipdk(running, "logs", "kafka")
    assert service.returncode == 1
    assert "there is no service 'kafka': choose one of kubernetes, pachyderm" in service.stderr
    for setting in (["--resource-pools", "default,gpu-pool"], ["--no-auth"]):
        changed = minipdk(running, "start", *setting)
        assert changed.returncode == 1
        assert "`minipdk stop` first" in changed.stderr


def test_status_of_a_stopped_cluster_says_how_to_start_it(tmp_path: Path) -> None:
    result = minipdk(new_home(tmp_path / "home"), "status")
    assert result.returncode == 3
    assert "minipdk start" in result.stdout


def test_status_shows_what_each_inference_service_was_asked(
    running: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "REQUESTS" not in minipdk(running, "status").stdout
    iris = counts.Counts(Counter({"2": 40, "5": 2}), milliseconds=84.0, timed=42)
    monkeypatch.setattr(counts, "read_counts", lambda port: {"models/iris": iris})
    cli.status(running.path)
    assert capsys.readouterr().out.splitlines()[-1].split() == ["models/iris", "42", "40", "0", "2", "2.0"]


def test_doctor_finds_this_machine_fit_and_the_cluster_running(running: Home) -> None:
    result = minipdk(running, "doctor")
    assert result.returncode == 0, result.stdout
    assert "containers: private layers" in result.stdout
    assert "missing" not in result.stdout


def test_ports_are_open_on_loopback_only(running: Home) -> None:
    ports = set(running.identity.ports.values())
    connections = [connection for connection in psutil.net_connections("tcp") if connection.status == "LISTEN"]
    listening = [connection.laddr for connection in connections if connection.laddr.port in ports]
    assert {address.port for address in listening} == ports
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
