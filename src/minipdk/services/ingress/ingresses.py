"""The ingress as the controller of Ingresses: each address of an Ingress becomes a route to the Pods of its Service.

https://kubernetes.io/docs/concepts/services-networking/ingress-controllers/
"""

from __future__ import annotations

import asyncio

from minipdk.common.ports import HOST
from minipdk.controller.api import Api
from minipdk.controller.errors import ConflictError, NotFoundError
from minipdk.controller.informer import Informer
from minipdk.controller.objects import INGRESSES, SERVICES, Key, Object, key_of
from minipdk.controller.queue import WorkQueue
from minipdk.controller.routes import Address, Backend, Route, Routes, Traffic
from minipdk.controller.workspace import Workspace

CLASS = "minipdk"
CONTROLLER = "ingress"
STRIP_PREFIX, AUTHENTICATION = "ingress.minipdk/strip-prefix", "ingress.minipdk/authentication"


class IngressController:
    """Keeps the routes of the ``workspace`` for its Ingresses."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._api: Api = workspace.api
        self._routes: Routes = workspace.routes
        self._routes.expect(CONTROLLER)
        self._queue = WorkQueue()
        self._ingresses = Informer(workspace.api, INGRESSES, lambda ingress: self._queue.add(key_of(ingress)))
        self._services = Informer(workspace.api, SERVICES, self._neighbour_changed)
        self._served: dict[Key, set[str]] = {}

    async def run(self) -> None:
        """Follow Ingresses, their Services and their Pods until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ingresses.run())
            tasks.create_task(self._services.run())
            self._pods = await self._workspace.started_pods()
            self._pods.subscribe(self._neighbour_changed)
            informers = (self._ingresses, self._services, self._pods.informer)
            await asyncio.gather(*(informer.synced.wait() for informer in informers))
            for ingress in self._ingresses.all():
                await self._queue.attempt(key_of(ingress), self._reconcile)
            self._routes.has_read(CONTROLLER)
            while True:
                await self._queue.attempt(await self._queue.take(), self._reconcile)

    def _neighbour_changed(self, changed: Object) -> None:
        """A Service or a Pod changes the routes of the Ingresses of its namespace."""
        namespace = changed["metadata"]["namespace"]
        for ingress in self._ingresses.all():
            if ingress["metadata"]["namespace"] == namespace:
                self._queue.add(key_of(ingress))

    async def _reconcile(self, key: Key) -> bool:
        """Bring the routes in line with an Ingress; True, because nothing is left to try again."""
        ingress = self._ingresses.get(key)
        routes = self._wanted(ingress) if ingress and ingress["spec"].get("ingressClassName") == CLASS else {}
        namespace, name = key
        for suffix in self._served.pop(key, set()) - routes.keys():
            self._routes.remove(namespace, f"{name}{suffix}")
        for suffix, route in routes.items():
            self._routes.set(namespace, f"{name}{suffix}", route)
        if routes:
            self._served[key] = set(routes)
        if ingress and routes:
            await self._publish(ingress)
        return True

    def _wanted(self, ingress: Object) -> dict[str, Route]:
        """The routes of an Ingress. Each service and its port has one for its hosts, and one for each path."""
        metadata = ingress["metadata"]
        authenticated = (metadata.get("annotations") or {}).get(AUTHENTICATION) == "token"
        routes: dict[str, Route] = {}
        rules = ingress["spec"].get("rules") or ()
        own_name = next((rule["host"] for rule in rules if rule.get("host")), f"{metadata['name']}.{metadata['namespace']}")
        for index, rule in enumerate(rules):
            for number, path in enumerate(rule["http"]["paths"]):
                backends, reason = self._backends(metadata["namespace"], path["backend"]["service"])
                host = rule.get("host") or ""
                prefix = "" if host else path["path"].rstrip("/") + "/"
                address = Address(hosts=(host or own_name,), path=prefix, authenticated=authenticated)
                traffic = (Traffic(100, tuple(backends)),) if backends else ()
                routes[f"#{index}-{number}"] = Route(traffic, reason, address)
        return routes

    def _backends(self, namespace: str, reference: Object) -> tuple[list[Backend], str]:
        """The ready Pods of a Service; without any, the reason."""
        service = self._services.get((namespace, reference["name"]))
        if service is None:
            return [], f'service "{reference["name"]}" not found'
        port = _service_port(service, reference.get("port") or {})
        if port is None:
            return [], f'service "{reference["name"]}" does not have the port of the ingress'
        target: int | str = port.get("targetPort") or port["port"]
        backends, waiting = [], 0
        for pod in self._pods.informer.all():
            if pod["metadata"]["namespace"] != namespace or not _selects(service, pod):
                continue
            worker = self._pods.running(pod)
            if worker and worker.backend and _serves(pod, target):
                backends.append(worker.backend)
            else:
                waiting += 1
        return backends, f"service {reference['name']} has no ready pod ({waiting} are not ready, or do not serve {target})"

    async def _publish(self, ingress: Object) -> None:
        """Show the address at which the Ingress is served."""
        port = self._workspace.home.port("ingress")
        points = [{"ip": HOST, "ports": [{"port": port, "protocol": "TCP"}]}]
        if ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") == points:
            return
        metadata = ingress["metadata"]
        body = {"status": {"loadBalancer": {"ingress": points}}}
        try:
            written = await self._api.patch(INGRESSES, metadata["namespace"], metadata["name"], body, "status")
        except (NotFoundError, ConflictError):
            return
        self._ingresses.remember(written)


def _service_port(service: Object, reference: Object) -> Object | None:
    """The port of a Service that an Ingress names, by number or by name."""
    for port in service["spec"].get("ports") or ():
        if port.get("name", "") == reference.get("name", "") or port["port"] == reference.get("number"):
            matching: Object = port
            return matching
    return None


def _selects(service: Object, pod: Object) -> bool:
    selector, labels = service["spec"].get("selector") or {}, pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _serves(pod: Object, target: int | str) -> bool:
    """Whether ``target``, a number or a name, is the port at which the node reaches the Pod: the first of its containers."""
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or ()]
    return bool(ports) and target in (ports[0]["containerPort"], ports[0].get("name"))
