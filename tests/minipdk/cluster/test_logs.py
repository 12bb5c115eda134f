"""The logs of services are bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from minipdk.cluster.logs import bound

WRITER = "import sys\nfor line in sys.stdin:\n  print('line', line.strip(), flush=True)\n"


def test_a_full_log_starts_again_and_its_newest_part_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_bytes(b"0123456789")
    bound(log, largest=10)
    assert log.read_bytes() == b"0123456789"
    assert not (tmp_path / "service.log.1").exists()
    for more in (b"abc", b"0123456789X"):
        with log.open("ab") as writer:
            writer.write(more)
        bound(log, largest=10)
        assert log.read_bytes() == b""
    assert (tmp_path / "service.log.1").read_bytes() == b"123456789X"


def test_a_process_that_writes_to_it_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with log.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=file, text=True)
    assert process.stdin is not None
    with process:
        process.stdin.write("1\n" * 10)
        process.stdin.flush()
        while log.stat().st_size < 70:
            assert process.poll() is None
        bound(log, largest=14)
        process.stdin.write("2\n")
    assert log.read_text() == "line 2\n"
    assert log.with_name("service.log.1").read_text() == "line 1\n" * 2
