"""The stubs of Pachyderm's messages describe the classes at run time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.wire import stubs


def test_the_committed_stubs_are_current() -> None:
    assert stubs.outdated() == [], f"run python -m {stubs.PACKAGE}.stubs"


def test_a_stub_that_is_changed_or_missing_is_outdated(tmp_path: Path) -> None:
    stubs.write(tmp_path)
    assert stubs.outdated(tmp_path) == []
    (tmp_path / "pfs.pyi").write_text("")
    (tmp_path / "pps.pyi").unlink()
    assert set(stubs.outdated(tmp_path)) == {tmp_path / "pfs.pyi", tmp_path / "pps.pyi"}


@pytest.mark.parametrize("file", sorted(set(stubs.stubs()) - {"__init__.pyi", "google.pyi"}))
def test_every_class_and_enum_of_a_stub_exists(file: str) -> None:
    package = getattr(wire, file.removesuffix(".pyi"))
    for node in ast.parse((stubs.FOLDER / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = {member.name for member in node.body if isinstance(member, ast.FunctionDef)} - {"__init__"}
            message = getattr(package, node.name)()
            assert [member for member in members if not hasattr(message, member)] == [], node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            assert getattr(package, node.target.id).items(), node.target.id


def test_a_message_is_made_of_the_stubs_keywords() -> None:
    commit = wire.pfs.Commit(repo=wire.pfs.Repo(name="images", type="user"), id="c" * 32)
    info = wire.pfs.CommitInfo(commit=commit, metadata={"a": "b"}, child_commits=[commit])
    info.started.GetCurrentTime()
    assert info.HasField("started")
    assert not info.HasField("finished")
    assert (info.commit.repo.name, info.metadata["a"], len(info.child_commits)) == ("images", "b", 1)
    assert wire.pfs.CommitInfo.FromString(info.SerializeToString()) == info


def test_the_packages_stub_names_what_the_package_has() -> None:
    tree = ast.parse((stubs.FOLDER / "__init__.pyi").read_text())
    names = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {"Message", "Rpc", "bytes_value", "message_class", "rpcs", "pfs", "pps", "Timestamp"} <= names
    assert [name for name in names if not hasattr(wire, name)] == []
