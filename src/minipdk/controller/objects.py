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
NAMESPACES = Resource("/api/v1", "namespaces")
SERVICES = Resource("/api/v1", "services")
DEPLOYMENTS = Resource("/apis/apps/v1", "deployments")
INGRESSES = Resource("/apis/networking.k8s.io/v1", "ingresses")
SERVICE_ACCOUNTS = Resource("/api/v1", "serviceaccounts")


def key_of(thing: Object) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def version_of(thing: Object) -> int:
    """The resource version as a number; this API server counts all its writes."""
    return int(thing["metadata"]["resourceVersion"])


def is_ending(thing: Object) -> bool:
    return "deletionTimestamp" in thing["metadata"]


def is_owned(thing: Object, owner: Object) -> bool:
    return any(reference["uid"] == owner["metadata"]["uid"] for reference in thing["metadata"].get("ownerReferences") or [])


def owned_by(owner: Object) -> list[Object]:
    """The ownerReferences of an object that ``owner`` controls."""
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
