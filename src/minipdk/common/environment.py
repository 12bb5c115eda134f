"""The variables that a cluster's processes and clients get from their starter's environment.

A proxy must not get requests to loopback, and the packages of another Python must not get into a service.
"""

from __future__ import annotations

from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def of_services(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without what changes a Python's imports, as `python -I` ignores it, and with loopback exempted.

    https://docs.python.org/3/using/cmdline.html#environment-variables
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    return kept | (exemptions(environment) if proxies(environment) else {}) | {"PYTHONNOUSERSITE": "1"}


def proxies(environment: Mapping[str, str]) -> list[str]:
    """The variables that send requests through a proxy."""
    return sorted(name for name, value in environment.items() if value and name.lower() in PROXIES)


def exemptions(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with which clients reach loopback without a proxy, and what ``environment`` exempts beside it.

    Clients read either spelling of no_proxy; gRPC ignores it where no_grpc_proxy is set:
    https://github.com/grpc/grpc/blob/master/doc/environment_variables.md
    """
    general = environment.get("no_proxy") or environment.get("NO_PROXY", "")
    variables = dict.fromkeys(("NO_PROXY", "no_proxy"), with_loopback(general))
    if special := environment.get("no_grpc_proxy"):
        variables["no_grpc_proxy"] = with_loopback(special)
    return variables


def with_loopback(exempt: str) -> str:
    """A list of hosts as in no_proxy, with loopback in it."""
    hosts = [host.strip() for host in exempt.split(",") if host.strip()]
    return "*" if "*" in hosts else ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
