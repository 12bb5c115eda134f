"""The private network of a Pod: its containers share it, and no other process is in it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Collection
from typing import TYPE_CHECKING

from minipdk.sandbox import bare_interpreter
from minipdk.sandbox.errors import ContainerSpecError
from minipdk.sandbox.relay import REACHED

if TYPE_CHECKING:
    from minipdk.common.home import Home

HOST = "127.0.0.1"
BACKLOG = 1024


class Network:
    """A network whose only interface is loopback.

    ``ports`` maps ports in it to ports of the host's loopback, whose connections are passed on. ``namespaces`` are
    descriptors, of the user namespace that owns the network and of the network, for a container to join.
    """

    def __init__(self, process: subprocess.Popen[bytes], pid: int, ports: dict[int, int], control: socket.socket) -> None:
        self.ports, self._process, self._control = ports, process, control
        self.namespaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]

    def connect(self, port: int, timeout: float) -> socket.socket | None:
        """A stream to the program that listens on ``port`` in the network, in ``ports`` or not; None if there is none.

        Raises OSError, TimeoutError among them.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [str(port).encode()], [theirs.fileno()])
            ours.settimeout(timeout)
            if ours.recv(1) == REACHED:
                return ours
        except BaseException:
            ours.close()
            raise
        ours.close()
        return None

    @property
    def pid(self) -> int:
        """The process outside, which has the process inside as its child."""
        return self._process.pid

    def wait(self) -> None:
        """Return when the network has ended: through `close`, or because its processes were killed."""
        self._process.wait()

    def close(self) -> None:
        """End the network. Programs that still run in it keep a loopback without connections to the outside."""
        self._process.kill()
        self._process.wait()
        self._control.close()
        while self.namespaces:
            os.close(self.namespaces.pop())


def create(
    home: Home, ports: Collection[int], services: Collection[int], *, published: Collection[tuple[int, int]] = ()
) -> Network:
    """Make a network in which programs may listen on ``ports`` and reach the host's loopback at the ports ``services``.

    For each of ``ports``, a free port of the host's loopback passes its connections on. ``published`` are pairs of a port
    for the host to listen on, and the port in the network. Raises SandboxError if this machine cannot make networks.
    """
    from minipdk.sandbox import diagnosis

    with contextlib.ExitStack() as held:
        pairs = [*((0, port) for port in sorted(ports)), *published]
        inward = [(held.enter_context(_listen(outer)), port) for outer, port in pairs]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held.enter_context(theirs)
        config = {
            "parent": os.getpid(),
            "inward": [(listener.fileno(), port) for listener, port in inward],
            "outward": sorted(services),
            "control": theirs.fileno(),
        }
        passed = [theirs.fileno(), *(listener.fileno() for listener, _ in inward)]
        try:
            process, report = bare_interpreter.spawn("forwarder", config, passed, stdout=subprocess.DEVNULL)
            if "pid" not in report:
                process.wait()
                raise diagnosis.error(home, report)
            outer_ports = {port: listener.getsockname()[1] for listener, port in inward}
            return Network(process, report["pid"], outer_ports, ours)
        except BaseException:
            ours.close()
            raise


def _listen(port: int) -> socket.socket:
    """A socket that listens on the host's ``port``; 0 for a free one."""
    try:
        return socket.create_server((HOST, port), backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise ContainerSpecError(f"cannot listen on {HOST}:{port}: {reason}") from error
