"""The resources that containers and Pods request, and their limits."""

from __future__ import annotations

import math
from decimal import Decimal

from minipdk.common.quantities import quantity
from minipdk.controller.objects import Object


def amount(container: Object, kind: str, resource: str) -> Decimal:
    """The ``limits`` or ``requests`` (``kind``) of ``container`` for ``resource``. A limit is the default request."""
    resources = container.get("resources") or {}
    amounts = resources.get(kind) or {}
    if kind == "requests" and resource not in amounts:
        amounts = resources.get("limits") or {}
    return quantity(amounts.get(resource, 0))


def pod_request(pod: Object, resource: str) -> Decimal:
    """A Pod's request: the sum over its containers, or its largest init container, if that is more."""
    spec = pod["spec"]
    total = sum((amount(container, "requests", resource) for container in spec["containers"]), Decimal())
    return max([total, *(amount(container, "requests", resource) for container in spec.get("initContainers") or ())])


def whole(number: Decimal) -> int:
    """``number`` rounded up, as Kubernetes gives an amount to a program."""
    return math.ceil(number)
