"""Laws of patches, ownership and selectors, over many made-up objects."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipdk.common.merge_patch import merge_patch
from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.kinds.builtin.services import SERVICES
from minipdk.services.kubernetes.model import Target
from minipdk.services.kubernetes.registry.deletion import DeleteOptions
from minipdk.services.kubernetes.registry.managed_fields import apply_configuration, flatten, track_update
from minipdk.services.kubernetes.registry.patches import json_patch, strategic_merge_patch
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.registry.selectors import label_selector
from minipdk.services.kubernetes.times import human_duration

NAMES = st.sampled_from(["a", "b", "c", "d"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)
DATA = st.dictionaries(NAMES, st.sampled_from(["1", "2"]), max_size=4)
LABELS = st.dictionaries(NAMES, st.sampled_from(["x", "y", "z"]), max_size=4)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": st.sampled_from(["i", "j"])}),
    max_size=3,
    unique_by=lambda container: container["name"],
)


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(inner) for key, inner in value.items() if inner is not None}
    return value


def config(data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, **({"data": data} if data else {})}


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_is_applied_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS)
def test_a_merge_patch_over_nothing_is_itself_without_nulls(patch: dict[str, Any]) -> None:
    assert merge_patch({}, patch) == without_null(patch)


@given(CONTAINERS, CONTAINERS)
def test_a_strategic_merge_keeps_each_container_once(old: list[Any], new: list[Any]) -> None:
    merged = strategic_merge_patch({"containers": old}, {"containers": new})["containers"]
    names = [container["name"] for container in merged]
    assert sorted(names) == sorted({container["name"] for container in old} | {container["name"] for container in new})
    for container in new:
        assert next(kept for kept in merged if kept["name"] == container["name"]).items() >= container.items()
    assert strategic_merge_patch({"containers": merged}, {"containers": new})["containers"] == merged


@given(OBJECTS, NAMES, JSON)
def test_a_json_patch_that_adds_and_removes_changes_nothing(target: dict[str, Any], name: str, value: Any) -> None:
    target.pop(name, None)
    operations = [{"op": "add", "path": f"/{name}", "value": value}, {"op": "remove", "path": f"/{name}"}]
    assert json_patch(target, operations) == target


@given(DATA, DATA, DATA)
def test_a_manager_that_applies_again_has_exactly_what_it_applies(others: Any, first: Any, second: Any) -> None:
    live = track_update(CONFIG_MAPS, None, config(others), "other")
    once = apply_configuration(CONFIG_MAPS, live, config(first), "me", force=True)
    again = apply_configuration(CONFIG_MAPS, once, config(second), "me", force=True)
    kept = {key: value for key, value in others.items() if key not in first or first[key] == value}
    assert again.get("data", {}) == {**kept, **second}
    assert apply_configuration(CONFIG_MAPS, again, config(second), "me", force=False).get("data") == again.get("data")


@given(CONTAINERS, CONTAINERS)
def test_every_applied_leaf_is_live_afterwards(old: list[Any], new: list[Any]) -> None:
    def pod(containers: list[Any]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": containers}}

    live = track_update(PODS, None, pod(old), "other")
    applied = apply_configuration(PODS, live, pod(new), "me", force=True)
    if new:
        assert flatten(PODS, applied).items() >= flatten(PODS, pod(new)).items()


PORTS = st.lists(
    st.fixed_dictionaries({"port": st.sampled_from([53, 80])}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}),
    max_size=4,
    unique_by=lambda port: (port["port"], port.get("protocol", "TCP")),
)


@given(PORTS, PORTS)
def test_a_services_ports_are_identified_by_number_and_protocol(first: list[Any], second: list[Any]) -> None:
    def service(ports: list[Any]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": ports}}

    def identities(item: dict[str, Any]) -> set[Any]:
        return {(port["port"], port.get("protocol", "TCP")) for port in item.get("spec", {}).get("ports", ())}

    live = apply_configuration(SERVICES, service([]), service(first), "me", force=True)
    again = apply_configuration(SERVICES, live, service(second), "me", force=False)
    assert identities(again) == identities(service(second))
    assert len(again.get("spec", {}).get("ports", ())) == len(second)


@given(LABELS, NAMES, st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3))
def test_a_selector_and_its_opposite_divide_all_objects(labels: dict[str, str], key: str, values: list[str]) -> None:
    item = {"metadata": {"labels": labels}}
    listed = ",".join(values)
    pairs = [
        (f"{key} in ({listed})", f"{key} notin ({listed})"),
        (key, f"!{key}"),
        (f"{key}={values[0]}", f"{key}!={values[0]}"),
    ]
    for selector, opposite in pairs:
        assert label_selector(selector)(item) != label_selector(opposite)(item)


@given(st.integers(0, 10**10))
def test_an_age_is_at_most_two_units_and_not_longer_than_the_time(seconds: int) -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
    text, total, number, parts = human_duration(seconds), 0, "", 0
    for character in text:
        if character in units:
            total, number, parts = total + int(number) * units[character], "", parts + 1
        else:
            number += character
    assert parts <= 2
    assert 0 <= seconds - total < max(seconds * 0.5, 1) + 60


WRITES = st.lists(st.tuples(NAMES, st.sampled_from(["1", "2", None])), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES)
def test_a_list_at_an_earlier_version_is_the_list_of_that_time(in_process: Registry, writes: list[Any]) -> None:
    """Each write sets a ConfigMap's value, or deletes it."""
    seen = [in_process.store.select(CONFIG_MAPS, "")]
    for name, value in writes:
        target = Target(CONFIG_MAPS, "models", name)
        if in_process.store.get(CONFIG_MAPS, "models", name):
            in_process.delete(target, DeleteOptions())
        if value:
            in_process.create(CONFIG_MAPS, "models", config({"n": value}) | {"metadata": {"name": name}}, WriteOptions())
            in_process.change(target, lambda item: item | {"data": {"m": "1"}}, WriteOptions())
        seen.append(in_process.store.select(CONFIG_MAPS, ""))
    for items, version in seen:
        assert in_process.store.select(CONFIG_MAPS, "", version) == (items, version)
