"""Lists and watches of old versions. The clients that watch are in `test_python_clients` and `test_kubectl`."""

from __future__ import annotations

import pytest
from tests.minipdk.services.kubernetes.conftest import config_map

from minipdk.services.kubernetes import store as stores
from minipdk.services.kubernetes.api.options import list_options
from minipdk.services.kubernetes.errors import ExpiredError
from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS
from minipdk.services.kubernetes.model import Target
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.registry.watches import list_objects

NAMESPACED = Target(CONFIG_MAPS, "models")


def test_a_watch_older_than_the_remembered_changes_is_expired(in_process: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "REMEMBERED", 10)
    monkeypatch.setattr(stores, "PRUNE_EVERY", 5)
    made = in_process.create(CONFIG_MAPS, "models", config_map("busy"), WriteOptions())
    target = Target(CONFIG_MAPS, "models", "busy")
    for number in range(30):
        in_process.change(target, lambda item, n=number: {**item, "data": {"n": str(n)}}, WriteOptions())  # type: ignore[misc]
    with pytest.raises(ExpiredError, match="too old resource version"):
        in_process.store.changes(CONFIG_MAPS, "models", int(made["metadata"]["resourceVersion"]))
    recent, _ = in_process.store.changes(CONFIG_MAPS, "models", in_process.store.version - 3)
    assert [change.current["data"]["n"] for change in recent if change.current] == ["27", "28", "29"]
    old = {"resourceVersion": made["metadata"]["resourceVersion"]}
    for query in ({**old, "resourceVersionMatch": "Exact"}, {**old, "limit": "1"}):
        with pytest.raises(ExpiredError, match="too old resource version"):
            list_objects(in_process.store, target, list_options(target, query))
    first = list_objects(in_process.store, NAMESPACED, list_options(NAMESPACED, {"limit": "1"}))[1]
    monkeypatch.setattr(stores, "REMEMBERED", 0)
    for number in range(5):
        in_process.change(target, lambda item, n=number: {**item, "data": {"n": str(n)}}, WriteOptions())  # type: ignore[misc]
    with pytest.raises(ExpiredError, match="continue parameter is too old"):
        list_objects(in_process.store, NAMESPACED, list_options(NAMESPACED, {"continue": first["continue"]}))


def test_the_remembered_changes_are_of_bounded_size(in_process: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "REMEMBERED_BYTES", 100_000)
    monkeypatch.setattr(stores, "PRUNE_EVERY_BYTES", 10_000)
    made = in_process.create(CONFIG_MAPS, "models", config_map("large"), WriteOptions())
    target, large = Target(CONFIG_MAPS, "models", "large"), "x" * 5000
    for number in range(30):
        in_process.change(target, lambda item, n=number: {**item, "data": {"n": f"{n}{large}"}}, WriteOptions())  # type: ignore[misc]
    with pytest.raises(ExpiredError, match="too old resource version"):
        in_process.store.changes(CONFIG_MAPS, "models", int(made["metadata"]["resourceVersion"]))
    recent, _ = in_process.store.changes(CONFIG_MAPS, "models", in_process.store.version - 7)
    assert [change.current["data"]["n"] for change in recent if change.current] == [f"{n}{large}" for n in range(23, 30)]
