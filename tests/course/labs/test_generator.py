"""labs/ is generated from solutions/: answers are removed, everything else is copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from course.labs.generator import MarkerError, finished, generate, with_gaps, without_answers

ROOT = Path(__file__).parents[3]


def contents(folder: Path) -> dict[str, bytes]:
    left_behind = {"__pycache__", ".ipynb_checkpoints"}
    files = (path for path in folder.rglob("*") if path.is_file() and not left_behind & set(path.parts))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def notebook(*sources: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(source, execution_count=3) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_the_committed_labs_are_generated_from_the_solutions(tmp_path: Path) -> None:
    generate(ROOT / "solutions", tmp_path)
    assert contents(tmp_path) == contents(ROOT / "labs"), "run `make labs`"


def test_an_answer_becomes_a_gap_below_its_task() -> None:
    [cell] = without_answers(
        notebook(
            "if ready:\n    # Your turn: say yes.\n    # <solution>\n    a = 1\n\n    b = 2\n    # </solution>\ncheck()"
        ),
        "lab",
    ).cells
    assert cell.source == "if ready:\n    # Your turn: say yes.\n    ...\ncheck()"
    assert (cell.outputs, cell.execution_count) == ([], None)


def test_each_answer_of_a_cell_is_removed_separately() -> None:
    answer = "# <solution>\nx\n# </solution>\n"
    [cell] = without_answers(notebook(f"{answer}between\n{answer}"), "lab").cells
    assert cell.source == "...\nbetween\n...\n"


def test_a_cell_that_is_an_answer_is_left_out() -> None:
    given = notebook("asked", "answered")
    given.cells[1].metadata.tags = ["solution"]
    assert [cell.source for cell in without_answers(given, "lab").cells] == ["asked"]


@pytest.mark.parametrize("source", ["# <solution>\nx", "x\n# </solution>"])
def test_half_a_pair_of_markers_is_an_error_that_names_the_notebook(source: str) -> None:
    with pytest.raises(MarkerError, match=r"lab\.ipynb, cell \w+: .* have to come in pairs"):
        without_answers(notebook(source), "lab.ipynb")


def test_a_lab_gets_the_base_of_a_completed_folder_and_every_other_file(tmp_path: Path) -> None:
    for name in ("a/base_code/x.py", "a/code/x.py", "a/data.csv", "a/__pycache__/x.pyc"):
        (tmp_path / "solutions" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "solutions" / name).write_text(name)
    generate(tmp_path / "solutions", tmp_path / "labs")
    assert sorted(contents(tmp_path / "labs")) == ["a/base_code/x.py", "a/data.csv"]


MARKED = "one: 1\ntwo:\n  # Your turn: two and two.\n  # <solution>\n  - 2\n  - 2\n  # </solution>\nthree: 3\n"


def test_an_answer_in_a_file_becomes_a_gap_that_leaves_the_rest_readable(tmp_path: Path) -> None:
    (tmp_path / "solutions" / "lab").mkdir(parents=True)
    files = {
        "a.py": "def f():\n    # <solution>\n    return 1\n    # </solution>\n",
        "b.yaml": MARKED,
        "c.Dockerfile": "FROM x\n# <solution>\nRUN y\n# </solution>\n",
        "d.txt": MARKED,
    }
    for name, text in files.items():
        (tmp_path / "solutions" / "lab" / name).write_text(text)

    generate(tmp_path / "solutions", tmp_path / "labs")

    made = {name: (tmp_path / "labs" / "lab" / name).read_text() for name in files}
    module: dict[str, Any] = {}
    exec(made["a.py"], module)
    with pytest.raises(NotImplementedError, match="your turn"):
        module["f"]()
    assert yaml.safe_load(made["b.yaml"]) == {"one": 1, "two": None, "three": 3}
    assert made["c.Dockerfile"] == "FROM x\n# ...\n"
    assert made["d.txt"] == MARKED


def test_a_file_with_half_a_pair_of_markers_is_named() -> None:
    with pytest.raises(MarkerError, match=r"^lab/a\.py: .* have to come in pairs"):
        with_gaps("x\n# </solution>\n", "...", "lab/a.py")


def test_a_finished_file_has_neither_markers_nor_tasks() -> None:
    asked = "  # A comment.\n\n  # Your turn: write this\n  # and that.\n  # <solution>\n  x\n  # </solution>\n"
    assert finished(asked) == "  # A comment.\n\n  x\n"
    assert yaml.safe_load(finished(MARKED)) == {"one": 1, "two": [2, 2], "three": 3}
    assert "solution" not in finished(MARKED)


def test_files_that_a_run_of_the_solution_leaves_behind_are_not_in_the_lab(tmp_path: Path) -> None:
    kept, left = ("trainer/model.py", "example_models/0001/model"), ("trainer/0001/model", ".pytest_cache/x")
    for name in (*kept, *left):
        (tmp_path / "solutions" / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "solutions" / "a" / name).touch()
    generate(tmp_path / "solutions", tmp_path / "labs")
    assert sorted(contents(tmp_path / "labs")) == sorted(f"a/{name}" for name in kept)
