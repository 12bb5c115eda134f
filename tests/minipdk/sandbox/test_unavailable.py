"""When a machine cannot make containers, the error and `minipdk doctor` name the setting to change."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.sandbox import diagnosis
from minipdk.sandbox.errors import ContainerSpecError, LaunchError, SandboxError, SandboxUnavailableError

PROBE = textwrap.dedent("""
    import sys
    from pathlib import Path
    from minipdk import sandbox
    from minipdk.common import home as homes
    for check in sandbox.probe(homes.load(Path(sys.argv[1]))):
        print(check.subject, check.ok, check.detail, check.remedy, sep="|")
""")


def probe_in_a_namespace(setup: str, home: Path, subject: str = "containers") -> str:
    """The probe's line about ``subject`` after ``setup``, a shell script run by root of a new namespace."""
    script = f'set -e; {setup}; exec "$0" -c "$1" "$2"'
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, PROBE, str(home)]
    process = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert process.stderr == ""
    return next(line for line in process.stdout.splitlines() if line.startswith(f"{subject}|"))


def test_this_machine_can(home: Home) -> None:
    assert all(check.ok for check in sandbox.probe(home))


def test_forbidden_user_namespaces_are_named_with_their_setting(home: Home) -> None:
    finding = probe_in_a_namespace("echo 0 > /proc/sys/user/max_user_namespaces", home.path)
    assert finding.startswith("containers|False|")
    assert finding.endswith("sysctl user.max_user_namespaces=15000`")


def test_forbidden_network_namespaces_are_named_with_their_setting(home: Home) -> None:
    setup = "echo 0 > /proc/sys/user/max_net_namespaces"
    finding = probe_in_a_namespace(setup, home.path, "networks of containers")
    assert finding.startswith("networks of containers|False|only Pods with hostNetwork run")
    assert finding.endswith("sysctl user.max_net_namespaces=15000`")
    assert probe_in_a_namespace(setup, home.path).startswith("containers|True|")


def test_a_home_on_a_filesystem_that_cannot_carry_layers_is_named(home: Home, tmp_path: Path) -> None:
    for name in ("lower", "upper", "work", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower/cluster.json").write_bytes((home.path / "cluster.json").read_bytes())
    options = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    finding = probe_in_a_namespace(f"mount -t overlay -o {options},userxattr overlay {tmp_path}/home", tmp_path / "home")
    assert "lies on overlay; choose a folder on a local disk" in finding


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ({"stage": "namespaces", "errno": 1, "message": "unshare"}, SandboxUnavailableError),
        ({"stage": "mounts", "errno": 1, "message": "mount"}, SandboxUnavailableError),
        ({"stage": "overlay", "errno": 19, "message": "no such device"}, SandboxUnavailableError),
        ({"stage": "network", "errno": 28, "message": "unshare"}, SandboxUnavailableError),
        ({"stage": "user", "errno": 0, "message": "unable to find user x"}, ContainerSpecError),
        ({"stage": "mounts", "errno": 30, "message": "read-only"}, ContainerSpecError),
        ({"stage": "mounts", "errno": 5, "message": "input/output error"}, LaunchError),
    ],
)
def test_each_failure_has_its_error(home: Home, report: dict[str, Any], kind: type[SandboxError]) -> None:
    assert type(diagnosis.error(home, report)) is kind
