"""The network of a Pod. Runs stand-alone, in a bare interpreter, like `launcher`.

Two processes make a network::

    outside   in the host's network; accepts on sockets of the Pod's network and connects to the cluster's services
    inside    in a new user and a new network namespace, which the Pod's containers join; accepts on sockets of the
              host's network, which it has inherited, and connects to programs that listen in the Pod

The network has a loopback interface and nothing else, so programs in it can bind any port and reach the forwarded ones.
Both processes end with the service that started them; programs that still run in the network then have no connections.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import socket
import struct

from minipdk.common.processes import die_with_parent
from minipdk.sandbox import rootfs, syscalls
from minipdk.sandbox.launcher import KILLED, map_ids, read_config, report
from minipdk.sandbox.relay import HOST, Relay

TYPE_CHECKING = False  # as in `launcher`
if TYPE_CHECKING:
    from typing import Any, NoReturn

BACKLOG = 1024
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
LOWEST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def main() -> None:
    """Make the network of the configuration on descriptor argv[1] (see `network.create`) and report on argv[2]."""
    config, status = read_config()
    outside = os.getpid()
    try:
        with rootfs.stage("namespaces"):
            watched = os.pidfd_open(config["parent"])
            if os.getppid() != config["parent"]:
                raise ProcessLookupError("the process that requested this network has ended")
        ours, theirs = socket.socketpair()
        inside = os.fork()
        if inside == 0:
            ours.close()
            _inside(config, outside, theirs, status)
        theirs.close()
        _outside(config, ours, inside, watched, status)
    except rootfs.SetupError as failure:
        os.write(status, marshal.dumps(report(failure)))
        os._exit(1)


def _inside(config: dict[str, Any], parent: int, outside: socket.socket, status: int) -> NoReturn:
    if not die_with_parent(parent):
        os._exit(KILLED)
    uid, gid = os.getuid(), os.getgid()
    with rootfs.stage("network"):
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNET)
        map_ids(0, uid, 0, gid)
        _raise_loopback()
        with open(LOWEST_PORT, "w") as setting:  # containers are not root here, and may bind port 80 all the same
            setting.write("0")
        outwards = [socket.create_server((HOST, port), backlog=BACKLOG) for port in config["outward"]]
        socket.send_fds(outside, [b"ready"], [listener.fileno() for listener in outwards])
    for listener in outwards:
        listener.close()
    os.close(status)
    relay = Relay()
    relay.watch(outside.fileno(), lambda _: os._exit(KILLED))  # closed: the other process has ended
    relay.accept_requests(socket.socket(fileno=config["control"]))
    for descriptor, port in config["inward"]:
        relay.listen(socket.socket(fileno=descriptor), port)
    relay.run()
    os._exit(0)


def _outside(config: dict[str, Any], inside: socket.socket, pid: int, watched: int, status: int) -> NoReturn:
    message, descriptors, _flags, _address = socket.recv_fds(inside, 16, len(config["outward"]))
    if not message:  # the process inside has reported why
        os._exit(1)
    for descriptor in (config["control"], *(descriptor for descriptor, _ in config["inward"])):
        os.close(descriptor)
    os.write(status, marshal.dumps({"pid": pid}))
    os.close(status)
    relay = Relay()
    for ending in (watched, inside.fileno()):
        relay.watch(ending, lambda _: relay.stop(), select.EPOLLIN)
    for descriptor, port in zip(descriptors, config["outward"], strict=True):
        relay.listen(socket.socket(fileno=descriptor), port)
    relay.run()
    os._exit(0)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
