"""A container sees its own root, and its changes stay there."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import wheel
from tests.minipdk.sandbox.conftest import BASE, Run

from minipdk import sandbox
from minipdk.common.home import Home
from minipdk.sandbox import PIPE, ContainerSpec, rootfs, start
from minipdk.sandbox.errors import ContainerSpecError, LaunchError

MINIPDK_SOURCE = Path(sandbox.__file__).parents[2]


def packages() -> list[Path]:
    return sorted(Path(sys.prefix, "lib/python3.11/site-packages").iterdir())


def test_the_command_runs_with_the_python_environment_outside(run: Run) -> None:
    status, output = run(["python", "-c", "import sys, numpy; print(sys.prefix, numpy.__version__)"])
    assert (status, output.split()[0]) == (0, sys.prefix)


def test_the_cluster_s_folder_the_checkout_and_minipdk_are_hidden(run: Run, home: Home) -> None:
    _, output = run(f"ls {home.path} {MINIPDK_SOURCE} {Path.cwd() / 'README.md'}; python -c 'import minipdk'")
    assert output.count("No such file or directory") == 3
    assert "No module named 'minipdk'" in output


def test_home_folders_are_empty_but_for_the_way_to_python(run: Run) -> None:
    _, output = run("ls /home; ls -A /root")
    shown = Path(sys.base_prefix).parts[2:3] if sys.base_prefix.startswith("/root/") else ()
    assert output.split() == list(shown)


def test_system_folders_and_new_ones_are_writable_and_nothing_reaches_the_host(run: Run) -> None:
    names = ("/usr/written", "/etc/written", "/opt/written", f"{sys.prefix}/written", "/anywhere/written", "/tmp/written")
    status, _ = run("mkdir /anywhere && touch " + " ".join(names) + " && rm /usr/bin/env && ! test -e /usr/bin/env")
    assert status == 0
    assert not any(Path(name).exists() for name in names)
    assert Path("/usr/bin/env").exists()


def test_each_container_starts_from_the_same_root(run: Run) -> None:
    run("touch /tmp/one /usr/one")
    missing = "ls: cannot access '{}': No such file or directory".format
    assert run("ls /tmp/one; ls /usr/one")[1].splitlines() == [missing("/tmp/one"), missing("/usr/one")]


def test_pip_install_stays_in_the_container(run: Run, tmp_path: Path) -> None:
    before = packages()
    name, content = wheel("six", "__version__ = '1.16.0'", "1.16.0")
    (tmp_path / name).write_bytes(content)
    install = f"pip install -q --no-index --no-deps /wheels/{name} && python -c 'import six; print(six.__version__)'"
    status, output = run(install, mounts=[sandbox.Mount(tmp_path, "/wheels")])
    assert (status, output.splitlines()[-1]) == (0, "1.16.0")
    assert packages() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_home_folder_that_cannot_be_entered_is_no_obstacle(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setenv("HOME", str(closed / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert run("echo started") == (0, "started")


def test_processes_outside_are_invisible(run: Run) -> None:
    _, output = run("ls -d /proc/[0-9]*; echo $$")
    assert set(output.split()) <= {f"/proc/{number}" for number in range(1, 5)} | {"2"}


def test_devices_shared_memory_and_terminals_are_there(run: Run) -> None:
    program = (
        "import os, multiprocessing as m; open('/dev/null', 'w').write('x'); m.Lock(); m.Value('i');"
        "print(len(os.urandom(4)), len(open('/dev/zero', 'rb').read(3)), os.openpty()[0] > 0)"
    )
    assert run(["python", "-c", program]) == (0, "4 3 True")


def test_nothing_of_the_host_s_environment_leaks_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
    _, output = run("env; cat /proc/1/environ")
    assert "AWS_SECRET_ACCESS_KEY" not in output
    assert f"PATH={sys.prefix}/bin:" in output


def test_pip_s_settings_are_passed_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nretries = 7\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_TIMEOUT", "99")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    _, output = run("pip config list; echo $HTTPS_PROXY")
    assert "retries='7'" in output
    assert "timeout='99'" in output
    assert output.endswith("http://proxy:1")


def test_the_kubernetes_service_account_is_where_a_pod_finds_it(run: Run, home: Home) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    _, output = run(
        f"cat {folder}/token; echo; cat {folder}/namespace; echo; echo $KUBERNETES_SERVICE_PORT", namespace="models"
    )
    assert output.split() == [home.token, "models", str(home.port("kubernetes"))]


def test_the_cluster_s_names_resolve(run: Run) -> None:
    assert "127.0.0.1" in run("getent hosts pachd.default")[1]


@pytest.mark.parametrize("user", ["1234", "1234:77"])
def test_id_prints_the_user_s_number(run: Run, user: str) -> None:
    _, output = run("id -u; id -g; touch /tmp/x; stat -c %u /tmp/x", user=user)
    assert output.split()[0] == output.split()[2] == "1234"
    assert output.split()[1] == user.partition(":")[2] or "0"


def test_a_user_may_be_named(run: Run) -> None:
    assert run("id -un", user="nobody") == (0, "nobody")


def test_an_unknown_user_is_refused_by_name(run: Run) -> None:
    with pytest.raises(ContainerSpecError, match="unable to find user stranger"):
        run("true", user="stranger")


def test_mounts_of_files_and_folders_read_only_and_writable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/data").write_text("datum")
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("a file")
    mounts = [
        sandbox.Mount(tmp_path / "in", "/pfs/in", read_only=True),
        sandbox.Mount(tmp_path / "out", "/pfs/out"),
        sandbox.Mount(tmp_path / "file", "/etc/some/file", read_only=True),
    ]
    _, output = run("cat /pfs/in/data /etc/some/file; echo hi > /pfs/out/result; echo no > /pfs/in/data", mounts=mounts)
    assert "datuma file" in output
    assert "Read-only file system" in output
    assert (tmp_path / "out/result").read_text() == "hi\n"
    assert (tmp_path / "in/data").read_text() == "datum"


def test_files_that_a_user_writes_to_a_mount_belong_to_the_cluster_s_owner(run: Run, tmp_path: Path) -> None:
    run("touch /out/x", user="1000", mounts=[sandbox.Mount(tmp_path, "/out")])
    assert (tmp_path / "x").stat().st_uid == os.getuid()


def test_a_mount_below_a_system_folder_and_through_a_symlink(run: Run, tmp_path: Path) -> None:
    mounts = [sandbox.Mount(tmp_path, "/usr/share/new/place"), sandbox.Mount(tmp_path, "/var/run/there")]
    assert run("touch /usr/share/new/place/x && ls /run/there", mounts=mounts) == (0, "x")
    assert not Path("/usr/share/new").exists()


@pytest.mark.parametrize("target", ["relative", "/", "/pfs/../.."])
def test_a_mount_target_must_be_absolute_and_below_the_root(run: Run, tmp_path: Path, target: str) -> None:
    with pytest.raises(ContainerSpecError, match="mount target"):
        run("true", mounts=[sandbox.Mount(tmp_path, target)])


def test_a_missing_mount_source_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ContainerSpecError, match="no such file or folder"):
        run("true", mounts=[sandbox.Mount(tmp_path / "absent", "/x")])


def test_a_mount_below_a_folder_follows_no_link_out_of_it(run: Run, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "part").mkdir(parents=True)
    (volume / "inside").symlink_to("part")
    (volume / "part/file").write_text("below")
    (tmp_path / "secret").mkdir()
    assert run("cat /m/file", mounts=[sandbox.Mount(volume, "/m", below="inside")]) == (0, "below")
    for target in ("/etc", "../secret", str(volume / "part")):
        (volume / "outside").unlink(missing_ok=True)
        (volume / "outside").symlink_to(target)
        with pytest.raises(LaunchError, match="outside"):
            run("ls /m", mounts=[sandbox.Mount(volume, "/m", below="outside")])


def test_a_folder_cannot_be_mounted_over_a_file(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ContainerSpecError, match="/etc/passwd"):
        run("true", mounts=[sandbox.Mount(tmp_path, "/etc/passwd")])


def test_the_working_folder_is_made(run: Run) -> None:
    assert run("pwd", working_dir="/some/where") == (0, "/some/where")


def git_repository(folder: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "first"], cwd=folder, check=True)


@pytest.mark.parametrize("name", ["course", "a b/é", "C# 100%41"], ids=["plain", "non-ASCII", "URL characters"])
def test_the_course_s_git_repository_can_be_cloned_and_shows_nothing_else(
    name: str, tmp_path: Path, run: Run, home: Home
) -> None:
    checkout = tmp_path / name
    git_repository(checkout)
    (checkout / "untracked").touch()
    url = checkout.as_uri()
    course = Home(home.path, replace(home.identity, course_git_url=url))
    clone = f"git clone -q {url} /tmp/c && git -C /tmp/c log --format=%s; ls '{checkout}'"
    assert run(clone, cluster=course) == (0, "first")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_course_s_git_repository_may_belong_to_another_user(tmp_path: Path, run: Run, home: Home) -> None:
    checkout = tmp_path / "course"
    git_repository(checkout)
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    course = Home(home.path, replace(home.identity, course_git_url=checkout.as_uri()))
    assert run(f"git clone -q {checkout.as_uri()} /tmp/c && git -C /tmp/c log --format=%s", cluster=course) == (0, "first")


HOST_SETTINGS = (
    "/proc/sys/kernel/hostname",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_seqnum",
)
"""Files through which the host's root changes the host. A test writes them only through a container."""
WAYS_AROUND = (
    "umount /proc/sys",
    "umount -l /proc",
    "mount -o remount,rw /sys",
    "mount -o remount,bind,rw /proc/sys",
    "mkdir /proc2 && mount -t proc proc /proc2",
    "mkdir /sys2 && mount -t sysfs sys /sys2",
    "unshare --user --map-root-user --mount umount /proc/sys",
    "unshare --user --map-root-user --mount mount -o remount,bind,rw /proc/sys",
    "unshare --user --map-root-user --mount --pid --fork mount -t proc proc /proc",
    "nsenter --target 1 --mount --user umount /proc/sys",
)


@pytest.mark.parametrize("user", [None, "1000"])
def test_the_kernel_s_settings_are_read_only(run: Run, user: str | None) -> None:
    program = f"""
        for path in {" ".join(HOST_SETTINGS)}; do test -w $path && echo $path can be written; done
        find /proc/sys /proc/irq /proc/bus /proc/fs /sys -writable -type f 2> /dev/null | head -n 3
        grep --count '^proc /proc/[a-z/-]* proc ro,' /proc/mounts
    """
    expected = sum(Path(path).exists() for path in rootfs.READ_ONLY)
    assert run(program, user=user)[1].split() == [str(expected)]


def test_files_that_describe_the_host_are_empty(run: Run) -> None:
    assert run(f"cat {' '.join(rootfs.MASKED)} 2> /dev/null; ls /sys/firmware")[1] == ""


@pytest.mark.parametrize("command", WAYS_AROUND)
def test_root_cannot_undo_what_protects_the_kernel(run: Run, command: str) -> None:
    status, output = run(command)
    assert status != 0, output
    assert "not found" not in output


def test_root_has_the_capabilities_of_a_container_engine_s_root(home: Home) -> None:
    report = ["sh", "-c", "grep -hE 'Cap(Prm|Eff|Bnd)' /proc/self/status /proc/1/status | cut -f 2 | sort -u; exec cat"]
    container = start(home, ContainerSpec(BASE, report), stdin=PIPE, stdout=PIPE)
    _, of_another_command = container.run(report, timeout=60)
    of_the_command, _ = container.communicate(timeout=60)
    assert of_the_command == of_another_command == b"00000000a80425fb\n"  # as `docker run` prints it
