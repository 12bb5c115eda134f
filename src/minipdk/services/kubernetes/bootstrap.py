"""What every cluster and every namespace has from the start, as on a real cluster."""

from __future__ import annotations

from minipdk.common.home import MODELS_NAMESPACE
from minipdk.services.kubernetes.definitions import definitions
from minipdk.services.kubernetes.errors import AlreadyExistsError
from minipdk.services.kubernetes.kinds.builtin.claims import CLASS, STORAGE_CLASS
from minipdk.services.kubernetes.kinds.table import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
)
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions

NAMES = ("default", "kube-system", "kube-public", "kube-node-lease", "kserve", MODELS_NAMESPACE)
SYSTEM = WriteOptions(manager="minipdk")


def furnish_cluster(registry: Registry, ca_certificate: str) -> None:
    """Make what a new cluster lacks: the storage class, the custom kinds' definitions and the namespaces.

    ``ca_certificate`` is PEM.
    """
    if registry.store.get(STORAGE_CLASSES, "", CLASS) is None:
        registry.create(STORAGE_CLASSES, "", STORAGE_CLASS, SYSTEM)
    for definition in definitions():
        if registry.store.get(CUSTOM_RESOURCE_DEFINITIONS, "", definition["metadata"]["name"]) is None:
            registry.create(CUSTOM_RESOURCE_DEFINITIONS, "", definition, SYSTEM)
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
