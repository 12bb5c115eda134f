"""The process of the controllers: the order in which they start and end, and the failure of one of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from minipdk.cluster import controllers
from minipdk.common import service
from minipdk.common.home import Home
from minipdk.common.service import StartError
from minipdk.controller.workspace import Workspace

STARTED = ["start ingress", "start node", "start kserve"]
ENDED = ["end kserve", "end node", "end ingress"]


@dataclass
class Recorded:
    """Controllers that record their start and end. ``start`` and ``work`` are run by the one of that name."""

    events: list[str] = field(default_factory=list)
    start: dict[str, Callable[[], None]] = field(default_factory=dict)
    work: dict[str, Callable[[], None]] = field(default_factory=dict)

    def server(self, module: str) -> Controller:
        return Controller(module.split(".")[2], self)


@dataclass
class Controller:
    """As a controller's ``server`` module."""

    name: str
    recorded: Recorded

    @asynccontextmanager
    async def running(self, workspace: Workspace) -> AsyncIterator[None]:
        self.recorded.events.append(f"start {self.name}")
        self.recorded.start.get(self.name, lambda: None)()
        task = workspace.tasks.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.recorded.events.append(f"end {self.name}")

    async def _work(self) -> None:
        await asyncio.sleep(0.01)
        self.recorded.work.get(self.name, lambda: None)()
        await asyncio.Event().wait()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(controllers, "import_module", recorded.server)
    monkeypatch.setattr(service, "stopping", threading.Event())
    return recorded


def fail(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_the_last_controller_to_start_ends_first(recorded: Recorded, home: Home) -> None:
    recorded.work["kserve"] = service.stopping.set
    controllers.serve(home)
    assert recorded.events == STARTED + ENDED


@pytest.mark.parametrize("name", ["ingress", "node", "kserve"])
def test_a_controller_that_fails_ends_all_of_them_in_order(recorded: Recorded, home: Home, name: str) -> None:
    recorded.work[name] = fail(KeyError(name))
    with pytest.raises(KeyError, match=name):
        controllers.serve(home)
    assert recorded.events == STARTED + ENDED
    assert service.stopping.is_set()


def test_a_controller_that_cannot_start_ends_the_ones_before_it(recorded: Recorded, home: Home) -> None:
    recorded.start["kserve"] = fail(StartError("no runtimes: reinstall"))
    with pytest.raises(StartError, match="no runtimes: reinstall"):
        controllers.serve(home)
    assert recorded.events == [*STARTED, *ENDED[1:]]
