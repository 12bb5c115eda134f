"""The services that make a cluster, in the order in which they start, and the processes that run them.

A new service is a folder of the shape that `minipdk.services` describes, and one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from minipdk.common import readiness
from minipdk.common.home import Home
from minipdk.common.readiness import State
from minipdk.common.service import CONTROLLERS, Service
from minipdk.services.determined.service import SERVICE as DETERMINED
from minipdk.services.ingress.service import SERVICE as INGRESS
from minipdk.services.kserve.service import SERVICE as KSERVE
from minipdk.services.kubernetes.service import SERVICE as KUBERNETES
from minipdk.services.node.service import SERVICE as NODE
from minipdk.services.pachyderm.service import SERVICE as PACHYDERM

SERVICES = (KUBERNETES, PACHYDERM, DETERMINED, INGRESS, NODE, KSERVE)

VENDOR_PORTS = {port.name: port.number for service in SERVICES for port in service.ports}
"""The vendors' number of each port, by the name that the service declares."""

IMAGES = {name: source for service in SERVICES for name, source in service.images.items()}
"""The images that come with minipdk, by name."""


@dataclass(frozen=True)
class Process:
    """A process of the cluster and the services that it runs."""

    name: str
    services: tuple[Service, ...]

    @property
    def title(self) -> str:
        return " and ".join(service.title for service in self.services if service.title)

    @property
    def ports(self) -> tuple[str, ...]:
        return tuple(port.name for service in self.services for port in service.ports)

    @property
    def module(self) -> str:
        """The module to run it with: a service's own server, or the host of controllers."""
        return "minipdk.cluster.controllers" if self.name == CONTROLLERS else f"minipdk.services.{self.name}.server"

    def state(self, home: Home, pid: int) -> State:
        """How it is; the supervisor runs it as process ``pid``, or 0 while it does not run."""
        ports = [(port.scheme, home.port(port.name)) for service in self.services for port in service.ports]
        return readiness.state(home, self.name, pid, ports)


PROCESSES = tuple(
    Process(name, tuple(services))
    for name, services in groupby(SERVICES, key=lambda service: service.process or service.name)
)
