"""Envoy's bootstrap: listeners, filters and limits. It follows the files of clusters and routes while it runs (`config`)."""

from __future__ import annotations

from pathlib import Path

from minipdk.services.ingress.config import CLUSTERS, ROUTES, TYPE, Limits, address, assignment, seconds
from minipdk.services.ingress.origins import ORIGINS
from minipdk.services.ingress.replies import Config, local_replies

BOOTSTRAP = "bootstrap.json"
ADMIN_SOCKET, VERSION_SOCKET = "admin.sock", "version.sock"
"""Relative to Envoy's folder, because the path of a socket must be short."""
DOWNSTREAM_IDLE = 75.0  # longer than clients keep an idle connection, so that none is closed as it is used again
HEADERS_TIMEOUT = 10.0
HTTP2 = {"max_concurrent_streams": 1000, "initial_stream_window_size": 1 << 16, "initial_connection_window_size": 1 << 20}
"""As Envoy advises for an edge: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge"""
NOT_LIMITED = {"ignore_global_conn_limit": True}


def bootstrap(folder: Path, port: int, limits: Limits) -> Config:
    """The file that Envoy starts with; the other two below ``folder`` are followed while it runs."""
    connections = {
        "@type": f"{TYPE}.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": limits.connections,
    }
    admin = {"name": "admin", "load_assignment": assignment("admin", [{"pipe": {"path": ADMIN_SOCKET}}])}
    return {
        "node": {"id": "ingress", "cluster": "minipdk"},
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}, **NOT_LIMITED},
        "dynamic_resources": {"cds_config": _file(folder / CLUSTERS)},
        "static_resources": {"listeners": [_ingress(folder, port, limits), _version(folder)], "clusters": [admin]},
        "overload_manager": {
            "resource_monitors": [
                {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": connections}
            ]
        },
    }


def _ingress(folder: Path, port: int, limits: Limits) -> Config:
    manager = {
        **_manager("ingress", folder),
        "http_filters": _filters(limits),
        "local_reply_config": local_replies(limits.body),
        "use_remote_address": True,  # ignore the clients' copies of headers by which Envoys command each other
        "skip_xff_append": True,
        "preserve_external_request_id": True,
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "http_protocol_options": {"accept_http_10": True},
        "http2_protocol_options": HTTP2,
        "common_http_protocol_options": {"idle_timeout": seconds(DOWNSTREAM_IDLE)},
        "request_headers_timeout": seconds(HEADERS_TIMEOUT),
        "access_log": [_failures_log()],
    }
    # The cluster holds this port; the lock of the process prevents a second Envoy on it.
    return {**_listener("ingress", address(port), manager), "enable_reuse_port": True}


def _version(folder: Path) -> Config:
    """A listener on a private socket, which shows the version of the routes that Envoy's worker has."""
    manager = {**_manager("version", folder), "http_filters": [_router()]}
    return {**_listener("version", {"pipe": {"path": VERSION_SOCKET, "mode": 0o600}}, manager), **NOT_LIMITED}


def _manager(name: str, folder: Path) -> Config:
    return {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "rds": {"route_config_name": "ingress", "config_source": _file(folder / ROUTES)},
    }


def _listener(name: str, address: Config, manager: Config) -> Config:
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": name, "address": address, "filter_chains": [{"filters": filters}]}


def _filters(limits: Limits) -> list[Config]:
    return [
        {
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": f"{TYPE}.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": ORIGINS},
            },
        },
        {
            "name": "envoy.filters.http.body_size_limit",
            "typed_config": {
                "@type": f"{TYPE}.extensions.filters.http.body_size_limit.v3.BodySizeLimit",
                "max_request_bytes": limits.body,
            },
        },
        _router(),
    ]


def _router() -> Config:
    options = {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return {"name": "envoy.filters.http.router", "typed_config": options}


def _failures_log() -> Config:
    """A line in the service's log for each request that got no answer from a predictor; none for idle connections."""
    a_request = {"header_filter": {"header": {"name": ":method", "present_match": True}}}
    line = (
        "%START_TIME% %REQ(:METHOD)% %REQ(:AUTHORITY)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% "
        "%RESPONSE_CODE_DETAILS% %UPSTREAM_HOST%\n"
    )
    return {
        "name": "envoy.access_loggers.stderr",
        "filter": {"and_filter": {"filters": [{"response_flag_filter": {}}, a_request]}},
        "typed_config": {
            "@type": f"{TYPE}.extensions.access_loggers.stream.v3.StderrAccessLog",
            "log_format": {"text_format_source": {"inline_string": line}},
        },
    }


def _file(path: Path) -> Config:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}
