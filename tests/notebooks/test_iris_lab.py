"""The parts of the iris lab that no other lab has."""

from __future__ import annotations

from course.labs import load
from tests.notebooks.conftest import ROOT
from tests.notebooks.test_labs import steps


def test_every_step_has_a_gap_in_its_cell_and_the_commands_for_a_terminal() -> None:
    for step in steps(load(ROOT).lab("iris-pipeline"))[1:]:
        assert "# Your turn: " in step
        assert "\n...\n" in step
        assert "pachctl " in step
