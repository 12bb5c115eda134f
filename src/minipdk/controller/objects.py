"""The Kubernetes API's objects and collections, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""An API object: apiVersion, kind, metadata, spec, status."""

Key = tuple[str, str]
"""An object's namespace, empty for a cluster-wide kind, and name."""


@dataclass(frozen=True)
class Resource:
    """One kind's collection, such as /api/v1 pods."""

    prefix: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        parts = [self.prefix, *(["namespaces", namespace] if namespace else []), self.plural, name, subresource]
        return "/".join(part for part in parts if part)


NODES = Resource("/api/v1", "nodes")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases")
PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/api/v1", "events")
PERSISTENT_VOLUME_CLAIMS = Resource("/api/v1", "persistentvolumeclaims")
SECRETS = Resource("/api/v1", "secrets")
CONFIG_MAPS = Resource("/api/v1", "configmaps")
SERVICE_ACCOUNTS = Resource("/api/v1", "serviceaccounts")


def key_of(thing: Object) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def version_of(thing: Object) -> int:
    """The resource version as a number; this API server counts all its writes."""
    return int(thing["metadata"]["resourceVersion"])
