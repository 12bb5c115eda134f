"""The master itself, its one agent, the agent's slots and the resource pools."""

from __future__ import annotations

from minipdk.common.home import Identity
from minipdk.services.determined import VERSION, messages
from minipdk.services.determined.api.http import Call, Endpoint, paginate
from minipdk.services.determined.errors import NotFoundError
from minipdk.services.determined.model import AGENT, Json
from minipdk.services.determined.permissions import Action, check
from minipdk.services.determined.resource_manager.agents import Agents


def info(_: Call, identity: Identity) -> Json:
    cluster_id = identity.cluster_id
    return {
        "cluster_id": cluster_id,
        "cluster_name": "minipdk",
        "master_id": cluster_id,
        "version": VERSION,
        "sso_providers": None,
        "telemetry": {"enabled": False, "otel_enabled": False, "otel_endpoint": ""},
    }


def master(_: Call, identity: Identity) -> Json:
    return messages.master(identity.cluster_id)


def telemetry(_: Call) -> Json:
    return {"enabled": False, "segmentKey": ""}


def cluster_message(call: Call) -> Json:
    check(call.user, Action.ADMINISTER)
    return {"clusterMessage": None}


def list_agents(call: Call, agents: Agents) -> Json:
    page, pagination = paginate([messages.agent(agent) for agent in agents.all()], call)
    for message in page:
        if call.flag("excludeSlots"):
            message["slots"] = {}
        if call.flag("excludeContainers"):
            message["containers"] = {}
    return {"agents": page, "pagination": pagination}


def get_agent(call: Call, agents: Agents) -> Json:
    return {"agent": messages.agent(agents.get(call.path["agentId"]))}


def list_slots(call: Call, agents: Agents) -> Json:
    return {"slots": list(_slots(call, agents).values())}


def get_slot(call: Call, agents: Agents) -> Json:
    slot = _slots(call, agents).get(call.path["slotId"])
    if slot is None:
        raise NotFoundError(f"slot {call.path['slotId']} not found on the agent {AGENT}")
    return {"slot": slot}


def list_resource_pools(call: Call, agents: Agents) -> Json:
    page, pagination = paginate([messages.resource_pool(pool) for pool in agents.resource_pools()], call)
    return {"resourcePools": page, "pagination": pagination}


def _slots(call: Call, agents: Agents) -> dict[str, Json]:
    slots: dict[str, Json] = messages.agent(agents.get(call.path["agentId"]))["slots"]
    return slots


ENDPOINTS: list[Endpoint] = [
    ("GET", "/info", info),
    ("GET", "/api/v1/master", master),
    ("GET", "/api/v1/master/telemetry", telemetry),
    ("GET", "/api/v1/master/cluster_message", cluster_message),
    ("GET", "/api/v1/agents", list_agents),
    ("GET", "/api/v1/agents/{agentId}", get_agent),
    ("GET", "/api/v1/agents/{agentId}/slots", list_slots),
    ("GET", "/api/v1/agents/{agentId}/slots/{slotId}", get_slot),
    ("GET", "/api/v1/resource-pools", list_resource_pools),
]
