"""What a request asks: its path and its query. Its body is for `decoding`.

Paths: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris.
"""

from __future__ import annotations

from collections.abc import Mapping

from minipdk.kubernetes import kinds
from minipdk.kubernetes.errors import (
    BadRequestError,
    InvalidError,
    MethodNotAllowedError,
    NotSupportedError,
    Subject,
    UnknownPathError,
    forbidden,
    required,
)
from minipdk.kubernetes.queries import is_set
from minipdk.kubernetes.registry import WriteOptions
from minipdk.kubernetes.resources import READ_ONLY, Resource, Target


def locate(group: str, version: str, path: str) -> Target:
    """The target of ``path``, the part of a URL behind the group and version.

    Raises UnknownPathError for what is not there, and NotSupportedError for what a real cluster would have here.
    """
    parts = [part for part in path.split("/") if part]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and not _is_part(kinds.NAMESPACES, parts[2]):
        namespace, parts = parts[1], parts[2:]
    if not 0 < len(parts) < 4:
        if len(parts) > 3 and parts[2] in kinds.UNSUPPORTED_SUBRESOURCES.get(parts[0], ()):
            raise NotSupportedError(f"{parts[0]}/{parts[2]}")
        raise UnknownPathError
    resource = kinds.find(group, version, parts[0])
    if resource is None or (namespace and not resource.namespaced):
        raise UnknownPathError
    name, part = (*parts[1:], "", "")[:2]
    if part and resource.subresource(part) is None:
        if part in kinds.UNSUPPORTED_SUBRESOURCES.get(resource.plural, ()):
            raise NotSupportedError(f"{resource.plural}/{part}", _instead(part, name))
        raise UnknownPathError
    if name and resource.namespaced and not namespace:
        raise UnknownPathError
    return Target(resource, namespace, name, part)


def _is_part(resource: Resource, name: str) -> bool:
    return resource.subresource(name) is not None or name in kinds.UNSUPPORTED_SUBRESOURCES[resource.plural]


def _instead(part: str, pod: str) -> str:
    if part == "portforward":
        return "predictors are reached through the ingress, whose address `minipdk status` prints"
    if part in ("exec", "attach"):
        return f"read what the container prints with `kubectl logs {pod}`"
    return ""


def write_options(query: Mapping[str, str], user_agent: str) -> WriteOptions:
    """The parameters of a write. Raises BadRequestError for a value that there is not."""
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise BadRequestError(f'Invalid value: "{dry_run}": dryRun must be "All" or left out')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise BadRequestError(f'Unsupported value: "{validation}": fieldValidation must be "Ignore", "Strict" or "Warn"')
    manager = query.get("fieldManager") or user_agent.partition("/")[0] or "unknown"
    return WriteOptions(dry_run=bool(dry_run), manager=manager[:128], validation=validation, force=is_set(query, "force"))


def need_verb(method: str, target: Target) -> None:
    """Raises MethodNotAllowedError, or NotSupportedError for kinds that the cluster itself writes."""
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, "delete" if target.name else "deletecollection")
    resource = target.resource
    if not target.part and resource.verbs == READ_ONLY:
        what = f"{verb} of {resource.subject().qualified}"
        raise NotSupportedError(what, "they are made by the cluster itself, a volume for each claim")
    if not target.part and verb not in resource.verbs:
        raise MethodNotAllowedError


def need_object(target: Target) -> None:
    if not target.name or target.part not in ("", "status"):
        raise MethodNotAllowedError


def check_patch_options(query: Mapping[str, str], *, applies: bool) -> None:
    causes = []
    if applies and not query.get("fieldManager"):
        causes.append(required("fieldManager", "is required for apply patch"))
    if not applies and "force" in query:
        causes.append(forbidden("force", "may not be specified for non-apply patch"))
    if causes:
        raise InvalidError(Subject("meta.k8s.io", "PatchOptions"), causes)


def need_namespace(target: Target) -> None:
    """A kind's objects in all namespaces can be listed and watched, nothing else."""
    if target.resource.namespaced and not target.namespace:
        raise MethodNotAllowedError
