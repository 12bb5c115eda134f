"""The parts of the iris lab that no other lab has."""

from __future__ import annotations

from course.labs import load
from tests.notebooks.conftest import ROOT, prose
from tests.notebooks.test_labs import steps


def test_every_step_has_a_gap_in_its_cell_and_the_commands_for_a_terminal() -> None:
    for step in steps(load(ROOT).lab("iris-pipeline"))[1:]:
        assert "# Your turn: " in step
        assert "\n...\n" in step
        assert "pachctl " in step


def test_the_batch_has_the_files_that_the_lab_describes() -> None:
    batch = sorted((ROOT / "sample-data" / "iris" / "batch").iterdir())
    assert [len(path.read_text().splitlines()) for path in batch] == [25] * 6
    text = prose(ROOT / load(ROOT).lab("iris-pipeline").notebook)
    assert "`sample-data/iris/batch` has six files with 25 flowers each" in text
