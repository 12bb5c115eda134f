"""Write the README's table of labs from the index, between two markers."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from course.labs.index import Index, Lab

BEGIN, END = "<!-- labs: generated from labs.toml by `make labs` -->", "<!-- /labs -->"
_SECTION = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.S)


def table(index: Index) -> str:
    """The table in Markdown: a link to each lab, its subject, its minutes, and the command that runs its solution."""
    rows = [_row(lab) for lab in index.labs]
    return "\n".join(["| | you learn to | minutes | run the solution |", "|---|---|---|---|", *rows, ""])


def with_table(text: str, index: Index) -> str:
    """``text`` with the current table between the markers; unchanged if it has no markers."""
    return _SECTION.sub(lambda _: table(index), text)


def _row(lab: Lab) -> str:
    target = lab.notebook or str(PurePosixPath("labs") / lab.name)
    command = f"`make {lab.target}`" if lab.target else ""
    return f"| [{lab.title}]({target}) | {lab.summary} | {lab.minutes} | {command} |"
