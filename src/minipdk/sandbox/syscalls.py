"""The Linux calls that make a container and that Python 3.11 has no function for.

Each raises OSError with the call's name and its operand. The mount calls need Linux 5.12 or newer; the numbers of
``open_tree``, ``move_mount``, ``openat2`` and ``mount_setattr`` are the same on every architecture.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE = 428
_OPEN_TREE_CLONE = 1
_OPENAT2 = 437
_RESOLVE_BENEATH, _RESOLVE_NO_MAGICLINKS = 8, 2
_MOVE_MOUNT = 429
_MOVE_MOUNT_F_EMPTY_PATH = 4
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
_MOUNT_ATTR_RDONLY = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags``. A new user namespace needs a single-threaded process."""
    _check(_libc.unshare(flags), "unshare", hex(flags))


def join(descriptor: int) -> None:
    """Enter the namespace that ``descriptor`` stands for. A user namespace needs a single-threaded process."""
    _check(_libc.setns(descriptor, 0), "setns", str(descriptor))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). ``options`` must be shorter than a page: use relative paths."""
    result = _libc.mount(source.encode(), os.fsencode(target), kind.encode() or None, flags, options.encode() or None)
    _check(result, f"mount {kind}".strip(), target)


def unmount(target: str) -> None:
    """Detach the mount at ``target``; it vanishes when nothing uses it any more."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), "umount", target)


def pivot_root(new: str, old: str) -> None:
    """Make ``new`` the root; the present root is then at ``old``."""
    _syscall("pivot_root", new, _PIVOT_ROOT[os.uname().machine], os.fsencode(new), os.fsencode(old))


def open_tree(path: str) -> int:
    """A descriptor of a detached copy of the mounts at ``path`` and below, for `move_mount`."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _syscall("open_tree", path, _OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def open_tree_at(descriptor: int) -> int:
    """As `open_tree`, of an open file or folder."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE | _AT_EMPTY_PATH
    return _syscall("open_tree", str(descriptor), _OPEN_TREE, descriptor, b"", flags)


def open_beneath(folder: int, path: str) -> int:
    """A descriptor (O_PATH) of ``path`` below the open ``folder``. OSError (EXDEV) if a link or ``..`` leads out of it."""
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    return _syscall("openat2", path, _OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))


def make_read_only(tree: int) -> None:
    """Make the detached mounts of `open_tree` read-only."""
    attributes = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    _syscall("mount_setattr", "", _MOUNT_SETATTR, tree, b"", flags, ctypes.byref(attributes), ctypes.sizeof(attributes))


def move_mount(tree: int, target: str) -> None:
    """Attach the detached mounts of `open_tree` at ``target``."""
    _syscall("move_mount", target, _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)


def prctl(option: int, *arguments: object) -> None:
    """prctl(2), with integers or pointers."""
    four = (*arguments, 0, 0, 0, 0)[:4]
    wide = [ctypes.c_ulong(argument) if isinstance(argument, int) else argument for argument in four]
    _check(_libc.prctl(ctypes.c_int(option), *wide), "prctl", str(option))


def set_capabilities(header: bytes, sets: bytes) -> None:
    """capset(2), with the structures that it takes."""
    _check(_libc.capset(header, sets), "capset", header.hex())


def sync_filesystem(descriptor: int) -> None:
    """Write the filesystem of ``descriptor`` to the disk."""
    _check(_libc.syncfs(descriptor), "syncfs", str(descriptor))


def _syscall(name: str, operand: str, number: int, *arguments: object) -> int:
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), name, operand)


def _check(result: int, name: str, operand: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", operand)
    return result
