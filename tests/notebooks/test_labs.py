"""Every lab of labs.toml: its solution prints its stored outputs, and its gaps end in hints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import nbformat
import pytest

from course.labs import Lab, load
from tests.notebooks.conftest import ROOT, CourseCluster, links, printed, prose

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Expected:
    """The parts of a lab that the tests count."""

    steps: int
    gaps: int
    """The cells of the learner's notebook that say "Your turn"."""

    without_task: frozenset[int]
    """The steps, from 1, in which the learner has nothing to fill in."""

    passing: frozenset[str]
    """The checks that pass before the learner has done anything."""

    headings: tuple[str, ...] = ()
    runs: tuple[str, ...] = field(default=("once",))
    """The runs of the solution, one after the other; ``first`` begins on an empty cluster."""


EXPECTED = {
    "iris-pipeline": Expected(
        steps=11,
        gaps=14,
        without_task=frozenset({1}),
        passing=frozenset({"check.connected()"}),
        runs=("first", "second"),
    ),
    "model-server": Expected(
        steps=13,
        gaps=6,
        without_task=frozenset({1, 7, 10}),
        passing=frozenset({"check.connected()", 'check.built(commands.run("make build", package))', "check.cleared()"}),
        headings=("## Clean up",),
    ),
}
LABS = [lab for lab in load(ROOT).labs if lab.notebook]
RUNS = [pytest.param(lab, run, id=f"{lab.name}-{run}") for lab in LABS for run in EXPECTED[lab.name].runs]
each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


def cells(path: str) -> list[Any]:
    return list(nbformat.read(ROOT / path, as_version=4).cells)


def steps(lab: Lab) -> list[str]:
    """The text and code of each step of the learner's notebook."""
    return re.split(r"\n## \d+ · ", "\n".join(cell.source for cell in cells(lab.notebook)))[1:]


def test_the_expectations_are_those_of_the_index() -> None:
    assert [lab.name for lab in LABS] == list(EXPECTED)


@each_lab
def test_the_notebook_has_the_title_and_the_time_of_the_index(lab: Lab) -> None:
    for path in (lab.notebook, lab.solution):
        first = cells(path)[0].source
        assert first.startswith(f"# {lab.title}\n")
        assert f"| **Time** | {lab.minutes} minutes |" in first


@each_lab
def test_every_step_sets_a_task_and_checks_it(lab: Lab) -> None:
    expected = EXPECTED[lab.name]
    assert len(steps(lab)) == expected.steps
    tasks = {number for number, step in enumerate(steps(lab), 1) if "# Your turn: " in step or "**Your turn in**" in step}
    assert tasks == set(range(1, expected.steps + 1)) - expected.without_task
    for step in steps(lab):
        assert "**You should see**" in step
        assert "check." in step


@each_lab
def test_the_lab_has_a_goal_help_and_links(lab: Lab) -> None:
    text = prose(ROOT / lab.notebook)
    for part in ("**Goal**", "**Time**", "**You need**", "## Self-check", "Troubleshooting", *EXPECTED[lab.name].headings):
        assert part in text, part
    assert [link for link in links(text) if not (ROOT / lab.notebook).parent.joinpath(link).exists()] == []


@each_lab
def test_every_code_cell_of_the_solution_is_stored_without_an_error(lab: Lab) -> None:
    code = [cell for cell in cells(lab.solution) if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.execution_count is None] == []
    assert [cell.source for cell in code if any(output.output_type == "error" for output in cell.outputs)] == []
    assert [cell.source for cell in code if "✗" in printed(cell)] == []


@pytest.mark.parametrize(("lab", "run"), RUNS)
def test_the_solution_prints_its_stored_outputs(lab: Lab, run: str, course_cluster: CourseCluster) -> None:
    if run == "first":
        course_cluster.reset()
    result = course_cluster.run_nbval(course_cluster.prepare(ROOT / lab.solution))
    assert result.returncode == 0, result.stdout


@each_lab
def test_a_lab_without_answers_ends_in_hints_without_traceback(lab: Lab, course_cluster: CourseCluster) -> None:
    import papermill

    prepared = course_cluster.prepare(ROOT / lab.notebook)
    executed = prepared.with_name("executed.ipynb")
    papermill.execute_notebook(prepared, executed, cwd=str(prepared.parent), progress_bar=False)
    code = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    assert len([cell for cell in code if "# Your turn: " in cell.source]) == EXPECTED[lab.name].gaps
    assert [cell.source for cell in code if "Traceback" in str(cell.outputs)] == []
    for cell in code:
        is_check = re.search(r"^check\.", cell.source, re.M)
        if is_check and not EXPECTED[lab.name].passing & set(cell.source.splitlines()):
            assert re.search(r"^✗ Not yet: .+\. Hint: .+", printed(cell), re.M), cell.source
