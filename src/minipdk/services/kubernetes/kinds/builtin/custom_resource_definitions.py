"""CustomResourceDefinitions, which clients look up. They follow from the custom kinds in the table: see `bootstrap`."""

from __future__ import annotations

from minipdk.services.kubernetes.model import READ_ONLY, Resource

CUSTOM_RESOURCE_DEFINITIONS = Resource(
    *("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", ("crd", "crds")),
    namespaced=False,
    categories=("api-extensions",),
    verbs=READ_ONLY,
    description="A kind that was added to Kubernetes' own, such as KServe's.",
)
