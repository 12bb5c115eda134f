"""Revisions: each is one version of a predictor, stored as Knative's Revision with the template of its Pods."""

from __future__ import annotations

import hashlib

from minipdk.controller.objects import Object, Resource
from minipdk.services.kserve.hosts import PREDICTOR_SUFFIX
from minipdk.services.kserve.predictor import MIN_SCALE, Template

REVISIONS = Resource("/apis/serving.knative.dev/v1", "revisions")
REVISION_LABEL = "serving.knative.dev/revision"
HASH_LABEL = "pod-template-hash"


LONGEST_NAME = 63
HASH_LENGTH = 32


def child_name(parent: str, suffix: str) -> str:
    """The name of an object that Knative makes for ``parent``: a hash replaces the end of a name that would be too long.

    Rules: https://github.com/knative/pkg/blob/main/kmeta/names.go
    """
    if len(parent) + len(suffix) <= LONGEST_NAME:
        return parent + suffix
    digest = hashlib.md5(parent.encode(), usedforsecurity=False).hexdigest()
    return f"{parent[: LONGEST_NAME - HASH_LENGTH - len(suffix)]}{digest}{suffix}"


def predictor_name(isvc: Object) -> str:
    return f"{isvc['metadata']['name']}{PREDICTOR_SUFFIX}"


def revision_number(revision: str) -> int:
    """The number at the end of a revision's name; 0 for the empty name."""
    return int(revision.rpartition("-")[2] or 0)


def replicas(revision: Object) -> int:
    """The number of Pods while it is in use. At least one, because no autoscaler would start one on the first request."""
    return max(1, int(revision["metadata"]["annotations"][MIN_SCALE]))


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


def revision_for(isvc: Object, template: Template, number: int) -> Object:
    """The Revision object that ``template`` makes, the ``number``-th of its service."""
    name = predictor_name(isvc)
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": child_name(name, f"-{number:05}"),
            "namespace": isvc["metadata"]["namespace"],
            "labels": {
                **template.labels,
                "serving.knative.dev/service": name,
                "serving.knative.dev/configuration": name,
                "serving.knative.dev/configurationGeneration": str(number),
                HASH_LABEL: template.hash(),
            },
            "annotations": template.annotations,
            "ownerReferences": owned_by(isvc),
        },
        "spec": template.spec,
    }
