"""What the API server has: the documents that clients read before anything else.

Rules: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api.
"""

from __future__ import annotations

import platform
import sys

from minipdk.services.kubernetes.errors import UnknownPathError
from minipdk.services.kubernetes.kinds import table as kinds
from minipdk.services.kubernetes.model import Object, Resource

MAJOR, MINOR = "1", "32"
AGGREGATED, AGGREGATED_GROUP, AGGREGATED_VERSIONS = "APIGroupDiscoveryList", "apidiscovery.k8s.io", ("v2", "v2beta1")


def server_version() -> Object:
    """GET /version."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": f"v{MAJOR}.{MINOR}.4+minipdk",
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
    names = dict.fromkeys(group for group, _ in kinds.group_versions() if group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in names]}


def one_group(name: str) -> Object:
    """GET /apis/{group}."""
    if not any(known == name for known, _ in kinds.group_versions() if known):
        raise UnknownPathError
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def paths(others: tuple[str, ...]) -> list[str]:
    """GET /: every path that a client can begin at."""
    groups = [f"/apis/{group}" for group, _ in kinds.group_versions() if group]
    versions = [f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in kinds.group_versions()]
    return sorted({"/api", "/apis", *groups, *versions, *others})


def aggregated(form: str, *, core: bool) -> Object:
    """GET /api or /apis of a client that asks for all of its groups and their kinds at once, in the version ``form``."""
    versions = [(group, version) for group, version in kinds.group_versions() if bool(group) != core]
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {"version": version, "resources": [_aggregated(one) for one in kinds.of_group(group, version)]}
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
    if (group, version) not in kinds.group_versions():
        raise UnknownPathError
    listed = [entry for one in kinds.of_group(group, version) for entry in _entries(one)]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _group(name: str) -> Object:
    versions = [
        {"groupVersion": f"{known}/{version}", "version": version}
        for known, version in kinds.group_versions()
        if known == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _aggregated(resource: Resource) -> Object:
    found: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [
            {
                "subresource": part.name,
                "responseKind": {"group": part.group, "version": part.version, "kind": part.kind},
                "verbs": list(part.verbs),
            }
            for part in resource.subresources
        ]
    return found


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
