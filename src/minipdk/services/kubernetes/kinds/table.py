"""The table of kinds. Discovery, routes, OpenAPI, field selectors and `kubectl get` are all derived from its rows.

Its order is the order in discovery.
"""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.builtin.claims import CLAIMS, STORAGE_CLASSES, VOLUMES
from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS, SECRETS
from minipdk.services.kubernetes.kinds.builtin.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from minipdk.services.kubernetes.kinds.builtin.deployments import DEPLOYMENTS
from minipdk.services.kubernetes.kinds.builtin.events import EVENTS, NEW_EVENTS
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.builtin.nodes import LEASES, NODES
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.kinds.builtin.reviews import REVIEWS
from minipdk.services.kubernetes.kinds.builtin.service_accounts import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.kinds.builtin.services import ENDPOINTS, SERVICES
from minipdk.services.kubernetes.kinds.custom.inference_services import INFERENCE_SERVICES
from minipdk.services.kubernetes.kinds.custom.knative import KNATIVE_SERVICES, REVISIONS
from minipdk.services.kubernetes.kinds.custom.seldon_deployments import SELDON_DEPLOYMENTS
from minipdk.services.kubernetes.kinds.custom.serving_runtimes import CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES
from minipdk.services.kubernetes.model import Resource

RESOURCES = (
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    NODES,
    CLAIMS,
    VOLUMES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    DEPLOYMENTS,
    CUSTOM_RESOURCE_DEFINITIONS,
    LEASES,
    NEW_EVENTS,
    STORAGE_CLASSES,
    INFERENCE_SERVICES,
    SERVING_RUNTIMES,
    CLUSTER_SERVING_RUNTIMES,
    REVISIONS,
    KNATIVE_SERVICES,
    SELDON_DEPLOYMENTS,
)
"""The kinds that are stored."""
ALL_RESOURCES = (*RESOURCES, *REVIEWS)
UNSUPPORTED_SUBRESOURCES = {resource.plural: resource.unsupported for resource in RESOURCES if resource.unsupported}
"""Subresources of a real cluster that are refused by name, by the plural of their kind."""
EMPTY_GROUP_VERSIONS = (("policy", "v1"),)
"""Groups without kinds that clients look for: with policy/v1, `kubectl drain` evicts pods instead of deleting them."""
BY_KEY = {resource.key: resource for resource in RESOURCES if not resource.stored_as}

_BY_PLURAL = {(resource.group, resource.version, resource.plural): resource for resource in ALL_RESOURCES}


def find(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PLURAL.get((group, version, plural))


def is_unsupported(resource: Resource, part: str) -> bool:
    """Whether ``part`` is a subresource that is refused by name, whether discovery lists it or not."""
    return part in UNSUPPORTED_SUBRESOURCES.get(resource.plural, ())


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version) that is served, the core group first, each group's preferred version first."""
    pairs = dict.fromkeys([*((resource.group, resource.version) for resource in ALL_RESOURCES), *EMPTY_GROUP_VERSIONS])
    return sorted(pairs, key=lambda pair: (pair[0], pair[1] != "v1beta1", pair[1]))


def of_group(group: str, version: str) -> list[Resource]:
    return [resource for resource in ALL_RESOURCES if (resource.group, resource.version) == (group, version)]
