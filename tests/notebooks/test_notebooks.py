"""The numbered notebooks print their stored outputs: in order, each alone, and twice in a row."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.conftest import ROOT, CourseCluster, links, prose

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
pytestmark = pytest.mark.timeout(1800)


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=by_name)
def test_every_code_cell_is_stored_with_its_output_and_without_an_error(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in code if cell["execution_count"] is None] == []
    assert [cell["source"] for cell in code if any(out["output_type"] == "error" for out in cell["outputs"])] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=by_name)
def test_every_notebook_has_a_goal_a_check_help_and_links(notebook: Path) -> None:
    text = prose(notebook)
    for part in ("**Goal**", "**Time**", "**You need**", "**You should see**", "## Self-check", "Troubleshooting"):
        assert part in text, part
    for link in links(text):
        assert link.startswith("http") or (notebook.parent / link).exists(), link


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=by_name)
def test_a_run_in_order_prints_the_stored_outputs(notebook: Path, course_cluster: CourseCluster) -> None:
    result = course_cluster.run_nbval(course_cluster.prepare(notebook))
    assert result.returncode == 0, result.stdout


def test_a_stored_output_altered_by_hand_is_reported(course_cluster: CourseCluster) -> None:
    prepared = course_cluster.prepare(NOTEBOOKS[0])
    content = nbformat.read(prepared, as_version=4)
    streams = [out for cell in content.cells for out in cell.get("outputs", []) if out["output_type"] == "stream"]
    next(out for out in streams if "pachd" in out["text"])["text"] = "pachd 1.7\n"
    nbformat.write(content, prepared)

    result = course_cluster.run_nbval(prepared)

    assert result.returncode == 1
    assert "pachd 1.7" in result.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS[1:], ids=by_name)
def test_a_second_run_in_a_row_succeeds(notebook: Path, course_cluster: CourseCluster) -> None:
    import papermill

    papermill.execute_notebook(
        notebook,
        course_cluster.prepared / f"again-{notebook.name}",
        parameters={"PROFILE": str(course_cluster.profile)},
        cwd=str(course_cluster.prepared),
        progress_bar=False,
    )


@pytest.mark.parametrize("notebook", [NOTEBOOKS[2], NOTEBOOKS[4], NOTEBOOKS[6]], ids=by_name)
def test_a_notebook_alone_on_an_empty_cluster_catches_up(notebook: Path, course_cluster: CourseCluster) -> None:
    course_cluster.reset()
    result = course_cluster.run_nbval(course_cluster.prepare(notebook))
    assert result.returncode == 0, result.stdout
