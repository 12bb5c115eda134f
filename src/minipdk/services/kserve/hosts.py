"""The host names of InferenceServices.

KServe gives a service the external name ``<name>.<namespace>.example.com``, its predictor component
``<name>-predictor.<namespace>.example.com``, and both the in-cluster forms that end in ``svc.cluster.local``. minipdk also
serves it on loopback below the path ``/serving/<namespace>/<name>/``.
"""

from __future__ import annotations

from minipdk.controller.routes import Address

DOMAIN = "example.com"
CLUSTER_DOMAIN = "svc.cluster.local"
PREDICTOR_SUFFIX = "-predictor"


def host(namespace: str, name: str, domain: str = DOMAIN) -> str:
    """The host name of a service, or of one of its components."""
    return f"{name}.{namespace}.{domain}"


def address(namespace: str, name: str) -> Address:
    """The address of a service. Its predictor's names yield to a service that is called so."""
    domains = (DOMAIN, CLUSTER_DOMAIN)
    return Address(
        hosts=tuple(host(namespace, name, domain) for domain in domains),
        aliases=tuple(host(namespace, name + PREDICTOR_SUFFIX, domain) for domain in domains),
        path=f"/serving/{namespace}/{name}/",
    )
