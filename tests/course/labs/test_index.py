"""labs.toml: each folder has an entry, each entry has its files, and a wrong entry is named."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from course.labs import LabError, load
from course.labs.readme import BEGIN, END, table, with_table

ROOT = Path(__file__).parents[3]
LAB = {"title": "A", "summary": "do a", "minutes": 5, "environment": ".venv", "solution": "solutions/a"}


def write_index(root: Path, *images: str, **changes: object) -> None:
    """An index with the lab ``a``, with these lines of images; a change to None leaves a field out."""
    fields = {key: value for key, value in (LAB | changes).items() if value is not None}
    lines = ["[labs.a]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
    (root / "labs.toml").write_text("\n".join([*lines, *(["[labs.a.images]", *images] if images else [])]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one lab, which its index describes."""
    for folder in ("labs/a", "solutions/a", "containers/x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "containers/x/Dockerfile").touch()
    write_index(tmp_path)
    return tmp_path


def mismatches(root: Path) -> list[str]:
    return list(load(root).mismatches(root))


def test_every_lab_of_the_repository_is_in_the_index() -> None:
    assert mismatches(ROOT) == []


def test_every_container_is_an_image_of_the_index() -> None:
    folders = [f"containers/{path.parent.name}" for path in (ROOT / "containers").glob("*/Dockerfile")]
    assert sorted(image.folder for image in load(ROOT).images) == sorted(folders)


def test_every_image_of_a_pipeline_is_in_the_index() -> None:
    specs = [json.loads(path.read_text()) for path in (ROOT / "pipelines").glob("*/*.json")]
    assert specs
    assert {spec["transform"]["image"] for spec in specs} == {image.tag for image in load(ROOT).images}


def test_a_folder_without_entry_and_an_entry_without_folder_are_named(root: Path) -> None:
    assert mismatches(root) == []
    (root / "solutions" / "b").mkdir()
    (root / "labs" / "a").rmdir()
    assert mismatches(root) == [
        "solutions/b has no entry in labs.toml: add [labs.b]",
        "labs.toml has the lab a, but there is no labs/a",
    ]


def test_a_missing_notebook_a_foreign_solution_and_a_missing_dockerfile_are_named(root: Path) -> None:
    write_index(root, 'y = "y:1.0"', notebook="labs/a/lab.ipynb", solution="solutions/b")
    assert mismatches(root) == [
        "labs.toml, lab a: solutions/b is outside the lab's folder",
        "labs.toml, lab a: there is no labs/a/lab.ipynb",
        "labs.toml: the image y:1.0 needs containers/y/Dockerfile",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": None}, "lab a: minutes is missing"),
        ({"minutes": "5"}, "lab a: minutes is '5', not int"),
        ({"title": 5}, "lab a: title is 5, not str"),
        ({"hours": 1}, "lab a: unknown field hours"),
        ({"images": ["x"]}, "a: images is a table of folders and image names"),
    ],
)
def test_a_wrong_field_is_named(root: Path, changes: dict[str, object], message: str) -> None:
    write_index(root, **changes)
    with pytest.raises(LabError, match=re.escape(message)):
        load(root)


def test_an_index_that_is_missing_or_not_toml_is_named(root: Path) -> None:
    (root / "labs.toml").write_text("[labs")
    with pytest.raises(LabError, match=r"labs\.toml: Expected"):
        load(root)
    (root / "labs.toml").unlink()
    with pytest.raises(LabError, match=r"No such file or directory: .*labs\.toml"):
        load(root)


def test_an_unknown_lab_is_answered_with_the_known_ones(root: Path) -> None:
    assert load(root).lab("a").title == "A"
    with pytest.raises(LabError, match="there is no lab 'b': choose one of a"):
        load(root).lab("b")


def test_the_index_is_read_completely() -> None:
    content = tomllib.loads((ROOT / "labs.toml").read_text())
    assert [lab.name for lab in load(ROOT).labs] == list(content["labs"])
    assert content.keys() == {"labs", "walkthrough"}


def test_the_makefile_has_a_target_for_every_lab_with_a_solution_to_run() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for lab in load(ROOT).runnable:
        rule = f'{lab.target}: setup  ## Set up, then run the solution of "{lab.title}"\n'
        assert f"\n{rule}\t@$(BIN)/python -m course.run {lab.name} $(if $(START_OVER),--start-over)\n" in makefile


def test_the_readme_lists_every_lab() -> None:
    index, readme = load(ROOT), (ROOT / "README.md").read_text()
    for lab in index.runnable:
        assert f"]({lab.notebook})" in readme
        assert f"`make {lab.target}`" in readme
    assert with_table(readme, index) == readme, "run `make labs`"


def test_the_table_is_written_between_its_markers(root: Path) -> None:
    text = f"# Readme\n\n{BEGIN}\nold\n{END}\nmore\n"
    row = "| [A](labs/a) | do a | 5 |  |\n"
    assert table(load(root)).endswith(row)
    assert with_table(text, load(root)) == f"# Readme\n\n{BEGIN}\n{table(load(root))}{END}\nmore\n"
    assert with_table("no markers\n", load(root)) == "no markers\n"
