"""The route table: every call of Determined's master, served or refused by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from minipdk.services.determined.api.http import Call, Endpoint, Handler
from minipdk.services.determined.api.rpcs import RPCS
from minipdk.services.determined.errors import UnsupportedError
from minipdk.services.determined.model import Json


def route_table(served: Iterable[Endpoint]) -> list[Endpoint]:
    """The ``served`` endpoints and a refusal for every other call, in the order in which they are tried.

    A name in a path comes before a parameter, so that ``/users/setting`` is not the user ``setting``.
    """
    endpoints = list(served)
    shapes = {(method, _shape(path)) for method, path, _ in endpoints}
    refused = [(method, path, _refusal(rpc)) for method, path, rpc in RPCS if (method, _shape(path)) not in shapes]
    return sorted([*endpoints, *refused], key=lambda endpoint: _parameters(endpoint[1]))


def _shape(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", path)


def _parameters(path: str) -> list[bool]:
    """For each part of the path, whether it is a parameter."""
    return [part.startswith("{") for part in path.split("/")]


def _refusal(rpc: str) -> Handler:
    def refuse(call: Call) -> Json:
        raise UnsupportedError(f"{rpc} ({call.request.method} {call.request.url.path})")

    return refuse
