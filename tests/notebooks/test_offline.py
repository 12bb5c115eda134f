"""After `make setup` nothing needs a network: the course and its labs run in a namespace that has loopback alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.labs import load
from tests.conftest import new_home
from tests.notebooks.conftest import MINIPDK, ROOT, CourseCluster

pytestmark = pytest.mark.timeout(1800)
CUT = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
WITH_LOOPBACK = """
import fcntl, os, socket, struct, sys
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
with socket.socket() as any_socket:
    name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", name, flags | IFF_UP))
os.execvp(sys.argv[1], sys.argv[1:])
"""
SCRIPT = """
set -e
"$MINIPDK" start --course-git-url "$COURSE_GIT_URL" >&2
"$MINIPDK" env --format dotenv > "$PROFILE"
"$PYTHON" -m course.run --profile "$PROFILE" notebooks/05_query_endpoint.ipynb $LABS
"""


def cut_off(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` where the only network is loopback."""
    words = [*CUT, sys.executable, "-c", WITH_LOOPBACK, *command]
    return subprocess.run(words, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)


@pytest.fixture
def home(course_cluster: CourseCluster, tmp_path: Path) -> Iterator[Path]:
    """The folder of a new cluster, with the images that set-up has built."""
    if (refused := cut_off("true")).returncode:
        pytest.skip(f"this machine forbids network namespaces: {refused.stderr.strip()}")
    home = new_home(tmp_path / "home").path
    (home / "images").symlink_to(course_cluster.home / "images")
    yield home
    subprocess.run([MINIPDK, "stop", "--home", home], check=True)


def test_a_prediction_and_every_lab_need_no_network(home: Path, tmp_path: Path) -> None:
    """Notebook 05 first catches up: it trains, deploys and serves the model."""
    variables = {
        "MINIPDK": MINIPDK,
        "MINIPDK_HOME": str(home),
        "PYTHON": sys.executable,
        "PROFILE": str(tmp_path / "offline.env"),
    }
    labs = " ".join(lab.name for lab in load(ROOT).runnable)
    done = cut_off("sh", "-c", SCRIPT, **variables, COURSE_GIT_URL=ROOT.as_uri(), LABS=labs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 3 of 3" in done.stdout
