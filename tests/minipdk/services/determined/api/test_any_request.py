"""Every request is answered or refused in Determined's shape, never with an internal error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.minipdk.services.determined.conftest import configuration

from minipdk.common.home import Home
from minipdk.common.web.guard import Guard
from minipdk.services.determined.api import ENDPOINTS, OPEN, SERVED
from minipdk.services.determined.api.http import application, policy
from minipdk.services.determined.master import Master
from minipdk.services.determined.users import client_hash

FIELDS = [
    "name",
    "username",
    "password",
    "user",
    "isHashed",
    "admin",
    "displayName",
    "workspaceId",
    "workspaceName",
    "projectId",
    "parentId",
    "config",
    "activate",
    "modelDefinition",
    "labels",
    "metadata",
    "notes",
    "description",
    "checkpointUuid",
    "checkpointUuids",
    "checkpointGlobs",
    "checkpoints",
    "checkpoint",
    "group",
    "metrics",
    "trialRunId",
    "stepsCompleted",
    "progress",
    "state",
    "reason",
    "uuid",
    "allocationId",
    "logs",
    "taskId",
    "log",
    "updates",
    "jobId",
    "priority",
    "resources",
    "checkpointStorage",
    "runIds",
    "runId",
    "id",
    "destinationProjectId",
    "key",
    "contents",
    "path",
    "validateOnly",
    "overrideConfig",
    "agentUserGroup",
    "settings",
    "destinationWorkspaceId",
    "comment",
]
QUERIES = [
    "limit",
    "offset",
    "orderBy",
    "sortBy",
    "sortByAttr",
    "sortByMetric",
    "states",
    "archived",
    "name",
    "labels",
    "trialIds",
    "rankIds",
    "timestampAfter",
    "experimentIdFilter.lt",
    "experimentIdFilter.incl",
    "levels",
    "enableRegex",
    "searchText",
    "projectId",
    "userIds",
    "filter",
    "metricType",
]
REFUSALS = {400, 401, 403, 404, 409, 501}

integers = st.one_of(st.integers(-3, 3), st.sampled_from([2**31, 2**63, -(2**63), 10**400]))
scalars = st.one_of(st.none(), st.booleans(), integers, st.floats(allow_nan=False), st.text(max_size=8))
values = st.recursive(
    st.one_of(scalars, st.sampled_from(["1", "Uncategorized", "[", "name: x", "STATE_COMPLETED", "metadata"])),
    lambda nested: st.one_of(st.lists(nested, max_size=2), st.dictionaries(st.sampled_from(FIELDS), nested, max_size=3)),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=6)
query_values = st.sampled_from(
    ["", "1", "-1", "x", "99999999999", "9223372036854775808", "1_0", "true", "SORT_BY_ID", "ORDER_BY_DESC", "("]
)
queries = st.dictionaries(st.sampled_from(QUERIES), query_values, max_size=3)
names = st.sampled_from(["1", "2", "0", "-1", "x", "1e3", "%00", "a b", "model", "99999999999", "9223372036854775808"])


class Client:
    """Requests to the application in this process; nothing is scheduled."""

    def __init__(self, master: Master, password: str) -> None:
        token, _ = master.users.login("admin", client_hash(password), is_hashed=True)
        self._runner = asyncio.Runner()
        app = Guard(application(master.parts, ENDPOINTS), policy(master.users, OPEN))
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {token}"},
        )

    def request(self, method: str, path: str, body: object, query: dict[str, str] | None = None) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, params=query, content=json.dumps(body)))

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def client(home: Home) -> Iterator[Client]:
    """A client of a master with an experiment, a trial, a checkpoint and a model."""
    master = Master(home)
    client = Client(master, home.token)
    body = {"config": yaml.safe_dump(configuration()), "modelDefinition": []}
    assert client.request("POST", "/api/v1/experiments", body).status_code == 200
    allocation, _ = master.trials.start_allocation(1, 1, [0])
    report = {"uuid": "0" * 32, "allocationId": allocation.id, "metadata": {"steps_completed": 1}}
    assert client.request("POST", "/api/v1/checkpoints", report).status_code == 200
    assert client.request("POST", "/api/v1/models", {"name": "model"}).status_code == 200
    yield client
    client.close()


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in SERVED if "/auth/log" not in path])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, query=queries, name=names)
def test_any_request_is_answered_or_refused_in_the_right_shape(
    client: Client, method: str, path: str, body: dict[str, Any], query: dict[str, str], name: str
) -> None:
    parts = [name if part.startswith("{") else part for part in path.split("/")]
    answer = client.request(method, "/".join(parts), body, query)
    if answer.status_code != 200:
        assert answer.status_code in REFUSALS, answer.text
        assert answer.json()["error"].keys() == {"code", "reason", "error"}
        assert answer.json()["error"]["error"]
