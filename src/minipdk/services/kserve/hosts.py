"""The host names of InferenceServices.

KServe gives a service the external name ``<name>.<namespace>.example.com``, its predictor component
``<name>-predictor.<namespace>.example.com``, and both the in-cluster forms that end in ``svc.cluster.local``. minipdk also
serves it on loopback below the path ``/serving/<namespace>/<name>/``. A cluster-local service has only the in-cluster names.
"""

from __future__ import annotations

from minipdk.controller.objects import Object
from minipdk.controller.routes import Address

DOMAIN = "example.com"
CLUSTER_DOMAIN = "svc.cluster.local"
PREDICTOR_SUFFIX = "-predictor"
VISIBILITY, CLUSTER_LOCAL = "networking.knative.dev/visibility", "cluster-local"
"""Knative's label of a service that only the cluster's own programs reach, on the InferenceService or its predictor."""


def host(namespace: str, name: str, domain: str = DOMAIN) -> str:
    """The host name of a service, or of one of its components."""
    return f"{name}.{namespace}.{domain}"


def domain_of(isvc: Object) -> str:
    """The domain of the service's URL: that of the cluster, if its visibility is cluster-local."""
    predictor = isvc["spec"].get("predictor") or {}
    labels = {**(isvc["metadata"].get("labels") or {}), **(predictor.get("labels") or {})}
    return CLUSTER_DOMAIN if labels.get(VISIBILITY) == CLUSTER_LOCAL else DOMAIN


def address(namespace: str, name: str, domain: str = DOMAIN) -> Address:
    """The address of a service whose URL has ``domain``. Its predictor's names yield to a service that is called so."""
    domains = dict.fromkeys((domain, CLUSTER_DOMAIN))
    return Address(
        hosts=tuple(host(namespace, name, domain) for domain in domains),
        aliases=tuple(host(namespace, name + PREDICTOR_SUFFIX, domain) for domain in domains),
        path=f"/serving/{namespace}/{name}/" if domain == DOMAIN else "",
    )
