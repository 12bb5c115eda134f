"""The Kubernetes API's objects and collections, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.common.names import PathSegmentError, url_path
from minipdk.controller.errors import InvalidNameError

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
        """The path of the collection, an object, or an object's subresource. Raises InvalidNameError."""
        names = [part for part in (name, subresource) if part is not None]
        try:
            return f"{self.prefix}/{url_path(*(['namespaces', namespace] if namespace else []), self.plural, *names)}"
        except PathSegmentError as error:
            raise InvalidNameError(str(error)) from None


NODES = Resource("/api/v1", "nodes")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases")
PODS = Resource("/api/v1", "pods")
EVENTS = Resource("/api/v1", "events")
PERSISTENT_VOLUME_CLAIMS = Resource("/api/v1", "persistentvolumeclaims")
SECRETS = Resource("/api/v1", "secrets")
CONFIG_MAPS = Resource("/api/v1", "configmaps")
SERVICES = Resource("/api/v1", "services")
SERVICE_ACCOUNTS = Resource("/api/v1", "serviceaccounts")


def key_of(thing: Object) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def version_of(thing: Object) -> int:
    """The resource version as a number; this API server counts all its writes."""
    return int(thing["metadata"]["resourceVersion"])
