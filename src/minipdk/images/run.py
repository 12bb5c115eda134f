"""Run an image by itself, in the foreground, as ``docker run`` does."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from minipdk.common.home import Home
from minipdk.images.image import ImageConfig
from minipdk.sandbox import Container, ContainerSpec, create_network, start

GRACE_SECONDS = 10  # `docker stop` gives as many
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AWAITED = (*ENDING, signal.SIGCHLD)


def run(home: Home, spec: ContainerSpec, published: Collection[tuple[int, int]] | None) -> int:
    """Run the container of ``spec`` until it ends, with this process's output; returns its exit status.

    ``published`` are pairs of a port of this machine's loopback and the port that it leads to in the container's own
    network; None gives the container this machine's network. A signal that would end this process is passed on to the
    container, which is killed if it then takes longer than GRACE_SECONDS. To be called in the main thread. Raises
    SandboxError when the container cannot be made.
    """
    with contextlib.ExitStack() as held:
        if published is not None:
            network = held.enter_context(contextlib.closing(create_network(home, (), (), published=published)))
            spec = replace(spec, network=network)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
        held.callback(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
        return _attend(start(home, spec))


def arguments(config: ImageConfig, entrypoint: str | None, command: Sequence[str]) -> list[str]:
    """The argv of a container of an image with ``config``; an ``entrypoint`` other than the image's drops its CMD."""
    if entrypoint is None:
        return [*config.entrypoint, *(command or config.cmd)]
    return [*([entrypoint] if entrypoint else []), *command]


def _attend(container: Container) -> int:
    """Wait for the container's end. The caller has blocked AWAITED, so that no signal is missed between two looks."""
    deadline = None
    while (status := container.poll()) is None:
        number = signal.sigwait(AWAITED) if deadline is None else _wait_until(deadline)
        if number is None:
            container.kill()
            return container.wait()
        if number in ENDING:
            container.send_signal(number)
            deadline = deadline or time.monotonic() + GRACE_SECONDS  # the first signal counts
    return status


def _wait_until(deadline: float) -> int | None:
    arrived = signal.sigtimedwait(AWAITED, max(0, deadline - time.monotonic()))
    return arrived.si_signo if arrived else None
