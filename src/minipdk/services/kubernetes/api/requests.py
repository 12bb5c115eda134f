"""What a request asks: its path and its query. Its body is for `decoding`.

Paths: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from minipdk.services.kubernetes.api.queries import is_set, values, wrong_dry_run
from minipdk.services.kubernetes.errors import (
    Cause,
    InvalidError,
    MethodNotAllowedError,
    NotSupportedError,
    Subject,
    UnknownPathError,
    forbidden,
    required,
    unsupported_value,
)
from minipdk.services.kubernetes.kinds import table as kinds
from minipdk.services.kubernetes.model import READ_ONLY, Resource, Target
from minipdk.services.kubernetes.registry.managers import LONGEST_NAME, validate_manager
from minipdk.services.kubernetes.registry.registry import WriteOptions

OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}
VALIDATIONS = ("", "Ignore", "Strict", "Warn")


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
    if kinds.is_unsupported(resource, part):
        raise NotSupportedError(f"{resource.plural}/{part}", _instead(part, name))
    if part and resource.subresource(part) is None:
        raise UnknownPathError
    if name and resource.namespaced and not namespace:
        raise UnknownPathError
    return Target(resource, namespace, name, part)


def _is_part(resource: Resource, name: str) -> bool:
    return resource.subresource(name) is not None or kinds.is_unsupported(resource, name)


def _instead(part: str, pod: str) -> str:
    if part == "portforward":
        return "predictors are reached through the ingress, whose address `minipdk status` prints"
    if part in ("exec", "attach"):
        return f"read what the container prints with `kubectl logs {pod}`"
    if part == "eviction":
        return "there is no other node: delete the pod"
    return ""


def write_options(method: str, query: Mapping[str, str], user_agent: str, *, applies: bool) -> WriteOptions:
    """The parameters of a write, but for a deletion, which has options of its own. ``applies``: it is an apply patch.

    Raises InvalidError for values that there are not.
    """
    if method not in OPTIONS:
        return WriteOptions()
    if causes := list(_wrong_options(method, query, applies=applies)):
        raise InvalidError(Subject("meta.k8s.io", OPTIONS[method]), causes)
    program = "".join(filter(str.isprintable, user_agent.partition("/")[0]))[:LONGEST_NAME]
    return WriteOptions(
        dry_run=bool(query.get("dryRun")),
        manager=query.get("fieldManager") or program or "unknown",
        validation=query.get("fieldValidation") or "Warn",
        force=is_set(query, "force"),
    )


def _wrong_options(method: str, query: Mapping[str, str], *, applies: bool) -> Iterator[Cause]:
    manager, validation = query.get("fieldManager", ""), query.get("fieldValidation", "")
    if applies and not manager:
        yield required("fieldManager", "is required for apply patch")
    if method == "PATCH" and not applies and "force" in query:
        yield forbidden("force", "may not be specified for non-apply patch")
    yield from validate_manager("fieldManager", manager)
    yield from wrong_dry_run(values(query, "dryRun"))
    if validation not in VALIDATIONS:
        yield unsupported_value("fieldValidation", validation, VALIDATIONS)


def need_verb(method: str, target: Target) -> None:
    """Raises MethodNotAllowedError, or NotSupportedError for kinds that the cluster itself writes."""
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, "delete" if target.name else "deletecollection")
    resource = target.resource
    if not target.part and resource.verbs == READ_ONLY:
        what = f"{verb} of {resource.subject().qualified}"
        raise NotSupportedError(what, "they are made by the cluster itself")
    if not target.part and verb not in resource.verbs:
        raise MethodNotAllowedError


def need_object(target: Target) -> None:
    if not target.name or target.part not in ("", "status"):
        raise MethodNotAllowedError


def need_namespace(target: Target) -> None:
    """A kind's objects in all namespaces can be listed and watched, nothing else."""
    if target.resource.namespaced and not target.namespace:
        raise MethodNotAllowedError
