"""``python -m course.run``: labs by name, notebooks by path, and by default the numbered notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat.v4
import pytest

from course import Profile
from course.labs import LabError
from course.run import find_notebooks, run_all

ROOT = Path(__file__).parents[2]


def test_without_names_the_numbered_notebooks_run_in_order() -> None:
    names = [path.name[:2] for path in find_notebooks([], ROOT)]
    assert names == [f"{number:02}" for number in range(1, len(names) + 1)]
    assert len(names) >= 7


def test_a_lab_is_run_by_its_name_and_a_notebook_by_its_path() -> None:
    paths = find_notebooks(["model-server", "notebooks/01_connect.ipynb"], ROOT)
    assert paths == [ROOT / "solutions/model-server/lab.ipynb", Path("notebooks/01_connect.ipynb")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("iris", "there is no lab 'iris': choose one of port-experiment, iris-pipeline, model-server"),
        ("port-experiment", "the lab port-experiment has no notebook yet"),
    ],
)
def test_a_lab_that_is_unknown_or_has_no_notebook_is_named(name: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        find_notebooks([name], ROOT)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", r"cell 2 \(import os, signal\): its kernel was killed"),
        ("raise ValueError('no such column')\n", r"cell 2 \(raise ValueError.*\): ValueError: no such column"),
    ],
    ids=["killed", "failed"],
)
def test_a_notebook_that_ends_early_is_named_with_its_cell(source: str, message: str, tmp_path: Path) -> None:
    new = nbformat.v4
    cells = [new.new_code_cell("PROFILE = ''", metadata={"tags": ["parameters"]}), new.new_markdown_cell("# A title")]
    cells += [new.new_code_cell(source), new.new_code_cell("1 + 1")]
    notebook = new.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    path = tmp_path / "01_broken.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(SystemExit, match=rf"^course: 01_broken\.ipynb, {message}"):
        run_all([path], Profile("embedded", tmp_path, {}))
