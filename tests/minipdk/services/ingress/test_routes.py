"""The host names and paths by which a service is reached."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.minipdk.services.ingress.conftest import NAME, Ingress, echo, serving

from minipdk.controller.routes import Backend, Route, ServiceKey, Traffic
from minipdk.services.ingress.config import clusters, route_resources
from minipdk.services.kserve.hosts import address

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host", ["LINEAR.models.example.com", f"{NAME}:80", f"{NAME}.", "linear-predictor.models.svc.cluster.local"]
)
async def test_case_port_and_a_last_dot_make_no_difference(ingress: Ingress, host: str) -> None:
    async with serving(ingress, echo), ingress.client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 201


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8081", "linear.models", "linear.models.example.org", "..example.com"]
)
async def test_other_hosts_are_unknown(ingress: Ingress, host: str) -> None:
    async with serving(ingress, echo), ingress.client.get("/", headers={"Host": host}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("path", ["/v1/models/linear:predict?x=1", "/", ""])
async def test_a_service_is_reached_by_path_below_a_loopback_host(ingress: Ingress, path: str) -> None:
    async with serving(ingress, echo), ingress.client.get(f"/serving/models/linear{path}") as answer:
        seen = await answer.json()
    assert (seen["path"], seen["headers"]["host"]) == (path or "/", NAME)


async def test_a_path_is_no_way_for_other_hosts(ingress: Ingress) -> None:
    async with serving(ingress, echo):
        for path, host in [("/serving/models/linear/", "evil.example"), ("/serving/models/linearx/", "localhost")]:
            async with ingress.client.get(path, headers={"Host": host}) as answer:
                assert answer.status == 404


label = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


def domains(*services: ServiceKey) -> dict[str, str]:
    """The virtual host of each host name in the routes of ``services``."""
    table = {service: Route(address=address(*service)) for service in services}
    [routes] = route_resources(table, known=True, version=1)["resources"]
    return {domain: host["name"] for host in routes["virtual_hosts"] for domain in host["domains"]}


@given(services=st.sets(st.tuples(label, label), min_size=1, max_size=4), suffix=st.sampled_from(["", "-predictor"]))
def test_every_service_is_found_under_its_names(services: set[ServiceKey], suffix: str) -> None:
    hosts = domains(*services)
    for namespace, name in services:
        for domain in ("example.com", "svc.cluster.local", "example.com."):
            exact = (namespace, name + suffix) in services
            assert hosts[f"{name}{suffix}.{namespace}.{domain}"] == f"{namespace}/{name}{suffix if exact else ''}"
    assert len(hosts) - 5 == len([domain for domain in hosts if "/" in hosts[domain]])


def test_a_service_of_the_exact_name_comes_first() -> None:
    hosts = domains(("models", "a"), ("models", "a-predictor"))
    assert hosts["a-predictor.models.example.com"] == "models/a-predictor"
    assert hosts["a-predictor-predictor.models.example.com"] == "models/a-predictor"


PORTS = st.integers(20_000, 20_020)
BACKENDS = st.builds(Backend, port=PORTS, grpc_port=st.none() | PORTS, closing=st.booleans())
TRAFFIC = st.builds(Traffic, st.integers(0, 100), st.lists(BACKENDS, max_size=3).map(tuple))
SHARES = st.lists(TRAFFIC, max_size=3).map(tuple)
SERVICES = st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "x-predictor"]))


@st.composite
def tables(draw: st.DrawFn) -> dict[ServiceKey, Route]:
    services = draw(st.sets(SERVICES))
    return {service: Route(draw(SHARES), draw(st.text(max_size=5)), address(*service)) for service in services}


@given(table=tables())
def test_routes_lead_to_known_clusters_of_backends_that_are_not_closing(table: dict[ServiceKey, Route]) -> None:
    """Envoy rejects the whole table if a name occurs twice or shares add up to nothing."""
    known = {cluster.name: cluster for cluster in clusters(table)}
    [resource] = route_resources(table, known=True, version=1)["resources"]
    hosts = resource["virtual_hosts"]
    names = [domain for host in hosts for domain in host["domains"]]
    assert len(set(names)) == len(names)
    for route in (route for host in hosts for route in host["routes"]):
        shares = route.get("route", {}).get("weighted_clusters", {"clusters": [{"name": None, "weight": 1}]})["clusters"]
        assert sum(share["weight"] for share in shares) > 0
        for cluster in (known[share["name"]] for share in shares if share["name"]):
            live = [backend for backend in table[cluster.service].backends() if not backend.closing]
            assert set(cluster.ports) <= {port for backend in live for port in (backend.port, backend.grpc_port)}
