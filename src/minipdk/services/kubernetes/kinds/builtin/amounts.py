"""What a container asks for and may have at most: resources.requests and resources.limits.

Rules: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/.
"""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.common.quantities import quantity
from minipdk.services.kubernetes.errors import Cause, invalid_value, required
from minipdk.services.kubernetes.kinds.validation import qualified_name
from minipdk.services.kubernetes.model import Object

SHARED = ("cpu", "memory", "ephemeral-storage")
"""What more may be asked for than there is: a limit may be above its request."""
HUGE_PAGES = "hugepages-"
NATIVE = "kubernetes.io/"


def default_amounts(resources: Object) -> None:
    """A number of CPUs may be written as one."""
    for amounts in resources.values():
        if isinstance(amounts, dict):
            amounts.update({name: str(amount) for name, amount in amounts.items()})


def default_requests(resources: Object) -> None:
    """What is limited and not asked for is asked for up to its limit."""
    if limits := resources.get("limits"):
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def validate_amounts(resources: Object, where: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            yield from _amount(f"{where}.{kind}[{name}]", name, amount)
    for name, amount in requests.items():
        if name in limits:
            yield from _request(f"{where}.requests", name, amount, limits[name])
        elif name not in SHARED:
            yield required(f"{where}.limits", "Limit must be set for non overcommitable resources")


def _amount(field: str, name: str, amount: str) -> Iterator[Cause]:
    yield from qualified_name(field, name)
    extended = "/" in name and NATIVE not in name
    if "/" not in name and name not in SHARED and not name.startswith(HUGE_PAGES):
        yield invalid_value(field, name, "must be a standard resource type or fully qualified")
        yield invalid_value(field, name, "must be a standard resource for containers")
    number = quantity(amount)
    if number < 0:
        yield invalid_value(field, amount, "must be greater than or equal to 0")
    elif extended and number != number.to_integral_value():
        yield invalid_value(field, amount, "must be an integer")


def _request(field: str, name: str, amount: str, limit: str) -> Iterator[Cause]:
    if name not in SHARED and quantity(amount) != quantity(limit):
        yield invalid_value(field, amount, f"must be equal to {name} limit of {limit}")
    elif quantity(amount) > quantity(limit):
        yield invalid_value(field, amount, f"must be less than or equal to {name} limit of {limit}")
