"""Follow a running container's probes, and say when it has started, becomes ready or unready, or is to be ended.

A container that is starting is looked at several times a second, whatever its probe's period: its failures count once in a
period all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from minipdk.controller.api import Object
from minipdk.services.node.probes import LIVENESS, READINESS, STARTUP, Probe, Target, read_all

FAST = 0.1


class Prober:
    """Follows the probes of one running container.

    ``ready`` is told when it becomes ready or unready, ``failed`` why a probe failed, and ``kill`` that it is to be ended,
    with the probe that says so.
    """

    def __init__(
        self,
        container: Object,
        target: Target,
        *,
        started: Callable[[], None],
        ready: Callable[[bool], None],
        failed: Callable[[Probe, str], None],
        kill: Callable[[Probe], None],
    ) -> None:
        self._probes = read_all(container)
        self._target = target
        self._started, self._ready, self._failed, self._kill = started, ready, failed, kill

    async def run(self) -> None:
        """Probe until cancelled, or until the container is to be ended."""
        if (startup := self._probes[STARTUP]) and not await self._pass(startup, give_up=True):
            return
        self._started()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._readiness())
            if liveness := self._probes[LIVENESS]:
                tasks.create_task(self._liveness(liveness))

    async def _readiness(self) -> None:
        probe = self._probes[READINESS]
        if probe is None:
            self._ready(True)
            return
        while True:
            await self._pass(probe)
            self._ready(True)
            await self._fail(probe)
            self._ready(False)

    async def _liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        await self._fail(probe)
        self._kill(probe)

    async def _pass(self, probe: Probe, *, give_up: bool = False) -> bool:
        """Wait until the probe has passed often enough. Those who ``give_up`` end the container after too many failures."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(probe.initial_delay)
        passed, failed, counted = 0, 0, clock()
        while passed < probe.successes:
            why = await probe.check(self._target)
            passed = 0 if why else passed + 1
            if why and clock() - counted >= probe.period:
                failed, counted = failed + 1, clock()
                self._failed(probe, why)
                if give_up and failed >= probe.failures:
                    self._kill(probe)
                    return False
            if passed < probe.successes:
                await asyncio.sleep(probe.period if passed else min(FAST, probe.period))
        return True

    async def _fail(self, probe: Probe) -> None:
        """Return once the probe has failed often enough."""
        failures = 0
        while failures < probe.failures:
            await asyncio.sleep(probe.period)
            why = await probe.check(self._target)
            failures = failures + 1 if why else 0
            if why:
                self._failed(probe, why)
