"""Imports run one way, and only minipdk's own tests and commands import minipdk."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
UNAWARE = ("containers", "labs", "solutions", "sample-data", "pipelines")


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_packages(source: str) -> set[str]:
    """The top-level packages that a module imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def _is_shell(cell: dict[str, Any]) -> bool:
    return bool(cell["source"]) and cell["source"][0].startswith("%%")


def code_cells(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code" and not _is_shell(cell))
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", python_files(*UNAWARE), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_on_a_real_cluster_knows_nothing_of_minipdk(path: Path) -> None:
    beside_notebook = (path.parent / "lab.ipynb").exists()  # a learner runs these files where the course is installed
    unknown = {"minipdk"} if beside_notebook else {"minipdk", "course"}
    assert not imported_packages(path.read_text()) & unknown


@pytest.mark.parametrize(
    "path", [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")], ids=lambda path: path.name
)
def test_notebooks_know_nothing_of_minipdk(path: Path) -> None:
    assert "minipdk" not in imported_packages(code_cells(path))
