"""What containers and Pods ask for and may have at most."""

from __future__ import annotations

import math
from decimal import Decimal

from minipdk.common.quantities import quantity
from minipdk.controller.api import Object


def amount(container: Object, kind: str, resource: str) -> Decimal:
    """What ``container`` has of ``resource``; ``kind`` is limits or requests. Where it has no request, its limit is it."""
    resources = container.get("resources") or {}
    named = resources.get(kind) or {}
    if kind == "requests" and resource not in named:
        named = resources.get("limits") or {}
    return quantity(named.get(resource, 0))


def pod_request(pod: Object, resource: str) -> Decimal:
    """What a Pod asks for: all its containers together, or its largest init container, if that is more."""
    spec = pod["spec"]
    together = sum((amount(one, "requests", resource) for one in spec["containers"]), Decimal())
    return max([together, *(amount(one, "requests", resource) for one in spec.get("initContainers") or ())])


def whole(number: Decimal) -> int:
    """``number`` rounded up, as Kubernetes gives an amount to a program."""
    return math.ceil(number)
