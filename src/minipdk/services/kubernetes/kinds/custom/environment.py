"""The environment variables of containers that KServe's webhooks look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minipdk.services.kubernetes.model import Object

BLOCKED = ("PYTHONPATH",)
"""Variables that would make a model server import other code than its own; refused since KServe 0.18."""


def variables(container: Object) -> dict[str, str]:
    """The container's variables by name; "" for a value that comes from elsewhere."""
    return {variable.get("name", ""): variable.get("value", "") for variable in container.get("env") or ()}


def blocked_variables(containers: Iterable[Object]) -> Iterator[str]:
    """A sentence for each variable that no container may set."""
    for container in containers:
        for name in BLOCKED:
            if name in variables(container):
                where = f'in container "{container.get("name", "")}"'
                yield f"setting {name} {where} is not allowed for security reasons"
