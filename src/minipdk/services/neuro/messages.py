"""The platform's records as the JSON of its API, as the SDK reads it.

https://github.com/neuro-inc/platform-client-python/tree/v25.5.0/apolo-sdk/src/apolo_sdk
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from minipdk.services.neuro.jobs.presets import Gpu, Pool, Preset
from minipdk.services.neuro.model import FileStatus, Job, Resources, Transition
from minipdk.services.neuro.names import CLUSTER, NAMESPACE, ORGANIZATION, PROJECT, STORAGE_PREFIX, Addresses

Json = dict[str, Any]

CLIENT_ID, AUDIENCE = "minipdk", "minipdk-platform"
CALLBACKS = ("http://127.0.0.1:54540", "http://127.0.0.1:54541", "http://127.0.0.1:54542")
"""The addresses on which a client waits for the browser at its login: the SDK's own."""


def client_config(addresses: Addresses) -> Json:
    """The configuration that anyone may read."""
    platform = addresses.platform
    return {
        "auth_url": f"{platform}/authorize",
        "token_url": f"{platform}/oauth/token",
        "logout_url": f"{platform}/logout",
        "client_id": CLIENT_ID,
        "audience": AUDIENCE,
        "headless_callback_url": f"{platform}/oauth/code",
        "callback_urls": list(CALLBACKS),
    }


def user_config(addresses: Addresses, presets: Iterable[Preset], pool: Pool, *, gpu_objects: bool) -> Json:
    """The further configuration of a known user. ``gpu_objects``: the client reads GPUs as objects, as SDK 26 does."""
    platform = addresses.platform
    cluster = {
        "name": CLUSTER,
        "orgs": [ORGANIZATION],
        "registry_url": platform,
        "storage_url": f"{platform}/storage",
        "users_url": addresses.api,
        "monitoring_url": f"{platform}/monitoring",
        "secrets_url": f"{platform}/secrets",
        "disks_url": f"{platform}/disks",
        "buckets_url": f"{platform}/buckets",
        "resource_pool_types": [
            {
                "name": pool.name,
                "min_size": 1,
                "max_size": 1,
                "cpu": pool.cpu,
                "memory": pool.memory,
                "disk_size": pool.disk_size,
                **_gpu(pool.gpu, as_object=gpu_objects),
            }
        ],
        "resource_presets": [
            {
                "name": preset.name,
                "credits_per_hour": "0",
                "cpu": preset.cpu,
                "memory": preset.memory,
                "resource_pool_names": [pool.name],
                "available_resource_pool_names": [pool.name],
                **_gpu(preset.gpu, as_object=gpu_objects),
            }
            for preset in presets
        ],
    }
    project = {"name": PROJECT, "cluster_name": CLUSTER, "org_name": ORGANIZATION, "role": "owner"}
    return {"authorized": True, "clusters": [cluster], "projects": [project]}


def _gpu(gpu: Gpu | None, *, as_object: bool) -> Json:
    if gpu is None:
        return {}
    if as_object:
        return {"nvidia_gpu": {"count": gpu.count, "model": gpu.model}}
    return {"nvidia_gpu": gpu.count, "nvidia_gpu_model": gpu.model}


def file_status(status: FileStatus) -> Json:
    target = {"target": status.target} if status.target else {}
    return {
        "FileStatus": {
            "path": status.path,
            "type": status.type,
            "length": status.length,
            "modificationTime": int(status.modified_at),
            "permission": "manage",
            **target,
        }
    }


def job(job: Job, addresses: Addresses) -> Json:
    """A job as the SDK's `_job_description_from_api` reads it."""
    return {
        "id": job.id,
        "owner": job.owner,
        "cluster_name": CLUSTER,
        "org_name": ORGANIZATION,
        "project_name": PROJECT,
        "namespace": NAMESPACE,
        **({"name": job.name} if job.name else {}),
        **({"description": job.description} if job.description else {}),
        "status": job.status,
        "uri": f"job://{CLUSTER}/{ORGANIZATION}/{PROJECT}/{job.id}",
        "history": _history(job),
        "statuses": [_transition(transition) for transition in job.transitions],
        "container": _container(job),
        "preset_name": job.preset_name,
        "tags": list(job.tags),
        "scheduler_enabled": False,
        "preemptible_node": False,
        "pass_config": job.pass_config,
        "restart_policy": "never",
        "priority": "normal",
        "total_price_credits": "0",
        "price_credits_per_hour": "0",
        "materialized": False,
        "being_dropped": False,
        "logs_removed": False,
        **_optional("max_run_time_minutes", job.max_run_time_minutes),
        **_optional("schedule_timeout", job.schedule_timeout),
        **_http_urls(job, addresses),
    }


def http_path(name: str) -> str:
    """The path of a job at the ingress."""
    return f"/jobs/{name}/"


def _http_urls(job: Job, addresses: Addresses) -> Json:
    if job.container.http is None:
        return {}
    urls = {"http_url": f"{addresses.ingress}{http_path(job.id)}"}
    return urls | ({"http_url_named": f"{addresses.ingress}{http_path(job.public_name)}"} if job.name else {})


def _history(job: Job) -> Json:
    current, started, finished = job.current, job.started_at, job.finished_at
    ran = 0.0 if started is None else (finished or time.time()) - started
    return {
        "status": job.status,
        "reason": current.reason,
        "description": current.description,
        "created_at": moment(job.created_at),
        **({"started_at": moment(started)} if started is not None else {}),
        **({"finished_at": moment(finished)} if finished is not None else {}),
        **_optional("exit_code", current.exit_code),
        "run_time_seconds": max(ran, 0.0),
        "restarts": 0,
    }


def _transition(transition: Transition) -> Json:
    return {
        "status": transition.status,
        "transition_time": moment(transition.time),
        "reason": transition.reason,
        "description": transition.description,
        **_optional("exit_code", transition.exit_code),
    }


def _container(job: Job) -> Json:
    container = job.container
    return {
        "image": container.image,
        **({"entrypoint": shlex.join(container.entrypoint)} if container.entrypoint else {}),
        **({"command": shlex.join(container.command)} if container.command else {}),
        **({"working_dir": container.working_dir} if container.working_dir else {}),
        "env": container.env,
        "volumes": [
            {
                "src_storage_uri": f"{STORAGE_PREFIX}/{volume.path}".rstrip("/"),
                "dst_path": volume.target,
                "read_only": volume.read_only,
            }
            for volume in container.volumes
        ],
        **({"http": {"port": container.http.port, "requires_auth": container.http.requires_auth}} if container.http else {}),
        "resources": _resources(job.resources),
        "tty": container.tty,
    }


def _resources(resources: Resources) -> Json:
    gpu = {"nvidia_gpu": resources.gpu, "nvidia_gpu_model": resources.gpu_model} if resources.gpu else {}
    return {"cpu": resources.cpu, "memory": resources.memory, "shm": resources.shm, **gpu}


def _optional(name: str, value: float | None) -> Json:
    return {} if value is None else {name: value}


def moment(seconds: float) -> str:
    """A time as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
