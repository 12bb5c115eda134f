"""Generate labs/ from solutions/, the single source.

A lab is its solution's folder with the answers taken out:

* In a notebook, the lines between ``# <solution>`` and ``# </solution>`` become ``...``; the comment above them describes
  the task and stays. Cells with the tag ``solution`` are left out. Outputs and counts are removed.
* In a module they become an error that says so, in YAML and Dockerfiles a comment, so that the rest can still be read.
* If a folder has a twin called ``base_...``, it is the completed one: the lab gets only the base.
* Every other file is copied, except the files that a run of the solution leaves behind.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import nbformat

SOLUTION = re.compile(r"^(?P<indent>[ \t]*)# <solution>\n.*?^[ \t]*# </solution>$", re.M | re.S)
MARKER = re.compile(r"# </?solution>")
TASK = re.compile(r"^[ \t]*# Your turn: .*\n(?:[ \t]*# (?!<solution>).*\n)*(?=[ \t]*# <solution>\n)", re.M)
"""The comment above an answer that describes the task."""
MARKER_LINE = re.compile(r"^[ \t]*# </?solution>\n", re.M)
GAPS = {
    ".py": 'raise NotImplementedError("your turn: see the comment above this line")',
    ".yaml": "# ...",
    ".Dockerfile": "# ...",
}
"""Suffix of a file -> the text that replaces an answer in it."""

LEFT_BEHIND = {"__pycache__", ".ipynb_checkpoints", ".pytest_cache"}
TRAINED = re.compile(r"trainer/\d+/")
"""The folders in which the packages of the model-server lab save their trained models."""


class MarkerError(ValueError):
    """A marker of a solution has no other half; the message names the file, and the cell if it has cells."""


def replace_labs(root: Path) -> None:
    """Replace labs/ in ``root`` by the labs that solutions/ gives. Raises MarkerError, and then leaves labs/ alone."""
    with tempfile.TemporaryDirectory(dir=root, prefix=".labs-") as folder:
        generate(root / "solutions", Path(folder) / "labs")
        shutil.rmtree(root / "labs", ignore_errors=True)
        (Path(folder) / "labs").rename(root / "labs")


def generate(solutions: Path, labs: Path) -> None:
    """Write a lab below ``labs`` for every solution below ``solutions``. Raises MarkerError."""
    for source in sorted(path for path in solutions.rglob("*") if path.is_file()):
        name = source.relative_to(solutions)
        if _is_left_out(source, solutions):
            continue
        target = labs / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            nbformat.write(without_answers(nbformat.read(source, as_version=4), str(name)), target)
        else:
            shutil.copy(source, target)
            if gap := GAPS.get(source.suffix):
                target.write_text(with_gaps(source.read_text(), gap, str(name)))


def without_answers(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """``notebook`` for its learners. Raises MarkerError, which calls it ``name``."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = with_gaps(cell.source, "...", f"{name}, cell {cell.id}")
    return notebook


def with_gaps(text: str, gap: str, name: str) -> str:
    """``text`` with ``gap`` for each answer. Raises MarkerError, which calls the text ``name``."""
    text = SOLUTION.sub(lambda answer: answer["indent"] + gap, text)
    if MARKER.search(text):
        raise MarkerError(f"{name}: '# <solution>' and '# </solution>' have to come in pairs")
    return text


def finished(text: str) -> str:
    """``text`` with its answers, without their markers and tasks."""
    return MARKER_LINE.sub("", TASK.sub("", text))


def _is_left_out(path: Path, solutions: Path) -> bool:
    """Whether ``path`` is in a folder of answers or in one that tools leave behind."""
    folders = [folder for folder in path.parents if folder.is_relative_to(solutions)]
    if TRAINED.search(path.relative_to(solutions).as_posix()):
        return True
    return any(folder.name in LEFT_BEHIND or (folder.parent / f"base_{folder.name}").is_dir() for folder in folders)
