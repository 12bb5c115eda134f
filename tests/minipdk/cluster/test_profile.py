"""A start writes the cluster's profile again, and no other file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values

from minipdk import cluster, doctor
from minipdk.cluster import Settings, Started, lifecycle
from minipdk.common.home import Home, HomeError, save


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Started]:
    """``start(path, profile)``: the files that a start writes, without the services."""
    for name in ("_spawn_supervisor", "_wait_until_ready"):
        monkeypatch.setattr(lifecycle, name, lambda *_: None)
    return lambda path, profile=None: lifecycle.start(path, Settings(profile=profile))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "embedded.env"


def with_other_ports(home: Home) -> Home:
    ports = {name: port + 20_000 for name, port in home.identity.ports.items()}
    return save(home.path, replace(home.identity, ports=ports))


def test_every_start_writes_the_profile_that_one_named(start: Callable[..., Started], tmp_path: Path, file: Path) -> None:
    home = start(tmp_path / "home", file).home
    assert dotenv_values(file) == cluster.environment(home)
    home = start(with_other_ports(home).path).home
    assert dotenv_values(file)["PACHD_ADDRESS"] == f"grpc://127.0.0.1:{home.port('pachd')}"
    file.unlink()
    assert start(home.path).unwritten == ""
    assert dotenv_values(file) == cluster.environment(home)


def test_a_clone_and_its_cluster_can_be_moved(start: Callable[..., Started], tmp_path: Path) -> None:
    clone, moved = tmp_path / "clone", tmp_path / "moved"
    clone.mkdir()
    start(clone / ".minipdk", clone / "embedded.env")
    shutil.move(clone, moved)
    home = start(moved / ".minipdk").home
    assert dotenv_values(moved / "embedded.env") == cluster.environment(home)
    assert not clone.exists()


def test_a_profile_that_somebody_wrote_is_not_written_over(
    start: Callable[..., Started], tmp_path: Path, file: Path
) -> None:
    file.write_text("PACHD_ADDRESS=grpc://pachyderm.example.com:30650\n")
    with pytest.raises(HomeError, match=r"embedded\.env was not written by minipdk and stays as it is: move it away"):
        start(tmp_path / "home", file)
    assert file.read_text() == "PACHD_ADDRESS=grpc://pachyderm.example.com:30650\n"


def test_a_profile_of_an_older_minipdk_is_written_over(start: Callable[..., Started], tmp_path: Path, file: Path) -> None:
    file.write_text("PACHD_ADDRESS=grpc://127.0.0.1:1\nIMAGE_BUILD=minipdk image build --home /tmp\n")
    home = start(tmp_path / "home", file).home
    assert dotenv_values(file) == cluster.environment(home)


def test_a_profile_becomes_another_clusters_only_when_that_is_asked(
    start: Callable[..., Started], tmp_path: Path, file: Path
) -> None:
    first = start(tmp_path / "first", file).home
    second = start(tmp_path / "second", file).home
    assert dotenv_values(file) == cluster.environment(second)
    assert "is the profile of another cluster now" in start(first.path).unwritten
    assert dotenv_values(file) == cluster.environment(second)
    cluster.delete(first)
    assert dotenv_values(file) == cluster.environment(second)
    cluster.delete(second)
    assert not file.exists()


def test_a_folder_that_is_gone_does_not_prevent_a_start(start: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    home = start(tmp_path / "home", tmp_path / "profiles" / "embedded.env").home
    shutil.rmtree(tmp_path / "profiles")
    assert "there is no folder" in start(home.path).unwritten
    with pytest.raises(HomeError, match="there is no folder"):
        start(home.path, tmp_path / "profiles" / "embedded.env")


def test_doctor_compares_the_cluster_that_answers(
    start: Callable[..., Started],
    tmp_path: Path,
    file: Path,
    pachd_of: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = start(tmp_path / "home", file).home
    address, own = pachd_of("stranger"), home.identity.cluster_id.replace("-", "")
    text = file.read_text()
    file.write_text(text.replace(home.url("pachd", "grpc"), address))
    monkeypatch.setenv("PACHD_ADDRESS", address)
    checks = {check.subject: check for check in doctor.examine(home)}
    for subject, remedy in ((f"profile {file}", "minipdk start"), ("this terminal", 'eval "$(minipdk env)"')):
        assert not checks[subject].ok
        assert checks[subject].detail == f"another cluster (stranger) answers at its PACHD_ADDRESS, {address}"
        assert checks[subject].remedy == remedy
    file.write_text(text.replace(home.url("pachd", "grpc"), pachd_of(own)))
    monkeypatch.delenv("PACHD_ADDRESS")
    assert all(check.ok for check in doctor.examine(home) if check.subject in checks and check.needed)


@pytest.mark.parametrize(
    ("exempt", "ok"), [("", False), ("corp.example", False), ("127.0.0.1,localhost", True), ("*", True)]
)
def test_doctor_notes_a_proxy_that_would_get_the_clusters_requests(
    start: Callable[..., Started], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exempt: str, ok: bool
) -> None:
    home = start(tmp_path / "home").home
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, exempt)
    [check] = [check for check in doctor.examine(home) if check.subject == "proxy"]
    assert (check.ok, check.remedy) == (ok, 'eval "$(minipdk env)"')
