"""The ports of trials."""

from __future__ import annotations

import pytest

from minipdk.common.ports import is_free
from minipdk.services.determined.resource_manager import ports as module
from minipdk.services.determined.resource_manager.ports import NAMES, TrialPorts


def test_allocations_have_different_ports_that_are_free() -> None:
    ports = TrialPorts()
    taken = [ports.take(str(number)) for number in range(20)]
    numbers = [number for one in taken for number in one.values()]
    assert [tuple(one) for one in taken] == [NAMES] * 20
    assert len(set(numbers)) == len(numbers)
    assert all(is_free(number) for number in numbers)


def test_port_of_an_ended_allocation_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    few = TrialPorts().take("to find some")
    monkeypatch.setattr(module, "CANDIDATES", list(few.values()))
    ports = TrialPorts()
    assert set(ports.take("1").values()) == set(few.values())
    assert ports.take("2") == {}
    ports.release("1")
    assert set(ports.take("2").values()) == set(few.values())
