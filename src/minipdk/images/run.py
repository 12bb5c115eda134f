"""Run an image by itself, in the foreground, as ``docker run`` does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from types import FrameType

from minipdk.home import Home
from minipdk.images.image import ImageConfig
from minipdk.sandbox import Container, ContainerSpec, create_network, start

GRACE_SECONDS = 10  # `docker stop` gives as many
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(home: Home, spec: ContainerSpec, published: Collection[tuple[int, int]] | None) -> int:
    """Run the container of ``spec`` until it ends, with this process's output; returns its exit status.

    ``published`` are pairs of a port of this machine's loopback and the port that it leads to in the container's own
    network; None gives the container this machine's network. A signal that would end this process is passed on to the
    container, which is killed if it then takes longer than GRACE_SECONDS. To be called in the main thread. Raises
    SandboxError where the container cannot be made.
    """
    with contextlib.ExitStack() as held:
        if published is not None:
            network = held.enter_context(contextlib.closing(create_network(home, (), (), published=published)))
            spec = replace(spec, network=network)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until there is somebody to pass them on to
        held.callback(signal.pthread_sigmask, signal.SIG_SETMASK, blocked)
        container = start(home, spec)
        with _signals_passed_on(container):
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            return container.wait()


def arguments(config: ImageConfig, entrypoint: str | None, command: Sequence[str]) -> list[str]:
    """What a container of an image with ``config`` executes; another entrypoint than the image's leaves its CMD out."""
    if entrypoint is None:
        return [*config.entrypoint, *(command or config.cmd)]
    return [*([entrypoint] if entrypoint else []), *command]


@contextlib.contextmanager
def _signals_passed_on(container: Container) -> Iterator[None]:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        container.send_signal(number)
        if not signal.getitimer(signal.ITIMER_REAL)[0]:  # the first of them counts
            signal.alarm(GRACE_SECONDS)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        container.kill()

    before = {number: signal.signal(number, pass_on) for number in ENDING}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, give_up)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
