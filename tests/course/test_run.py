"""``python -m course.run``: labs by name, notebooks by path, and by default the numbered notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.labs import LabError
from course.run import find_notebooks

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
