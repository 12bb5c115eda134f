"""On most machines /usr and /etc belong to root and the cluster does not; containers can change them nevertheless."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from tests.conftest import new_home
from tests.minipdk.sandbox.conftest import Run

from minipdk import sandbox
from minipdk.sandbox import host, ownership_layer

SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from minipdk.common.home import Identity, save
    from minipdk.images import Image
    from minipdk.sandbox import PIPE, STDOUT, ContainerSpec, create_network, ownership_layer, start

    # their thousands of folders would take seconds
    ownership_layer.WITHOUT_FOLDERS += ("/usr/lib", "/usr/share", "/usr/include")
    (folder := Path(sys.argv[2]) / "home").mkdir(mode=0o700)
    home = save(folder, Identity("cluster", "token", {"kubernetes": 6443}))
    network = create_network(home, (80,), ())
    spec = ContainerSpec(Image("x", "x"), ["sh", "-ec", sys.argv[3]], network=network)
    container = start(home, spec, stdout=PIPE, stderr=STDOUT)
    if len(sys.argv) > 4:
        print(*container.run(sys.argv[4:], timeout=60))
        container.kill()
    print(container.communicate()[0].decode(), end="")
    network.close()
    sys.exit(container.wait())
""")


@pytest.fixture
def run_as_nobody(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``run_as_nobody(command)`` runs it in a container, and ``more`` beside it, of a cluster that belongs to user 65534."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user; this user's own containers are tested everywhere else")
    probe = [SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not shutil.which(SYSTEM_PYTHON) or subprocess.run(probe, check=False).returncode:
        pytest.skip("another user cannot use this environment, and the system has no Python 3.11")

    def run(command: str, *more: str) -> tuple[int, str]:
        folder = Path(subprocess.check_output(["mktemp", "-d", "/var/tmp/minipdk-XXXXXX"], text=True).strip())
        source = shutil.copytree(
            Path(sandbox.__file__).parents[1], folder / "minipdk", ignore=shutil.ignore_patterns("__pycache__")
        )
        try:
            folder.chmod(0o777)
            identity = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", f"HOME={folder}"]
            argv = [*identity, SYSTEM_PYTHON, "-B", "-c", PROGRAM, str(source.parent), str(folder), command, *more]
            process = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
            assert process.stderr == ""
            return process.returncode, process.stdout.strip()
        finally:
            shutil.rmtree(folder)

    return run


def test_another_user_s_container_writes_where_root_owns_the_host_s_folders(run_as_nobody: Run) -> None:
    command = (
        "touch /usr/bin/x /opt/x /x; echo >> /etc/passwd; rm -r /usr/bin/env /etc/ld.so.conf.d; useradd -m me; id -un me"
    )
    assert run_as_nobody(command) == (0, "me")


def test_another_user_s_container_has_a_network_and_runs_one_more_command(run_as_nobody: Run) -> None:
    look = "import os, socket; print(os.getuid(), socket.create_server(('', 80)).getsockname()[1])"
    assert run_as_nobody("exec sleep 1000", SYSTEM_PYTHON, "-c", look) == (137, r"0 b'0 80\n'")


def test_the_layer_in_between_is_made_once_and_again_when_the_system_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("host/usr/deep/er", "host/etc"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("host/usr/program", "host/etc/setting"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(ownership_layer, "_is_ours", lambda path: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    view = host.HostView({"usr": str(tmp_path / "host/usr"), "etc": str(tmp_path / "host/etc")}, frozenset(), (), ())
    monkeypatch.setattr(host, "view", lambda: view)
    cluster = new_home(tmp_path / "home")
    made = ownership_layer.folder(cluster)
    assert made is not None
    assert sorted(str(path.relative_to(made)) for path in made.rglob("*")) == [
        "etc",
        "etc/setting",
        "usr",
        "usr/deep",
        "usr/deep/er",
    ]
    ownership_layer._folder.cache_clear()
    assert ownership_layer.folder(cluster) == made
    (tmp_path / "host/usr/new").mkdir()
    ownership_layer._folder.cache_clear()
    again = ownership_layer.folder(cluster)
    assert again is not None
    assert (again != made, (again / "usr/new").is_dir(), made.exists()) == (True, True, False)
    ownership_layer._folder.cache_clear()


def test_passwords_of_the_host_are_not_in_a_container(run: Run) -> None:
    _, output = run("cut -d: -f2 /etc/shadow | sort -u")
    assert output == "*"
