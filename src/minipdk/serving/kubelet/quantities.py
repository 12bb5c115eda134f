"""Amounts of resources as Kubernetes writes them: 500m CPUs, 2Gi of memory.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from minipdk.serving.api import Object

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)")
_SUFFIXES = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity(text: object) -> Decimal:
    """The number that ``text`` stands for, such as 0.5 for "500m". Raises ValueError."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m or 2Gi")
    number, exponent, suffix = match.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _SUFFIXES[suffix or ""])


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
