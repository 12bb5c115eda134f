"""The objects that a namespace has from the start."""

from __future__ import annotations

from tests.conftest import wait_for
from tests.minipdk.services.kubernetes.conftest import Http


def test_a_created_namespace_has_its_service_account(http: Http) -> None:
    assert http("POST", "/api/v1/namespaces", '{"metadata": {"name": "furnished"}}')[0] == 201
    assert http("GET", "/api/v1/namespaces/furnished/serviceaccounts/default")[0] == 200
    wait_for(lambda: http("DELETE", "/api/v1/namespaces/furnished")[0] in (200, 404), what="the namespace to go")
