"""``python -m course.labs``: generates, and prints the lists that the Makefile reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from course.labs import load
from course.labs.__main__ import main
from course.labs.readme import BEGIN, END, table

ROOT = Path(__file__).parents[3]
INDEX = '[labs.a]\ntitle = "A"\nsummary = "do a"\nminutes = 5\nenvironment = ".venv"\nsolution = "solutions/a"\n'


def commit_everything(root: Path) -> None:
    """Make a Git repository of ``root``."""
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *identity, "commit", "-q", "-m", "first"], cwd=root, check=True)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the solution of one lab, which is the working directory."""
    for file, text in {
        "profiles/cluster.env.example": "",
        "solutions/a/data.csv": "1\n",
        "labs/old/data.csv": "0\n",
        "labs.toml": INDEX,
        "README.md": f"{BEGIN}\n{END}\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    commit_everything(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_labs_and_the_readmes_table_are_generated(root: Path) -> None:
    main([])
    assert [path.relative_to(root).as_posix() for path in (root / "labs").rglob("*.csv")] == ["labs/a/data.csv"]
    assert (root / "README.md").read_text() == f"{BEGIN}\n{table(load(root))}{END}\n"


@pytest.mark.parametrize("action", ["generate", "unchanged"])
def test_answers_that_are_not_in_git_are_kept(root: Path, action: str) -> None:
    main(["unchanged"])
    (root / "labs" / "old" / "data.csv").write_text("my answer\n")
    (root / "labs" / "mine").mkdir()
    (root / "labs" / "mine" / "é.txt").touch()
    with pytest.raises(SystemExit, match=r"not in Git: labs/old/data\.csv, labs/mine/é\.txt\. To keep them, commit them"):
        main([action])
    assert (root / "labs" / "old" / "data.csv").read_text() == "my answer\n"
    main(["generate", "--overwrite"])
    assert not (root / "labs" / "mine").exists()


def test_without_git_answers_are_kept(root: Path) -> None:
    shutil.rmtree(root / ".git")
    with pytest.raises(SystemExit, match=r"is not a Git repository .*`make labs OVERWRITE=1` replaces them"):
        main([])


def test_a_lab_without_entry_ends_in_one_line(root: Path) -> None:
    (root / "solutions" / "b").mkdir()
    (root / "solutions" / "b" / "data.csv").touch()
    with pytest.raises(SystemExit, match=r"^course\.labs: solutions/b has no entry in labs\.toml"):
        main([])


def test_the_lists_for_the_makefile(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    main(["images"])
    assert "containers/iris-train pdk-iris-train:1.0" in capsys.readouterr().out.splitlines()
    main(["solutions"])
    assert capsys.readouterr().out.splitlines() == ["iris-pipeline", "model-server"]
