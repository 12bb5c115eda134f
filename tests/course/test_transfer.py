"""Many files in one stream: one commit, all or nothing, and a line on stderr when it takes long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import new_home
from tests.minipdk.services.pachyderm.conftest import head, new_repo, read

import pachctl.transfer
from course import transfer
from minipdk.common.ports import HOST
from pachctl.errors import PachctlError


@pytest.fixture(scope="module")
def client(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Client:
    home = new_home(tmp_path_factory.mktemp("cluster") / "home")
    run_service(home, "pachyderm", "pachd")
    return Client(host=HOST, port=home.port("pachd"), auth_token=home.token)


@pytest.fixture
def master(client: Client) -> pfs.Branch:
    return pfs.Branch(repo=new_repo(client), name="master")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "deep/a.csv", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def walked(client: Client, branch: pfs.Branch) -> list[str]:
    infos = client.pfs.walk_file(file=pfs.File(commit=head(branch), path="/"))
    return [info.file.path for info in infos if info.file_type == pfs.FileType.FILE]


def commits(client: Client, branch: pfs.Branch) -> int:
    return len(list(client.pfs.list_commit(repo=branch.repo)))


def test_a_folder_is_one_commit_and_replaces_existing_files(client: Client, master: pfs.Branch, folder: Path) -> None:
    assert transfer.put_files(client, master, folder, "**/*.csv", path="in") == ["/in/b.csv", "/in/deep/a.csv"]
    (folder / "b.csv").write_text("new")
    transfer.put_files(client, master, folder, path="/in")
    assert walked(client, master) == ["/in/b.csv", "/in/deep/a.csv", "/in/note.txt"]
    assert read(client, head(master), "/in/b.csv") == b"new"
    assert commits(client, master) == 2


def test_append_adds_to_existing_files(client: Client, master: pfs.Branch, folder: Path) -> None:
    for _ in range(2):
        transfer.put_files(client, master, folder, "*.txt", append=True)
    assert read(client, head(master), "/note.txt") == b"note.txt" * 2


def test_an_open_commit_takes_several_folders(client: Client, master: pfs.Branch, folder: Path) -> None:
    with client.pfs.commit(branch=master) as commit:
        transfer.put_files(client, commit, folder, "*.csv")
        transfer.put_files(client, commit, folder / "deep")
    assert walked(client, master) == ["/a.csv", "/b.csv"]
    assert commits(client, master) == 1


def test_a_transfer_that_fails_leaves_nothing(client: Client, master: pfs.Branch, folder: Path) -> None:
    (folder / "dangling.csv").symlink_to(folder / "nowhere")
    (folder / "no*glob.csv").write_text("a name that Pachyderm does not take")
    with pytest.raises(grpc.RpcError, match="glob"):
        transfer.put_files(client, master, folder)
    with pytest.raises(FileNotFoundError, match=r"\*\.json"):
        transfer.put_files(client, master, folder, "*.json")
    assert not client.pfs.branch_exists(master) or walked(client, master) == []


def test_a_source_that_goes_away_is_named(
    client: Client, master: pfs.Branch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = pachctl.transfer.check

    def then_delete(uploads: Any) -> None:
        check(uploads)
        (folder / "note.txt").unlink()

    monkeypatch.setattr(pachctl.transfer, "check", then_delete)
    with pytest.raises(PachctlError, match=r"note\.txt: No such file"):
        transfer.put_files(client, master, folder)
    assert not client.pfs.branch_exists(master) or walked(client, master) == []


def test_a_long_transfer_shows_its_progress(
    client: Client, master: pfs.Branch, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer.put_files(client, master, folder)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(transfer, "SHOW_AFTER", -1.0)
    transfer.put_files(client, master, folder)
    shown = capsys.readouterr().err
    assert "put: 0.0 of 0.0 MiB (0 s)" in shown
    assert shown.endswith("\r")
