"""A Pod's ports: those that its containers have, and where on this machine they are reached."""

from __future__ import annotations

from minipdk.common.home import Home
from minipdk.common.ports import any_free
from minipdk.controller.api import Object
from minipdk.services.node.probes import probed_ports

PORT, GRPC_PORT = 8080, 8081
"""Where KServe's model servers listen, whether their containers name these ports or not."""
GRPC_NAMES = ("grpc", "h2c")


def server(pod: Object) -> Object:
    """The container that takes the Pod's requests: the first with ports, else the first."""
    containers: list[Object] = pod["spec"]["containers"]
    return next((one for one in containers if tcp_ports(one)), containers[0])


def tcp_ports(container: Object) -> list[Object]:
    return [one for one in container.get("ports") or () if one.get("protocol", "TCP") == "TCP"]


def request_ports(container: Object) -> tuple[int | None, int | None]:
    """The container's ports for HTTP and for gRPC, which is the one named so; one port of either name may be for both."""
    ports = tcp_ports(container)
    grpc = next((one["containerPort"] for one in ports if one.get("name", "").startswith(GRPC_NAMES)), None)
    http = next((one["containerPort"] for one in ports if not one.get("name", "").startswith(GRPC_NAMES)), grpc)
    return http, grpc


def listening(pod: Object) -> set[int]:
    """The ports that a network of the Pod's own passes on."""
    containers = pod["spec"]["containers"]
    ports = {one["containerPort"] for container in containers for one in tcp_ports(container)}
    return ports.union(*map(probed_ports, containers))


def services(home: Home, pod: Object) -> set[int]:
    """The cluster's services that a Pod with a network of its own reaches, at the ports that they have outside.

    A port that the Pod itself may want to listen on is left to it.
    """
    return set(home.identity.ports.values()) - listening(pod) - {PORT, GRPC_PORT}


def moved(container: Object) -> dict[int, int]:
    """Free ports of this machine for the HTTP and the gRPC port of a container that shares its network."""
    http, grpc = request_ports(container)
    ports = [PORT if http is None else http, GRPC_PORT if grpc is None else grpc]
    return dict(zip(ports, any_free(len(ports)), strict=True))
