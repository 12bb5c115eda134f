"""The objects that every cluster and every namespace has from the start, as on a real cluster.

Among them are the CustomResourceDefinitions of the custom kinds, which follow from the table of kinds
(https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/).
"""

from __future__ import annotations

from minipdk.common.home import MODELS_NAMESPACE
from minipdk.services.kubernetes.errors import AlreadyExistsError
from minipdk.services.kubernetes.kinds.builtin.claims import CLASS, STORAGE_CLASS, STORAGE_CLASSES
from minipdk.services.kubernetes.kinds.builtin.configuration import CONFIG_MAPS
from minipdk.services.kubernetes.kinds.builtin.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.builtin.service_accounts import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.kinds.table import RESOURCES
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.times import now

NAMES = ("default", "kube-system", "kube-public", "kube-node-lease", "kserve", MODELS_NAMESPACE)
SYSTEM = WriteOptions(manager="minipdk")
SCHEMA: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The fields of the custom kinds are in the OpenAPI documents."""


def furnish_cluster(registry: Registry, ca_certificate: str) -> None:
    """Make the storage class, the custom kinds' definitions and the namespaces that a cluster lacks.

    ``ca_certificate`` is PEM.
    """
    if registry.store.get(STORAGE_CLASSES, "", CLASS) is None:
        registry.create(STORAGE_CLASSES, "", STORAGE_CLASS, SYSTEM)
    for resource in RESOURCES:
        if resource.custom and registry.store.get(CUSTOM_RESOURCE_DEFINITIONS, "", _definition_name(resource)) is None:
            registry.create(CUSTOM_RESOURCE_DEFINITIONS, "", _definition(resource), SYSTEM)
    for name in NAMES:
        if registry.store.get(NAMESPACES, "", name) is None:
            with registry.writing():
                registry.create(NAMESPACES, "", {"metadata": {"name": name}}, SYSTEM)
                furnish_namespace(registry, name, ca_certificate)


def furnish_namespace(registry: Registry, name: str, ca_certificate: str) -> None:
    """Give a namespace its default service account and the CA that pods trust."""
    account = {"metadata": {"name": "default"}}
    authority = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ca_certificate}}
    for resource, body in ((SERVICE_ACCOUNTS, account), (CONFIG_MAPS, authority)):
        try:
            registry.create(resource, name, body, SYSTEM)
        except AlreadyExistsError:
            continue


def _definition_name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"


def _definition(resource: Resource) -> Object:
    names = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
        **({"categories": list(resource.categories)} if resource.categories else {}),
    }
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        **({"subresources": {"status": {}}} if resource.has_status else {}),
    }
    scope = "Namespaced" if resource.namespaced else "Cluster"
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
        "metadata": {"name": _definition_name(resource)},
        "spec": {"group": resource.group, "names": names, "scope": scope, "versions": [version]},
        "status": {
            "acceptedNames": names,
            "conditions": [_condition("NamesAccepted", "NoConflicts"), _condition("Established", "InitialNamesAccepted")],
            "storedVersions": [resource.version],
        },
    }


def _condition(kind: str, reason: str) -> Object:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now()}
