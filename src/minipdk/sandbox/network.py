"""A network of a Pod's own: its containers share it, and nobody else is in it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Collection
from typing import TYPE_CHECKING

from minipdk.sandbox import bare
from minipdk.sandbox.errors import ContainerSpecError
from minipdk.sandbox.relay import REACHED

if TYPE_CHECKING:
    from minipdk.common.home import Home

HOST = "127.0.0.1"
BACKLOG = 1024


class Network:
    """A network that has nothing but a loopback interface.

    ``ports`` maps ports in it to ports of the host's loopback: what arrives there is passed on. ``namespaces`` are
    descriptors, of the user namespace that owns the network and of the network, for a container to join.
    """

    def __init__(self, process: subprocess.Popen[bytes], pid: int, ports: dict[int, int], control: socket.socket) -> None:
        self.ports, self._process, self._control = ports, process, control
        self.namespaces = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]

    def connect(self, port: int, timeout: float) -> socket.socket | None:
        """A stream to what listens on ``port`` in the network, whether it is in ``ports`` or not; None if nothing does.

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
        """End the network. What runs in it is left without one."""
        self._process.kill()
        self._process.wait()
        self._control.close()
        while self.namespaces:
            os.close(self.namespaces.pop())


def create(
    home: Home, ports: Collection[int], services: Collection[int], *, published: Collection[tuple[int, int]] = ()
) -> Network:
    """Make a network in which programs may listen on ``ports`` and reach the host's loopback at the ports ``services``.

    What arrives at a free port of the host is passed on to each of ``ports``. ``published`` are pairs of a port that the
    host is to listen on, and the port in the network. Raises SandboxError where this machine cannot.
    """
    from minipdk.sandbox import diagnosis

    with contextlib.ExitStack() as held:
        wanted = [*((0, port) for port in sorted(ports)), *published]
        inward = [(held.enter_context(_listen(outer)), port) for outer, port in wanted]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        held.enter_context(theirs)
        description = {
            "parent": os.getpid(),
            "inward": [(listener.fileno(), port) for listener, port in inward],
            "outward": sorted(services),
            "control": theirs.fileno(),
        }
        passed = [theirs.fileno(), *(listener.fileno() for listener, _ in inward)]
        try:
            process, report = bare.spawn("forwarder", description, passed, stdout=subprocess.DEVNULL)
            if "pid" not in report:
                process.wait()
                raise diagnosis.error(home, report)
            return Network(process, report["pid"], {port: one.getsockname()[1] for one, port in inward}, ours)
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
