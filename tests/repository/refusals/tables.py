"""The tables of refusals in docs/: ``| refused | answer | remark |``.

The first cell names the refused feature; names in backticks are the fields, calls or kinds that a check tries one by one.
The second cell has the answer: a status, an error code in backticks, or words. A remark that starts with "Tested by" names
the test that checks the row elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
HEADER = "| refused | answer | remark |"
NAME = re.compile(r"`([^`]+)`")
NAMES = re.compile(r"`[^`]+`(?:(?:, | and | or )`[^`]+`)*")


@dataclass(frozen=True)
class Row:
    """One row: its page, the text of its cells, and ``key``, the first cell with each list of names as ``*``."""

    page: str
    refused: str
    answer: str
    remark: str

    @property
    def key(self) -> str:
        return NAMES.sub("*", self.refused)

    @property
    def names(self) -> list[str]:
        return NAME.findall(self.refused)

    @property
    def answers(self) -> set[str]:
        return set(NAME.findall(self.answer)) or {self.answer}

    @property
    def tested_by(self) -> str:
        """The name of the test elsewhere, or ""."""
        match = re.fullmatch(r"Tested by `(\w+)`", self.remark)
        return match[1] if match else ""

    def __str__(self) -> str:
        return f"{self.page}: {self.key}"


def rows() -> list[Row]:
    """Every row of every table of refusals."""
    return [row for page in sorted(DOCS.glob("*.md")) for row in _of_page(page)]


def echoed(page: str) -> list[str]:
    """The fields that docs/``page``.md lists as accepted and only echoed."""
    section = (DOCS / f"{page}.md").read_text().partition("## Accepted and only echoed")[2]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [name for row in cells[1:] for name in NAME.findall(row[-2])]


def _of_page(page: Path) -> list[Row]:
    table: list[Row] = []
    inside = False
    for line in page.read_text().splitlines():
        inside = line == HEADER or (inside and line.startswith("|"))
        if inside and line != HEADER and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            table.append(Row(page.stem, *cells))
    return table
