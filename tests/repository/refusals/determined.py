"""Refusals of docs/determined.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from tests.repository.refusals.cluster import Answer, Check, Cluster

EXPERIMENTS = "/api/v1/experiments"
CONFIG: dict[str, Any] = {
    "entrypoint": "model_def:Trial",
    "searcher": {"name": "single", "metric": "loss", "max_length": {"batches": 1}},
}


def _create(cluster: Cluster, config: dict[str, Any], **fields: Any) -> str:
    body = {"config": yaml.safe_dump(config), "modelDefinition": [], "validateOnly": True, **fields}
    return cluster.determined.status("POST", EXPERIMENTS, body)


def _set(cluster: Cluster, key: str, value: Any) -> str:
    """The answer to an experiment whose ``key``, a path with dots, has ``value``."""
    first, _, rest = key.partition(".")
    inner = {rest: value} if rest else value
    config = {**CONFIG, first: {**CONFIG.get(first, {}), **inner} if rest else inner}
    return _create(cluster, config)


def searchers(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    assert _create(cluster, CONFIG) == "200"
    yield from ((name, _set(cluster, "searcher.name", name)) for name in names)


def storage_types(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, _set(cluster, "checkpoint_storage.type", name)) for name in names)


def keys(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, _set(cluster, name, ["a"])) for name in names)


def slots(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, _set(cluster, name, 2)) for name in names)


def unknown_key(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "max_restart", _set(cluster, "max_restart", 1)


def kinds_of_experiment(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    values = {"template": "some", "unmanaged": True}
    yield from ((name, _create(cluster, CONFIG, **{name: values[name]})) for name in names)


def other_nouns(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        for method in ("GET", "POST"):
            yield f"{method} {name}", cluster.determined.status(method, name, {})


def interactive_tasks(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, cluster.determined.status("POST", name, {})) for name in names)


def workspace_settings(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, cluster.determined.status("POST", "/api/v1/workspaces", {"name": "refused", name: {"a": "b"}})


def run_filters(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    yield from ((name, cluster.determined.status("POST", "/api/v1/runs/kill", {"runIds": [], name: "{}"})) for name in names)


def job_moves(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    body = {"config": yaml.safe_dump(CONFIG), "modelDefinition": [], "activate": False}
    job = cluster.determined.create(EXPERIMENTS, body)["experiment"]["jobId"]
    for name in names:
        yield name, cluster.determined.status("POST", "/api/v1/job-queues", {"updates": [{"jobId": job, name: "1"}]})


def other_endpoints(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    for path in ("/api/v1/master/config", "/api/v1/no-such-thing", "/no/such/path"):
        yield path, cluster.determined.status("GET", path)


CHECKS: dict[str, Check] = {
    "the searchers *": searchers,
    "the checkpoint storage types *": storage_types,
    "the keys *": keys,
    "more than one slot per trial (*)": slots,
    "a key that Determined does not have": unknown_key,
    "an experiment from a *, or *": kinds_of_experiment,
    "templates, webhooks, groups and roles: *": other_nouns,
    "starting commands, notebooks, shells and TensorBoards: *": interactive_tasks,
    "the workspace settings *": workspace_settings,
    "choosing runs by a *": run_filters,
    "moving a job with *": job_moves,
    "any other endpoint": other_endpoints,
}
