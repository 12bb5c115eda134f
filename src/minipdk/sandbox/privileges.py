"""Let a container's root act as root although it has a single user id: changing owners and ids succeeds and does nothing.

apt-get, dpkg, useradd and tar chown files and drop privileges. A container has a single user id, so the kernel would refuse;
a seccomp filter answers those calls with success instead, as Charliecloud does. Every file then belongs to the user who
runs the container. `--chown` and USER work the same way.
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


def apply() -> None:
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
