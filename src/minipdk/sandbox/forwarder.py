"""The network of a Pod. Runs stand-alone, in a bare interpreter, like `launcher`.

Two processes make a network::

    outside   in the host's network; accepts on sockets of the Pod's network and connects to the cluster's services
    inside    in a user and a network namespace of its own, which the Pod's containers join; accepts on sockets of the
              host's network, which it has inherited, and connects to what listens in the Pod

The network has a loopback interface and nothing else, so programs in it can bind what they like and reach what is passed
on. Both end with the service that started them; what then still runs in the network has lost it.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import signal
import socket
import struct

from minipdk.sandbox import rootfs, syscalls
from minipdk.sandbox.launcher import KILLED, described, map_ids, report
from minipdk.sandbox.relay import HOST, Relay

TYPE_CHECKING = False  # as in `launcher`
if TYPE_CHECKING:
    from typing import Any, NoReturn

BACKLOG = 1024
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
LOWEST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def main() -> None:
    """Make the network that descriptor argv[1] describes (see `network.create`) and report on descriptor argv[2]."""
    plan, status = described()
    try:
        with rootfs.stage("namespaces"):
            watched = os.pidfd_open(plan["parent"])
            if os.getppid() != plan["parent"]:
                raise ProcessLookupError("the process that asked for this network has ended")
        ours, theirs = socket.socketpair()
        inside = os.fork()
        if inside == 0:
            ours.close()
            _inside(plan, theirs, status)
        theirs.close()
        _outside(plan, ours, inside, watched, status)
    except rootfs.Stage as failure:
        os.write(status, marshal.dumps(report(failure)))
        os._exit(1)


def _inside(plan: dict[str, Any], outside: socket.socket, status: int) -> NoReturn:
    syscalls.die_with_parent(signal.SIGKILL)
    uid, gid = os.getuid(), os.getgid()
    with rootfs.stage("network"):
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        map_ids(0, uid, 0, gid)
        _raise_loopback()
        with open(LOWEST_PORT, "w") as setting:  # containers are not root here, and may bind port 80 all the same
            setting.write("0")
        outwards = [socket.create_server((HOST, port), backlog=BACKLOG) for port in plan["outward"]]
        socket.send_fds(outside, [b"ready"], [listener.fileno() for listener in outwards])
    for listener in outwards:
        listener.close()
    os.close(status)
    relay = Relay()
    relay.watch(outside.fileno(), lambda _: os._exit(KILLED))  # closed: the other process has ended
    relay.accept_requests(socket.socket(fileno=plan["control"]))
    for descriptor, port in plan["inward"]:
        relay.listen(socket.socket(fileno=descriptor), port)
    relay.run()
    os._exit(0)


def _outside(plan: dict[str, Any], inside: socket.socket, pid: int, watched: int, status: int) -> NoReturn:
    message, descriptors, _flags, _address = socket.recv_fds(inside, 16, len(plan["outward"]))
    if not message:  # it has reported why
        os._exit(1)
    for descriptor in (plan["control"], *(descriptor for descriptor, _ in plan["inward"])):
        os.close(descriptor)
    os.write(status, marshal.dumps({"pid": pid}))
    os.close(status)
    relay = Relay()
    for ending in (watched, inside.fileno()):
        relay.watch(ending, lambda _: relay.stop(), select.EPOLLIN)
    for descriptor, port in zip(descriptors, plan["outward"], strict=True):
        relay.listen(socket.socket(fileno=descriptor), port)
    relay.run()
    os._exit(0)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
