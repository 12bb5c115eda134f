"""The CustomResourceDefinitions of the custom kinds, which clients look up. They follow from the table in `kinds`.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/.
"""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.table import CUSTOM_RESOURCE_DEFINITIONS, RESOURCES
from minipdk.services.kubernetes.model import Object, Resource
from minipdk.services.kubernetes.times import now

SCHEMA: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The kinds' fields are in the OpenAPI documents."""


def definitions() -> list[Object]:
    return [_definition(one) for one in RESOURCES if one.custom]


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
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {"group": resource.group, "names": names, "scope": scope, "versions": [version]},
        "status": {
            "acceptedNames": names,
            "conditions": [_condition("NamesAccepted", "NoConflicts"), _condition("Established", "InitialNamesAccepted")],
            "storedVersions": [resource.version],
        },
    }


def _condition(kind: str, reason: str) -> Object:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now()}
