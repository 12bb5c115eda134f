"""The minipdk command on a real cluster: it starts, reports its state, heals, and forgets only when asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from tests.conftest import new_home, wait_for

from minipdk import cli, cluster
from minipdk.common.home import Home, load, save
from minipdk.common.ports import is_listening
from minipdk.services.ingress import counts

MINIPDK = Path(sys.executable).with_name("minipdk")


def minipdk(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MINIPDK, *arguments, "--home", home.path], capture_output=True, text=True)


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


def test_services_die_with_their_supervisor(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    home = cluster.start(home)
    supervisor = cluster.supervisor_pid(home)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not any(is_listening(port) for port in home.identity.ports.values()), what="every port to close")
    assert not cluster.is_running(home)
    cluster.start(home)
    assert cluster.stop(home)


def test_two_clusters_run_side_by_side_and_a_taken_port_moves(running: Home, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    other = save(tmp_path / "home", running.identity)
    with socket.socket():
        started = cluster.start(other)
    try:
        assert not set(started.identity.ports.values()) & set(running.identity.ports.values())
        assert all(process.ready for process in cluster.status(started))
        assert all(process.ready for process in cluster.status(running))
        assert load(other.path).identity.ports == started.identity.ports
    finally:
        cluster.stop(started)


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
    nowhere = subprocess.run([MINIPDK, "stop", "--home", tmp_path / "nowhere"], capture_output=True, text=True)
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
