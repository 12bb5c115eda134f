"""A Pod's ports: the ports of its containers, and the ports of this machine at which they are reached."""

from __future__ import annotations

from minipdk.common.home import Home
from minipdk.common.ports import reserved
from minipdk.controller.objects import Object
from minipdk.services.node.probes import probed_ports

PORT, GRPC_PORT = 8080, 8081
"""The ports of KServe's model servers, whether or not their containers declare them."""
GRPC_NAMES = ("grpc", "h2c")


def server(pod: Object) -> Object:
    """The container that takes the Pod's requests: the first with ports, else the first."""
    containers: list[Object] = pod["spec"]["containers"]
    return next((container for container in containers if tcp_ports(container)), containers[0])


def tcp_ports(container: Object) -> list[Object]:
    return [port for port in container.get("ports") or () if port.get("protocol", "TCP") == "TCP"]


def request_ports(container: Object) -> tuple[int | None, int | None]:
    """The container's ports for HTTP and for gRPC, which its name shows. A single port of either name serves both."""
    ports = tcp_ports(container)
    grpc = next((port["containerPort"] for port in ports if port.get("name", "").startswith(GRPC_NAMES)), None)
    http = next((port["containerPort"] for port in ports if not port.get("name", "").startswith(GRPC_NAMES)), grpc)
    return http, grpc


def listening(pod: Object) -> set[int]:
    """The ports that the Pod's private network forwards."""
    containers = pod["spec"]["containers"]
    ports = {port["containerPort"] for container in containers for port in tcp_ports(container)}
    return ports.union(*map(probed_ports, containers))


def services(home: Home, pod: Object) -> set[int]:
    """The ports of the cluster's services that a Pod reaches from its private network, at the same numbers.

    Ports on which the Pod itself may listen are left out.
    """
    return set(home.identity.ports.values()) - listening(pod) - {PORT, GRPC_PORT}


def moved(container: Object) -> dict[int, int]:
    """Reserved ports of this machine for the HTTP and the gRPC port of a container that shares its network."""
    http, grpc = request_ports(container)
    ports = [PORT if http is None else http, GRPC_PORT if grpc is None else grpc]
    return dict(zip(ports, reserved(len(ports)), strict=True))
