"""Numbers in the prose agree with the stored outputs: each number after "You should see" was printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from course.labs import load
from tests.notebooks.conftest import ROOT, printed

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
SOLUTIONS = [ROOT / lab.solution for lab in load(ROOT).labs if lab.notebook]
WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
]
ANNOUNCED = re.compile(r"\*\*You should see\*\*(.*?)(?:\n\n|\Z)", re.S)
each_notebook = pytest.mark.parametrize("path", [*NOTEBOOKS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}-{path.stem}")


def announcements(path: Path) -> Iterator[tuple[str, str]]:
    """Each paragraph that begins with "You should see", and the output of the cells since the one before."""
    output = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            output += text_of(cell)
        for paragraph in ANNOUNCED.findall(cell.source if cell.cell_type == "markdown" else ""):
            yield paragraph, output
            output = ""


def text_of(cell: Any) -> str:
    results = [output["data"] for output in cell.outputs if "data" in output]
    return printed(cell) + "".join(str(data.get("text/html", data.get("text/plain", ""))) for data in results)


def numbers(text: str) -> list[int]:
    """The numbers that ``text`` writes as words."""
    return [WORDS.index(word) for word in re.findall(r"\w+", text.lower()) if word in WORDS]


@each_notebook
def test_announced_ticks_were_printed(path: Path) -> None:
    for paragraph, output in announcements(path):
        if "tick" in paragraph and numbers(paragraph):
            assert output.count("✓") == sum(numbers(paragraph)), paragraph


@each_notebook
def test_announced_figures_were_printed_or_are_part_of_a_command(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    output = "".join(text_of(cell) for cell in cells if cell.cell_type == "code")
    output += "".join(command for cell in cells for command in re.findall(r"```bash.*?```", cell.source, re.S))
    for paragraph, _ in announcements(path):
        for figure in re.findall(r"\b\d[\d,]*(?:\.\d+)?\b", paragraph):
            assert figure.rstrip(",") in output, paragraph


@each_notebook
def test_a_title_with_a_number_of_steps_counts_them(path: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    if match := re.match(r"# .* in (\w+) steps\n", text):
        assert numbers(match[1]) == [len(re.findall(r"^## \d+ · ", text, re.M))]


def test_the_sentence_about_the_profile_names_no_number() -> None:
    """How many variables a profile has depends on the cluster."""
    [paragraph] = [paragraph for paragraph, _ in announcements(NOTEBOOKS[0]) if "variables" in paragraph]
    assert numbers(paragraph) == []
