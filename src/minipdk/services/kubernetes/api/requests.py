"""The target of a request, from its path, and whether the target has the request's verb.

Paths: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris.
"""

from __future__ import annotations

from minipdk.services.kubernetes.errors import MethodNotAllowedError, NotSupportedError, UnknownPathError
from minipdk.services.kubernetes.kinds import table
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.model import READ_ONLY, Resource, Target


def locate(group: str, version: str, path: str) -> Target:
    """The target of ``path``, the part of a URL behind the group and version.

    Raises UnknownPathError for an unknown path, and NotSupportedError for a path that only a real cluster has.
    """
    parts = [part for part in path.split("/") if part]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and not _is_part(NAMESPACES, parts[2]):
        namespace, parts = parts[1], parts[2:]
    if not 0 < len(parts) < 4:
        if len(parts) > 3 and parts[2] in table.UNSUPPORTED_SUBRESOURCES.get(parts[0], ()):
            raise NotSupportedError(f"{parts[0]}/{parts[2]}")
        raise UnknownPathError
    resource = table.find(group, version, parts[0])
    if resource is None or (namespace and not resource.namespaced):
        raise UnknownPathError
    name, part = (*parts[1:], "", "")[:2]
    if table.is_unsupported(resource, part):
        raise NotSupportedError(f"{resource.plural}/{part}", _instead(part))
    if part and resource.subresource(part) is None:
        raise UnknownPathError
    if name and resource.namespaced and not namespace:
        raise UnknownPathError
    return Target(resource, namespace, name, part)


def _is_part(resource: Resource, name: str) -> bool:
    return resource.subresource(name) is not None or table.is_unsupported(resource, name)


def _instead(part: str) -> str:
    return "there is no other node: delete the pod" if part == "eviction" else ""


def need_verb(method: str, target: Target) -> None:
    """Raises MethodNotAllowedError, or NotSupportedError for kinds that only the cluster writes."""
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, "delete" if target.name else "deletecollection")
    resource = target.resource
    if not target.part and resource.verbs == READ_ONLY:
        feature = f"{verb} of {resource.subject().qualified}"
        raise NotSupportedError(feature, "they are made by the cluster itself")
    if not target.part and verb not in resource.verbs:
        raise MethodNotAllowedError


def need_object(target: Target) -> None:
    if not target.name or target.part not in ("", "status"):
        raise MethodNotAllowedError


def need_namespace(target: Target) -> None:
    """A kind's objects in all namespaces can only be listed and watched."""
    if target.resource.namespaced and not target.namespace:
        raise MethodNotAllowedError
