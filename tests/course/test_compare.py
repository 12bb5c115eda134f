"""Two versions of a file, side by side."""

from __future__ import annotations

from pathlib import Path

from course.compare import changed_lines, side_by_side


def test_two_files_are_shown_side_by_side_with_their_changes(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("name: a\ndata: <file>\n")
    (tmp_path / "new.yaml").write_text("name: a\ndata:\n  host:\n")
    html = side_by_side(tmp_path / "old.yaml", tmp_path / "new.yaml").data
    assert '<td class="removed">data: &lt;file&gt;</td><td class="added">data:</td>' in html
    assert changed_lines(tmp_path / "old.yaml", tmp_path / "new.yaml") == (1, 2)
