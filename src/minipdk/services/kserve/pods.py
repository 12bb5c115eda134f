"""The Pods of a revision, as Knative, a Deployment and KServe's webhook together create them."""

from __future__ import annotations

import secrets

from minipdk.controller.objects import Object
from minipdk.services.kserve.revisions import HASH_LABEL, REVISION_LABEL, child_name, owned_by
from minipdk.services.kserve.storage import provide_model

LONGEST_PREFIX = 58
"""As Kubernetes shortens the part of a name before the characters that it generates."""
METRICS = {"serving.kserve.io/enable-metric-aggregation": "false", "serving.kserve.io/enable-prometheus-scraping": "false"}
"""KServe's notes on Pods: their metrics are not collected."""


def revision_of(pod: Object) -> str:
    """The name of the revision that ``pod`` belongs to."""
    return str(pod["metadata"]["labels"].get(REVISION_LABEL, ""))


def is_ending(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def pod_for(revision: Object, environment: list[Object]) -> Object:
    """A Pod of ``revision``, whose storage initializer has ``environment``."""
    metadata, template = revision["metadata"], revision["spec"]
    name, template_hash = metadata["name"], metadata["labels"][HASH_LABEL]
    spec = {key: value for key, value in template.items() if key != "timeoutSeconds"}
    spec |= {
        "containers": [
            _with_identity(container, metadata, port=not template.get("hostNetwork")) for container in template["containers"]
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": template["timeoutSeconds"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{child_name(name, '-deployment')}-{template_hash}-"[:LONGEST_PREFIX] + secrets.token_hex(3)[:5],
            "namespace": metadata["namespace"],
            "labels": {**metadata["labels"], "app": name, REVISION_LABEL: name},
            "annotations": {**METRICS, **metadata["annotations"]},
            "ownerReferences": owned_by(revision),
        },
        "spec": provide_model(spec, metadata["annotations"], environment),
    }


def _with_identity(container: Object, revision: Object, *, port: bool) -> Object:
    """The container with the variables of Knative's runtime contract: its revision, and with ``port`` its port.

    A container that shares the machine's loopback gets its port from the node instead.
    """
    labels = revision["labels"]
    contract = {
        "K_REVISION": revision["name"],
        "K_CONFIGURATION": labels["serving.knative.dev/configuration"],
        "K_SERVICE": labels["serving.knative.dev/service"],
        **({"PORT": str(container["ports"][0]["containerPort"])} if port and container.get("ports") else {}),
    }
    env = container.get("env") or []
    own = {variable["name"] for variable in env}
    added = [{"name": name, "value": value} for name, value in contract.items() if name not in own]
    return {"terminationMessagePolicy": "FallbackToLogsOnError", **container, "env": [*env, *added]}
