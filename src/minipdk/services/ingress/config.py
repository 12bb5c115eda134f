"""Envoy's configuration while it runs: the clusters of Backends, and the routes to them. Pure functions.

A cluster stands for one revision's ready replicas and never changes: other replicas are another cluster, whose name contains
its ports. So a route is exchanged by exchanging names, and Envoy counts the requests in flight to an old set of replicas
for its cluster. Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from minipdk.common.ports import HOST
from minipdk.controller.routes import Backend, Route, ServiceKey, Traffic
from minipdk.services.ingress.replies import Config

CLUSTERS, ROUTES = "clusters.json", "routes.json"
VERSION_HOST, VERSION_HEADER = "routes.minipdk", "routes-version"
"""The answer to a request with this Host has the version of the routes that it followed in this header."""
UNKNOWN_SERVICE = (
    "no InferenceService is served at Host '%REQ(:AUTHORITY)%' and path '%PATH(NQ)%': send the Host "
    "<name>.<namespace>.example.com (kubectl get isvc -A) or a path below /serving/<namespace>/<name>/"
)
NOT_READ_YET = "the gateway is starting and has not read the InferenceServices yet: try again"
STATS_PATH = "/stats/prometheus"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
USEFUL_STATS = (
    r"^vhost\..*\.upstream_rq_(total|[1-5]xx|time|retry)$|^http\.ingress\.downstream_(cx|rq)_(active|total|[1-5]xx)$"
)
CONNECT_TIMEOUT = 5.0
UPSTREAM_IDLE = 1.5  # under the seconds after which model servers close an idle connection: five in uvicorn, two in gunicorn
RETRY_PAUSE, RESELECTIONS = 0.001, 50
MAX_REASON = 16 << 10
TYPE = "type.googleapis.com/envoy"
HTTP, GRPC = "http", "grpc"


@dataclass(frozen=True)
class Limits:
    """The ingress's limits: bytes of a body, requests in flight and waiting for each revision, connections in all."""

    body: int = 100 << 20
    in_flight: int = 1000
    waiting: int = 1000
    connections: int = 4000


@dataclass(frozen=True)
class Cluster:
    """One revision's replicas, reached by one protocol."""

    service: ServiceKey
    protocol: str
    ports: tuple[int, ...]

    @property
    def name(self) -> str:
        return "/".join((*self.service, self.protocol, "-".join(map(str, self.ports))))


def clusters(table: Mapping[ServiceKey, Route]) -> set[Cluster]:
    """Every cluster that the routes of ``table`` name."""
    return {
        cluster
        for service, route in table.items()
        for share in route.traffic
        for protocol in (HTTP, GRPC)
        if (cluster := _cluster(service, share, protocol))
    }


def _cluster(service: ServiceKey, share: Traffic, protocol: str) -> Cluster | None:
    live = [backend for backend in share.backends if not backend.closing]
    ports = [backend.port if protocol == HTTP else backend.grpc_port for backend in live]
    known = tuple(sorted({port for port in ports if port is not None}))
    return Cluster(service, protocol, known) if known else None


def serves(cluster: Cluster, backend: Backend) -> bool:
    """Whether requests to ``cluster`` may go to ``backend``."""
    return (backend.port if cluster.protocol == HTTP else backend.grpc_port) in cluster.ports


def cluster_resources(clusters: Iterable[Cluster], version: int, limits: Limits) -> Config:
    """The clusters' file."""
    ordered = sorted(clusters, key=lambda cluster: cluster.name)
    return {"version_info": str(version), "resources": [_cluster_resource(cluster, limits) for cluster in ordered]}


def _cluster_resource(cluster: Cluster, limits: Limits) -> Config:
    protocol = "http_protocol_options" if cluster.protocol == HTTP else "http2_protocol_options"
    options = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": seconds(UPSTREAM_IDLE)},
        "explicit_http_config": {protocol: {}},
    }
    return {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": cluster.name,
        "type": "STATIC",
        "connect_timeout": seconds(CONNECT_TIMEOUT),
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": assignment(cluster.name, map(address, cluster.ports)),
        "typed_extension_protocol_options": {
            f"{TYPE.partition('/')[2]}.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": limits.in_flight,
                    "max_requests": limits.in_flight,
                    "max_pending_requests": limits.waiting,
                    "max_retries": limits.in_flight,  # all requests to a replica that has just died
                }
            ]
        },
    }


def route_resources(table: Mapping[ServiceKey, Route], *, known: bool, version: int) -> Config:
    """The routes' file: by Host, by path below a loopback Host, and an answer for everything else."""
    version_route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200},
        "response_headers_to_add": [{"header": {"key": VERSION_HEADER, "value": str(version)}}],
    }
    hosts = [
        {"name": "version", "domains": [VERSION_HOST], "routes": [version_route]},
        {
            "name": "paths",
            "domains": list(LOOPBACK_NAMES),
            "routes": [*_path_routes(table), _stats_route(), _unknown(known)],
        },
        {"name": "others", "domains": ["*"], "routes": [_unknown(known)]},
        *(
            {"name": _label(service), "domains": domains, "routes": _service_routes(service, table[service])}
            for service, domains in _domains(table).items()
        ),
    ]
    routes = {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": "ingress",
        "virtual_hosts": hosts,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 4 * MAX_REASON,
    }
    return {"version_info": str(version), "resources": [routes]}


def _domains(table: Mapping[ServiceKey, Route]) -> dict[ServiceKey, list[str]]:
    """The host names of each service that has any. Envoy rejects a table in which two services have the same name."""
    services = sorted(table)
    owners: dict[str, ServiceKey] = {}
    for service in services:
        owners |= {host: service for host in table[service].address.hosts if host not in owners}
    for service in services:
        owners |= {host: service for host in table[service].address.aliases if host not in owners}
    domains: dict[ServiceKey, list[str]] = {}
    for host, service in owners.items():
        domains.setdefault(service, []).extend((host, f"{host}."))
    return domains


def _path_routes(table: Mapping[ServiceKey, Route]) -> list[Config]:
    return [
        route
        for service, its in sorted(table.items())
        if (path := its.address.path)
        for route in (*_service_routes(service, its, {"prefix": path}), *_service_routes(service, its, {"path": path[:-1]}))
    ]


def _service_routes(service: ServiceKey, route: Route, match: Config | None = None) -> list[Config]:
    """The routes of one service: for a ``match`` on the path, which is removed, or by default for all paths of its Host."""
    host = _host(route)
    where = match or {"prefix": "/"}
    if not any(share.percent and _cluster(service, share, HTTP) for share in route.traffic):
        reason = f"{host} is not ready: {route.reason or 'its predictor is stopping'}"
        return [{"match": where, "direct_response": _answer(503, reason)}]
    rewrite = {"prefix_rewrite": "/", "host_rewrite_literal": host} if match else {}
    return [
        _to_predictor(service, route, GRPC, {**where, "grpc": {}}, rewrite),
        _to_predictor(service, route, HTTP, where, rewrite),
    ]


def _to_predictor(service: ServiceKey, route: Route, protocol: str, match: Config, rewrite: Config) -> Config:
    shares = [
        {"name": cluster.name, "weight": share.percent}
        for share in route.traffic
        if share.percent and (cluster := _cluster(service, share, protocol))
    ]
    if not shares:
        return {"match": match, "direct_response": _answer(404, f"{_host(route)} does not speak {protocol}")}
    timeout = max(backend.timeout for backend in route.backends() if not backend.closing)
    action = {
        "weighted_clusters": {"clusters": shares},
        # A whole answer, which may be a stream, has no limit; only the wait for its next part has.
        "timeout": "0s",
        "idle_timeout": seconds(timeout),
        "retry_policy": _retry_policy(),
        **rewrite,
    }
    return {
        "match": match,
        "route": action,
        "stat_prefix": f"{_label(service)}/{protocol}",
        "metadata": {"filter_metadata": {"minipdk": {"timeout": f"{timeout:g}"}}},
        # In HTTP/1.1 `te` concerns one connection; gRPC's clients and servers agree on trailers by it.
        "request_headers_to_remove": ["x-envoy-external-address", *(["te"] if protocol == HTTP else [])],
    }


def _retry_policy() -> Config:
    """Istio's policy: try another replica if the first cannot have seen the request."""
    previous_hosts = f"{TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": previous_hosts}}
        ],
        # The replica that has just died has the fewest requests, and so is chosen again most of the time.
        "host_selection_retry_max_attempts": RESELECTIONS,
        "retry_back_off": {"base_interval": seconds(RETRY_PAUSE), "max_interval": seconds(RETRY_PAUSE)},
    }


def _stats_route() -> Config:
    # A client's query is appended to it, and becomes the value of a parameter that Envoy ignores.
    query = f"filter={quote(USEFUL_STATS, safe='')}&asked="
    return {
        "match": {"path": STATS_PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "route": {"cluster": "admin", "prefix_rewrite": f"{STATS_PATH}?{query}"},
    }


def _unknown(known: bool) -> Config:
    if not known:
        return {"match": {"prefix": "/"}, "direct_response": _answer(503, NOT_READ_YET)}
    answer = _answer(404, "")
    answer["body_format"] = {"text_format_source": {"inline_string": UNKNOWN_SERVICE}}
    return {"match": {"prefix": "/"}, "direct_response": answer}


def _answer(status: int, text: str) -> Config:
    return {"status": status, "body": {"inline_string": text[:MAX_REASON]}}


def _host(route: Route) -> str:
    """The name by which the service is mentioned, and the Host that its predictors see."""
    return next(iter(route.address.hosts), "the service")


def _label(service: ServiceKey) -> str:
    return "/".join(service)


def address(port: int) -> Config:
    """A loopback port as an Envoy address."""
    return {"socket_address": {"address": HOST, "port_value": port}}


def assignment(name: str, addresses: Iterable[Config]) -> Config:
    """The endpoints of the cluster ``name``."""
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}} for address in addresses]}],
    }


def seconds(value: float) -> str:
    """A duration as Envoy reads it."""
    return f"{value:.3f}s"
