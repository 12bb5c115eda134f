"""The rights of a container's root (runs in the launcher: few imports).

`restrict` gives up the capabilities that a container engine does not give to root. With CAP_SYS_ADMIN it could unmount the
folders that cover parts of /proc, or mount another /proc.

`fake_owners` lets it act as root although it has a single user id: apt-get, dpkg, useradd and tar chown files and drop
privileges, which the kernel would refuse; a seccomp filter answers those calls with success instead, as Charliecloud does.
Every file then belongs to the user who runs the container. `--chown` and USER work the same way.
"""

from __future__ import annotations

import ctypes
import os
import struct

from minipdk.sandbox import syscalls

# chown, fchown, lchown, fchownat, setuid, setgid, setreuid, setregid, setgroups, setresuid, setresgid, setfsuid, setfsgid
CALLS = {
    "x86_64": (92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123),
    "aarch64": (55, 54, 146, 144, 145, 143, 159, 147, 149, 151, 152),
}
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ALLOW, _SUCCEED = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with errno 0
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2

# chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod,
# audit_write, setfcap: https://github.com/moby/moby/blob/v28.0.0/daemon/pkg/oci/caps/defaults.go
KEPT = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
CAPABILITIES = 64

_BOUNDING_READ, _BOUNDING_DROP = 23, 24
_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


def restrict() -> None:
    """Keep only KEPT, for this process and all that it starts."""
    for number in set(range(CAPABILITIES)) - set(KEPT):
        try:
            syscalls.prctl(_BOUNDING_READ, number)
        except OSError:
            continue  # this kernel does not know it
        syscalls.prctl(_BOUNDING_DROP, number)
    kept = sum(1 << number for number in KEPT)
    # Three sets, the effective, the permitted and the inheritable; the second half is that of the numbers from 32 on.
    syscalls.set_capabilities(struct.pack("Ii", _VERSION, 0), struct.pack("IIIIII", kept, kept, 0, 0, 0, 0))


def fake_owners() -> None:
    """Install the filter for this process and all that it starts. Other architectures are left as they are."""
    machine = os.uname().machine
    if machine not in CALLS:
        return
    program = _program(ARCHITECTURES[machine], CALLS[machine])
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.create_string_buffer(header, len(header)))


def _program(architecture: int, calls: tuple[int, ...]) -> bytes:
    """The BPF program: load the architecture and the number; a listed call succeeds, everything else is allowed."""
    lines = [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_IF_EQUAL, 0, len(calls) + 1, architecture), (_LOAD, 0, 0, _NUMBER)]
    lines += [(_JUMP_IF_EQUAL, len(calls) - place, 0, number) for place, number in enumerate(calls)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _SUCCEED)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
