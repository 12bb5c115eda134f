"""Refusals of docs/neuro.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
from tests.repository.refusals.cluster import Answer, Check, Cluster

JOBS = "/api/v1/jobs?from_preset"
KANIKO = "gcr.io/kaniko-project/executor:v1.20.0-debug"
PROJECT = "storage://minipdk/course/default"
PATHS = {
    "secrets": "/secrets",
    "disks": "/disks",
    "buckets": "/buckets",
    "permissions": "/api/v1/users/user/permissions",
    "service_accounts": "/api/v1/service_accounts",
    "apps": "/apis/apps/v1/cluster/minipdk/org/course/project/default/instances",
}
VALUES: dict[str, Any] = {
    "secret_env": {"KEY": "secret://minipdk/course/default/key"},
    "secret_volumes": [{"src_secret_uri": "secret://minipdk/course/default/key", "dst_path": "/key"}],
    "disk_volumes": [{"src_disk_uri": "disk://minipdk/course/default/disk-1", "dst_path": "/disk"}],
    "privileged": True,
    "priority": "high",
    "energy_schedule_name": "night",
    "scheduler_enabled": True,
}
VERBS = {"save": "POST", "kill": "POST"}


def _job(cluster: Cluster, **fields: Any) -> str:
    return cluster.neuro.status("POST", JOBS, {"image": "ubuntu", "preset_name": "cpu-small", **fields})


def _build(cluster: Cluster, option: str = "", **fields: Any) -> str:
    registry = cluster.profile["NEURO_API"].split("/")[2]
    command = f"--context=/c --dockerfile=/c/Dockerfile --destination={registry}/course/default/x:1 {option}"
    volumes = [{"src_storage_uri": f"{PROJECT}/c", "dst_path": "/c"}, *fields.pop("volumes", [])]
    return _job(cluster, image=KANIKO, command=command, volumes=volumes, **fields)


def sessions(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, cluster.neuro.status(VERBS.get(name, "GET"), f"/monitoring/job-1/{name}")


def nouns(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, cluster.neuro.status("GET", PATHS[name])


def fields(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, _job(cluster, **{name: VALUES[name]})


def restart_policies(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, _job(cluster, restart_policy=name)


def without_preset(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "container", cluster.neuro.status("POST", "/api/v1/jobs", {"container": {"image": "ubuntu"}})


def arguments(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for name in names:
        yield name, _build(cluster, f"{name}=x")


def entrypoint(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "entrypoint", _build(cluster, entrypoint="sh -c true")


def further_volume(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "volume", _build(cluster, volumes=[{"src_storage_uri": f"{PROJECT}/d", "dst_path": "/data"}])


def upload(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "blobs", cluster.neuro.status("POST", "/v2/course/default/x/blobs/uploads/")
    yield "manifest", cluster.neuro.status("PUT", "/v2/course/default/x/manifests/1", {})


def elsewhere(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    for name in ("cluster_name", "org_name", "project_name"):
        yield name, _job(cluster, **{name: "other"})
    yield "storage", cluster.neuro.status("GET", "/storage/course/other?op=LISTSTATUS")


def other_token(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    token = jwt.encode({"identity": "user"}, b"another cluster's signing key...", "HS256")
    yield "token", cluster.neuro.status("GET", "/api/v1/config", Authorization=f"Bearer {token}")


CHECKS: dict[str, Check] = {
    "sessions in a job: * (a signal)": sessions,
    "other nouns: *": nouns,
    "a job with *": fields,
    "the restart policies * of a job": restart_policies,
    "a job without a preset": without_preset,
    "arguments of kaniko, such as *": arguments,
    "an entrypoint of a build": entrypoint,
    "a further volume of a build": further_volume,
    "an upload to the registry": upload,
    "another cluster, organization or project": elsewhere,
    "a token of another cluster": other_token,
}
