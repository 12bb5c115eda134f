"""Downloads and executed notebooks are for their owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.private import private


@pytest.fixture(params=[0o000, 0o022], ids=["umask 000", "umask 022"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield int(request.param)
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    build = tmp_path / "build"
    build.mkdir(mode=0o755)
    (build / "earlier.json").write_text("token")
    with private(build):
        (build / "checkpoints/1").mkdir(parents=True)
        (build / "checkpoints/1/load_data.json").write_text("token")
    assert mode(build) == mode(build / "checkpoints") == mode(build / "checkpoints/1") == 0o700
    assert mode(build / "checkpoints/1/load_data.json") == 0o600
    assert os.umask(umask) == umask, "the umask is the user's again"
