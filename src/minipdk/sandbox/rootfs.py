"""Build a container's root, in PID 1 of its new namespaces (runs in the launcher: few imports, see `launcher`).

The root is an overlay of the image's layers over an empty skeleton; the host's system folders and Python environment are
separate overlays at the same paths as outside, because overlayfs in a user namespace cannot cover the whole of / with
its sub-mounts. All upper folders are in the container's own folder, so nothing reaches the host or the image.
"""

from __future__ import annotations

import contextlib
import os

from minipdk.sandbox import syscalls

TYPE_CHECKING = False  # as in `launcher`
if TYPE_CHECKING:
    from typing import Any

SKELETON, ACCOUNTS = "skeleton", "accounts"  # layers that are made for each container, under these names in the overlays
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ACCELERATORS = ("nvidia", "dri", "kfd")
SHARED_MEMORY = "/dev/shm"  # noqa: S108  (the container's own)
UMASK = 0o022  # a container engine's
PROTECTED = syscalls.MS_NOSUID | syscalls.MS_NODEV
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""Settings of the host's kernel, which a container of the host's root could change."""
MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/scsi"),
    *("/proc/sched_debug", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"),
)
"""Parts of the host that no container needs. Both lists: https://github.com/moby/moby/blob/v28.0.0/oci/defaults.go"""


class SetupError(Exception):
    """A stage of the set-up failed: ``namespaces``, ``network``, ``overlay``, ``mounts`` or ``user``; the cause says why."""


@contextlib.contextmanager
def stage(name: str) -> Any:
    """Raise an OSError or ValueError as a SetupError of the stage ``name``."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SetupError(name) from error


def build(config: dict[str, Any]) -> None:
    """Leave the host's root for the one of the ``config`` that `minipdk.sandbox.runtime_config` made."""
    with stage("mounts"):
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        trees = [(_tree(bind), bind) for bind in (*_device_binds(), *config["binds"])]
        _prepare_stage(config)
    with stage("overlay"):
        for overlay in config["overlays"]:
            _mount_overlay(config, overlay)
    with stage("mounts"):
        os.chdir("root")
        _mount_proc()
        syscalls.pivot_root(".", ".")
        syscalls.unmount(".")
        os.chdir("/")
        _mount_system_folders()
        _write_files(config["files"])
        for tree, bind in trees:
            _attach(tree, bind)
        _protect_kernel()


def _tree(bind: dict[str, Any]) -> int:
    tree = _part(bind["source"], bind["below"]) if bind.get("below") else syscalls.open_tree(bind["source"])
    if bind["read_only"]:
        syscalls.make_read_only(tree)
    return tree


def _part(volume: str, below: str) -> int:
    """The tree of a path below a volume, in which another container may replace folders by links meanwhile."""
    folder = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    part = syscalls.open_beneath(folder, below)
    tree = syscalls.open_tree_at(part)
    os.close(part)
    os.close(folder)
    return tree


def _device_binds() -> list[dict[str, Any]]:
    names = [*DEVICES, *(name for name in os.listdir("/dev") if name.startswith(ACCELERATORS))]
    binds = [{"source": f"/dev/{name}", "target": f"/dev/{name}", "read_only": False} for name in names]
    return [*binds, {"source": "/sys", "target": "/sys", "read_only": True}]


def _prepare_stage(config: dict[str, Any]) -> None:
    """Mount a private tmpfs with the skeleton and short names for long paths: mount options are limited to one page."""
    folder = config["folder"]
    for name in ("stage", "upper", "work"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    syscalls.mount("stage", f"{folder}/stage", "tmpfs", PROTECTED, "mode=755")
    os.chdir(f"{folder}/stage")
    os.umask(0)
    for name in ("root", SKELETON, ACCOUNTS):
        os.mkdir(name)
    os.symlink(f"{folder}/upper", "upper")
    os.symlink(f"{folder}/work", "work")
    for path, mode in config["directories"]:
        os.makedirs(f"{SKELETON}{path}", exist_ok=True)
        os.chmod(f"{SKELETON}{path}", mode)
    for path, target in config["links"]:
        os.makedirs(os.path.dirname(f"{SKELETON}{path}"), exist_ok=True)
        os.symlink(target, f"{SKELETON}{path}")
    os.umask(UMASK)
    for name, content in config["accounts"].items():
        with open(f"{ACCOUNTS}/{name}", "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)


def _mount_overlay(config: dict[str, Any], overlay: dict[str, Any]) -> None:
    key, target = overlay["key"], f"root{overlay['target']}"
    lower = []
    for number, path in enumerate(overlay["lower"]):
        os.symlink(path, f"{key}{number}")
        lower.append(f"{key}{number}")
    for name in ("upper", "work"):
        os.makedirs(f"{name}/{key}", exist_ok=True)
    os.makedirs(target, exist_ok=True)
    options = f"lowerdir={':'.join(lower)},upperdir=upper/{key},workdir=work/{key},userxattr"
    if not config["keep_layer"]:
        options += ",volatile"  # it is useless after a crash, so nothing needs syncing
    syscalls.mount("overlay", target, "overlay", syscalls.MS_NODEV, options)


def _mount_system_folders() -> None:
    _mkdir("/dev")
    syscalls.mount("dev", "/dev", "tmpfs", syscalls.MS_NOSUID, "mode=755,size=64k")
    _mkdir("/dev/pts")
    _mkdir(SHARED_MEMORY)
    syscalls.mount(
        "devpts", "/dev/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"
    )
    syscalls.mount("shm", SHARED_MEMORY, "tmpfs", PROTECTED, "mode=1777")
    links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
    for name, target in links.items():
        os.symlink(target, f"/dev/{name}")
    _mkdir("/run")
    syscalls.mount("run", "/run", "tmpfs", PROTECTED, "mode=755")


def _mount_proc() -> None:
    """A /proc of the container's own processes; the host's if it is partly masked, when the kernel forbids a new one.

    The kernel decides this by the host's /proc, so the mount comes before the host's root is left.
    """
    _mkdir("proc")
    try:
        syscalls.mount("proc", "proc", "proc", PROTECTED | syscalls.MS_NOEXEC)
    except PermissionError:
        syscalls.move_mount(syscalls.open_tree("/proc"), "proc")


def _protect_kernel() -> None:
    """Cover READ_ONLY and MASKED, as runc does: a masked folder is empty, a masked file is /dev/null."""
    for path in filter(os.path.exists, READ_ONLY):
        tree = syscalls.open_tree(path)
        syscalls.make_read_only(tree)
        syscalls.move_mount(tree, path)
        os.close(tree)
    for path in filter(os.path.exists, MASKED):
        if os.path.isdir(path):
            syscalls.mount("masked", path, "tmpfs", syscalls.MS_RDONLY | PROTECTED)
        else:
            _attach(syscalls.open_tree(os.devnull), {"source": os.devnull, "target": path})


def _write_files(files: list[dict[str, Any]]) -> None:
    """Write the files of /run (the service account, hosts) and mount each file that has a ``target`` there."""
    for file in files:
        os.makedirs(os.path.dirname(file["path"]), exist_ok=True)
        descriptor = os.open(file["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(file["content"])
        if target := file.get("target"):
            _attach(syscalls.open_tree(file["path"]), {"source": file["path"], "target": target})


def _attach(tree: int, bind: dict[str, Any]) -> None:
    """Mount ``tree`` at the bind's target, which is made as a folder or a file if it is missing."""
    target, source_is_folder = bind["target"], os.stat(tree).st_mode & 0o170000 == 0o040000
    if not os.path.lexists(target) or (os.path.islink(target) and not os.path.exists(target)):
        target = os.path.realpath(target)
        os.makedirs(target if source_is_folder else os.path.dirname(target), exist_ok=True)
        if not source_is_folder:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644))
    if os.path.isdir(target) != source_is_folder:
        kinds = ("a folder", "a file") if source_is_folder else ("a file", "a folder")
        raise ValueError(f"cannot mount {kinds[0]} ({bind['source']}) at {target}: the image has {kinds[1]} there")
    syscalls.move_mount(tree, target)
    os.close(tree)


def _mkdir(path: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
