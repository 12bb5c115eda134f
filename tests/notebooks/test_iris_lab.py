"""The iris lab: its solution does what its stored outputs say, and its gaps end in hints."""

from __future__ import annotations

import json
import re
from typing import Any

import nbformat
import pytest

from tests.notebooks.conftest import ROOT, CourseCluster

SOLUTION = ROOT / "solutions" / "iris-pipeline" / "lab.ipynb"
LAB = ROOT / "labs" / "iris-pipeline" / "lab.ipynb"
pytestmark = pytest.mark.timeout(1800)


def printed(cell: Any) -> str:
    return "".join(out["text"] for out in cell.outputs if out["output_type"] == "stream" and out["name"] == "stdout")


def test_every_step_of_the_lab_asks_for_something_and_checks_it() -> None:
    steps = re.split(r"\n## \d+ · ", "\n".join(cell.source for cell in nbformat.read(LAB, as_version=4).cells))[1:]
    assert len(steps) == 11
    for step in steps[1:]:
        assert "# Your turn: " in step
        assert "\n...\n" in step
        assert "check." in step
        assert "pachctl " in step
        assert "**You should see**" in step


def test_the_lab_has_a_goal_help_and_links() -> None:
    prose = "\n".join(
        "".join(cell["source"]) for cell in json.loads(LAB.read_text())["cells"] if cell["cell_type"] == "markdown"
    )
    for wanted in ("**Goal**", "**Time**", "**You need**", "## Self-check", "Troubleshooting"):
        assert wanted in prose, wanted
    for link in re.findall(r"\]\(([^)#]+)\)", prose):
        assert (LAB.parent / link).exists(), link


def test_every_code_cell_of_the_solution_is_stored_without_an_error() -> None:
    code = [cell for cell in nbformat.read(SOLUTION, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.execution_count is None] == []
    assert [cell.source for cell in code if any(out.output_type == "error" for out in cell.outputs)] == []
    assert [cell.source for cell in code if "✗" in printed(cell)] == []


@pytest.mark.parametrize("run", ["first", "second"])
def test_the_solution_alone_prints_what_is_stored_every_time(run: str, course_cluster: CourseCluster) -> None:
    if run == "first":
        course_cluster.reset()
    result = course_cluster.run_nbval(course_cluster.prepare(SOLUTION))
    assert result.returncode == 0, result.stdout


def test_a_lab_without_answers_ends_in_hints_and_no_traceback(course_cluster: CourseCluster) -> None:
    import papermill

    prepared = course_cluster.prepare(LAB)
    executed = prepared.with_name("executed.ipynb")
    papermill.execute_notebook(prepared, executed, cwd=str(prepared.parent), progress_bar=False)
    gaps = [cell for cell in nbformat.read(executed, as_version=4).cells if "# Your turn: " in cell.source]
    assert len(gaps) == 14
    for cell in gaps:
        assert re.search(r"^✗ Not yet: .+\. Hint: .+", printed(cell), re.M), cell.source
