"""A command runs to its end, shows its last line, and is killed when it takes too long."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import wait_for

from course import commands
from course.progress import WaitTimeoutError


def test_a_command_shows_its_progress_and_returns_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = commands.run(["sh", "-c", "echo step 1; sleep 0.5; echo step 2; echo why >&2; exit 3"], tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (3, "step 1\nstep 2\n", "why\n")
    assert "sh: step 1 (0 s)" in capsys.readouterr().err


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(WaitTimeoutError, match=r"sh took over 0\.5 s"):
        commands.run(["sh", "-c", "sleep 600 & echo $! > child; wait"], tmp_path, seconds=0.5)
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])
