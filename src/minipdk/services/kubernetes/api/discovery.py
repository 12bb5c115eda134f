"""Discovery, OpenAPI and health: the answers that clients read first, and that depend on nothing stored.

Rules: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from minipdk.services.kubernetes.api import openapi
from minipdk.services.kubernetes.api.negotiation import JSON_TYPES, accepted
from minipdk.services.kubernetes.errors import NotAcceptableError, UnknownPathError
from minipdk.services.kubernetes.kinds import table
from minipdk.services.kubernetes.model import GIT_VERSION, MAJOR, MINOR, Object, Resource

Handler = Callable[[Request], Awaitable[Response]]
HEALTH = ("/healthz", "/livez", "/readyz")
PUBLIC = frozenset({*HEALTH, "/version"})
"""Paths for which a real cluster asks for no token."""
AGGREGATED, AGGREGATED_GROUP, AGGREGATED_VERSIONS = "APIGroupDiscoveryList", "apidiscovery.k8s.io", ("v2", "v2beta1")


def handlers(address: str) -> dict[str, Handler]:
    """Each path's handler. ``address`` is the server's host and port."""
    documents: dict[str, Callable[[Request], Object]] = {
        "/": lambda _: {"paths": paths((*HEALTH, "/openapi/v2", "/openapi/v3", "/version"))},
        "/version": lambda _: server_version(),
        "/api/v1": lambda _: resource_list("", "v1"),
        "/apis/{group}": lambda request: one_group(request.path_params["group"]),
        "/apis/{group}/{version}": lambda request: resource_list(**request.path_params),
        "/openapi/v3": lambda _: openapi.index(),
        "/openapi/v3/{path:path}": lambda request: openapi.document(request.path_params["path"]),
    }
    by_path: dict[str, Handler] = {path: partial(_document, make) for path, make in documents.items()}
    by_path["/api"] = partial(_discovery, partial(core_versions, address), core=True)
    by_path["/apis"] = partial(_discovery, groups, core=False)
    by_path["/openapi/v2"] = _openapi_v2
    by_path |= dict.fromkeys(HEALTH, _health)
    with_slash = {f"{path}/": handler for path, handler in by_path.items() if path != "/"}  # as Python's client asks
    return by_path | with_slash


def server_version() -> Object:
    """GET /version."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-04-22T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": sys.implementation.name,
        "platform": f"linux/{'arm64' if platform.machine() == 'aarch64' else 'amd64'}",
    }


def core_versions(address: str) -> Object:
    """GET /api."""
    clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}


def groups() -> Object:
    """GET /apis."""
    names = dict.fromkeys(group for group, _ in table.group_versions() if group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in names]}


def one_group(name: str) -> Object:
    """GET /apis/{group}."""
    if not any(group == name for group, _ in table.group_versions() if group):
        raise UnknownPathError
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def paths(others: tuple[str, ...]) -> list[str]:
    """GET /: every path at which a client can begin."""
    groups = [f"/apis/{group}" for group, _ in table.group_versions() if group]
    versions = [f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in table.group_versions()]
    return sorted({"/api", "/apis", *groups, *versions, *others})


def aggregated(form: str, *, core: bool) -> Object:
    """GET /api or /apis for all groups with their kinds in one document, in the version ``form``."""
    versions = [(group, version) for group, version in table.group_versions() if bool(group) != core]
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {"version": version, "resources": [_aggregated(resource) for resource in table.of_group(group, version)]}
                | {"freshness": "Current"}
                for group, version in versions
                if group == name
            ],
        }
        for name in dict.fromkeys(group for group, _ in versions)
    ]
    return {"kind": AGGREGATED, "apiVersion": f"{AGGREGATED_GROUP}/{form}", "metadata": {}, "items": items}


def resource_list(group: str, version: str) -> Object:
    """GET /api/v1 and /apis/{group}/{version}."""
    if (group, version) not in table.group_versions():
        raise UnknownPathError
    listed = [entry for resource in table.of_group(group, version) for entry in _entries(resource)]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _group(name: str) -> Object:
    versions = [
        {"groupVersion": f"{group}/{version}", "version": version}
        for group, version in table.group_versions()
        if group == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _aggregated(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": part.name,
                "responseKind": {"group": part.group, "version": part.version, "kind": part.kind},
                "verbs": list(part.verbs),
            }
            for part in resource.subresources
        ]
    return entry


def _entries(resource: Resource) -> list[Object]:
    own: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        own["shortNames"] = list(resource.short_names)
    if resource.categories:
        own["categories"] = list(resource.categories)
    parts: list[Object] = [
        {
            "name": f"{resource.plural}/{part.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": part.kind,
            "verbs": list(part.verbs),
            **({"group": part.group, "version": part.version} if part.group else {}),
        }
        for part in resource.subresources
    ]
    return [own, *parts]


async def _document(make: Callable[[Request], Object], request: Request) -> Response:
    if not any(kind in JSON_TYPES for kind, _ in accepted(request.headers.get("accept", ""))):
        raise NotAcceptableError(("application/json",))
    return _json(await run_in_threadpool(make, request))


async def _discovery(plain: Callable[[], Object], request: Request, *, core: bool) -> Response:
    for kind, parameters in accepted(request.headers.get("accept", "")):
        if _is_aggregated(kind, parameters):
            version = parameters["v"]
            answered = f"application/json;g={AGGREGATED_GROUP};v={version};as={AGGREGATED}"
            return _json(aggregated(version, core=core), answered)
        if kind in JSON_TYPES and "as" not in parameters:
            return _json(plain())
    raise NotAcceptableError(("application/json",))


def _is_aggregated(kind: str, parameters: Mapping[str, str]) -> bool:
    """Whether a media type is that of discovery in one document."""
    requested = (parameters.get("as"), parameters.get("g"), parameters.get("v") in AGGREGATED_VERSIONS)
    return kind == "application/json" and requested == (AGGREGATED, AGGREGATED_GROUP, True)


async def _openapi_v2(request: Request) -> Response:
    accept = request.headers.get("accept", "")
    if openapi.PROTOBUF in accept:
        return Response(await run_in_threadpool(openapi.document_v2), media_type=openapi.ANSWERED)
    if any(kind in JSON_TYPES for kind, _ in accepted(accept)):
        return _json(await run_in_threadpool(openapi.document_v2_as_json))
    raise NotAcceptableError((openapi.PROTOBUF, "application/json"))


async def _health(request: Request) -> Response:
    if "verbose" not in request.query_params:
        return PlainTextResponse("ok")
    return PlainTextResponse(f"[+]ping ok\n{request.url.path.strip('/')} check passed\n")


def _json(document: Object, media_type: str = "application/json") -> Response:
    content = json.dumps(document, separators=(",", ":")) + "\n"
    return Response(content, media_type=media_type, headers={"Vary": "Accept"})
