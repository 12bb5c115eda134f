"""Self-checks print a tick or raise a hint."""

from __future__ import annotations

import pytest

from course import CheckError, check


def test_a_check_ticks_or_hints(capsys: pytest.CaptureFixture[str]) -> None:
    check("the sky is up", True, "look up")
    assert capsys.readouterr().out == "✓ the sky is up\n"
    with pytest.raises(CheckError, match=r"Not yet: the sky is up\. Hint: look up"):
        check("the sky is up", False, "look up")
