"""The master itself, its one agent, the agent's slots and the resource pools."""

from __future__ import annotations

from minipdk.services.determined import VERSION
from minipdk.services.determined.api.http import Call, Endpoint, Json, paginate
from minipdk.services.determined.errors import NotFoundError
from minipdk.services.determined.logs import AGENT
from minipdk.services.determined.master import Master
from minipdk.services.determined.resource_manager.scheduler import DEFAULT_PRIORITY


def info(call: Call) -> Json:
    cluster_id = call.master.home.identity.cluster_id
    return {"cluster_id": cluster_id, "cluster_name": "minipdk", "master_id": cluster_id, "version": VERSION}


def master(call: Call) -> Json:
    cluster_id = call.master.home.identity.cluster_id
    return {
        "version": VERSION,
        "clusterId": cluster_id,
        "clusterName": "minipdk",
        "masterId": cluster_id,
        "telemetryEnabled": False,
        "ssoProviders": [],
        "rbacEnabled": False,
        "userManagementEnabled": True,
        "strictJobQueueControl": False,
        "hasCustomLogo": False,
        "product": "PRODUCT_UNSPECIFIED",
        "featureSwitches": [],
    }


def telemetry(_: Call) -> Json:
    return {"enabled": False}


def cluster_message(_: Call) -> Json:
    return {"clusterMessage": None}


def agents(call: Call) -> Json:
    page, pagination = paginate([_agent(call.master)], call)
    for agent in page:
        if call.flag("excludeSlots"):
            agent["slots"] = {}
        if call.flag("excludeContainers"):
            agent["containers"] = {}
    return {"agents": page, "pagination": pagination}


def agent(call: Call) -> Json:
    return {"agent": _named_agent(call)}


def slots(call: Call) -> Json:
    return {"slots": list(_named_agent(call)["slots"].values())}


def slot(call: Call) -> Json:
    found = _named_agent(call)["slots"].get(call.path["slotId"])
    if found is None:
        raise NotFoundError(f"slot {call.path['slotId']} not found on the agent {AGENT}")
    return {"slot": found}


def resource_pools(call: Call) -> Json:
    pools = [_pool(call.master, name) for name in call.master.home.identity.resource_pools]
    page, pagination = paginate(pools, call)
    return {"resourcePools": page, "pagination": pagination}


def _named_agent(call: Call) -> Json:
    if call.path["agentId"] != AGENT:
        raise NotFoundError(f"agent {call.path['agentId']!r} not found: this cluster's agent is {AGENT!r}")
    return _agent(call.master)


def _agent(master: Master) -> Json:
    scheduler = master.scheduler
    containers = {}
    for allocation_id in list(scheduler.running):
        allocation = master.trials.allocation(allocation_id)
        containers[allocation_id] = {
            "id": allocation["container_id"],
            "parent": "",
            "state": "STATE_RUNNING" if allocation["state"] == "RUNNING" else "STATE_STARTING",
            "devices": [_device(number) for number in scheduler.running[allocation_id].slots],
        }
    used = scheduler.slots_in_use()
    slots = {
        str(number): {
            "id": str(number),
            "device": _device(number),
            "enabled": True,
            "draining": False,
            "container": containers.get(used.get(number, "")),
        }
        for number in range(scheduler.slots)
    }
    return {
        "id": AGENT,
        "version": VERSION,
        "registeredTime": master.started_at,
        "resourcePools": master.home.identity.resource_pools,
        "addresses": ["127.0.0.1"],
        "enabled": True,
        "draining": False,
        "slots": slots,
        "containers": {one["id"]: one for one in containers.values()},
        "slotStats": {"typeStats": {"TYPE_CPU": _statistics(scheduler.slots, len(used))}, "brandStats": {}},
    }


def _statistics(total: int, used: int) -> Json:
    return {"total": total, "states": {"STATE_RUNNING": used}, "disabled": 0, "draining": 0}


def _device(number: int) -> Json:
    return {"id": number, "brand": "CPU core", "uuid": "", "type": "TYPE_CPU"}


def _pool(master: Master, name: str) -> Json:
    scheduler = master.scheduler
    is_default = name == master.home.identity.resource_pools[0]
    queued = sum(1 for row in scheduler.queue() if row["resource_pool"] == name)
    return {
        "name": name,
        "description": "a name for this machine's CPU cores",
        "type": "RESOURCE_POOL_TYPE_STATIC",
        "numAgents": 1,
        "slotsAvailable": scheduler.slots,
        "slotsUsed": len(scheduler.slots_in_use()),
        "slotType": "TYPE_CPU",
        "slotsPerAgent": scheduler.slots,
        "auxContainerCapacity": 0,
        "auxContainersRunning": 0,
        "auxContainerCapacityPerAgent": 0,
        "defaultComputePool": is_default,
        "defaultAuxPool": is_default,
        "preemptible": False,
        "minAgents": 1,
        "maxAgents": 1,
        "maxIdleAgentPeriod": 0,
        "maxAgentStartingPeriod": 0,
        "schedulerType": "SCHEDULER_TYPE_PRIORITY",
        "schedulerFittingPolicy": "FITTING_POLICY_BEST",
        "details": {"priorityScheduler": {"preemption": False, "defaultPriority": DEFAULT_PRIORITY, "k8Priorities": []}},
        "stats": {"queuedCount": queued, "scheduledCount": len(scheduler.running)},
        "clusterName": "minipdk",
        "resourceManagerMetadata": {},
        **dict.fromkeys(_CLOUD_ONLY, ""),
    }


_CLOUD_ONLY = (
    "agentDockerImage",
    "agentDockerNetwork",
    "agentDockerRuntime",
    "agentFluentImage",
    "containerStartupScript",
    "imageId",
    "instanceType",
    "location",
    "masterCertName",
    "masterUrl",
    "startupScript",
)

ENDPOINTS: list[Endpoint] = [
    ("GET", "/info", info),
    ("GET", "/api/v1/master", master),
    ("GET", "/api/v1/master/telemetry", telemetry),
    ("GET", "/api/v1/master/cluster_message", cluster_message),
    ("GET", "/api/v1/agents", agents),
    ("GET", "/api/v1/agents/{agentId}", agent),
    ("GET", "/api/v1/agents/{agentId}/slots", slots),
    ("GET", "/api/v1/agents/{agentId}/slots/{slotId}", slot),
    ("GET", "/api/v1/resource-pools", resource_pools),
]
