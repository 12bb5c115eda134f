"""Show two versions of a file side by side."""

from __future__ import annotations

import difflib
from html import escape
from pathlib import Path

from IPython.display import HTML

STYLE = """<style>
table.side-by-side {font-family: monospace; font-size: 11px; border-collapse: collapse; width: 100%; table-layout: fixed}
table.side-by-side td {text-align: left !important; white-space: pre-wrap; vertical-align: top; padding: 0 6px; width: 50%}
table.side-by-side td.added {background: rgba(46, 160, 67, 0.22)}
table.side-by-side td.removed {background: rgba(217, 130, 43, 0.22)}
table.side-by-side td.skipped {color: #888; text-align: center !important}
</style>"""
CONTEXT_LINES = 2


def side_by_side(old: Path, new: Path) -> HTML:
    """The old file at the left, the new one at the right, with removed and added lines coloured."""
    before, after = old.read_text().splitlines(), new.read_text().splitlines()
    rows: list[str] = []
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT_LINES):
        if rows or group[0][1] > 0:
            rows.append('<tr><td class="skipped" colspan="2">...</td></tr>')
        for kind, i1, i2, j1, j2 in group:
            rows += _rows(kind, before[i1:i2], after[j1:j2])
    head = (
        f"<tr><td><b>before: {old.parent.name}/{old.name}</b></td><td><b>after: {new.parent.name}/{new.name}</b></td></tr>"
    )
    return HTML(f'{STYLE}<table class="side-by-side">{head}{"".join(rows)}</table>')


def changed_lines(old: Path, new: Path) -> tuple[int, int]:
    """The number of lines removed from ``old`` and the number added in ``new``."""
    lines = list(difflib.ndiff(old.read_text().splitlines(), new.read_text().splitlines()))
    return sum(line.startswith("- ") for line in lines), sum(line.startswith("+ ") for line in lines)


def _rows(kind: str, before: list[str], after: list[str]) -> list[str]:
    left, right = ("removed", "added") if kind != "equal" else ("", "")
    height = max(len(before), len(after))
    return [f"<tr>{_cell(before, at, left)}{_cell(after, at, right)}</tr>" for at in range(height)]


def _cell(lines: list[str], at: int, kind: str) -> str:
    return f'<td class="{kind}">{escape(lines[at])}</td>' if at < len(lines) else "<td></td>"
