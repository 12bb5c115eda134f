"""Give up the capabilities that a container engine does not give to root (runs in the launcher: few imports).

With CAP_SYS_ADMIN a container's root could unmount the folders that cover parts of /proc, or mount another /proc.
"""

from __future__ import annotations

import struct

from minipdk.sandbox import syscalls

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
