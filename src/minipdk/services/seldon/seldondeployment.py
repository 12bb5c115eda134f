"""The SeldonDeployment controller: it creates, changes and removes Deployments, Services and Pods until they match.

While a changed predictor's new Pods start, the old ones serve, and no request fails. What is refused leaves the objects of
the last accepted spec serving.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.informer import Informer
from minipdk.controller.objects import DEPLOYMENTS, SERVICES, Key, Object, Resource, is_ending, is_owned, key_of
from minipdk.controller.queue import WorkQueue
from minipdk.controller.routes import Address, Backend, Route, Traffic
from minipdk.controller.workspace import Workspace
from minipdk.services.seldon.components import APP, ID, LAST_APPLIED, Component, components, seldon_id, service_host
from minipdk.services.seldon.deployment_controller import REFUSALS, DeploymentController, template_hash
from minipdk.services.seldon.deployment_status import deployment_status, seconds_left
from minipdk.services.seldon.errors import RejectedError, SeldonError
from minipdk.services.seldon.status import (
    AVAILABLE,
    CREATING,
    FAILED,
    NO_PROGRESS,
    failure_of,
    has_timed_out,
    is_ready,
    seldon_status,
)

SELDON_DEPLOYMENTS = Resource("/apis/machinelearning.seldon.io/v1", "seldondeployments")
KIND = "SeldonDeployment"
CONTROLLER = "seldon"
ANSWER_SECONDS = 300.0
"""How long the gateway waits for each part of a model's answer."""


class SeldonDeploymentController:
    """Reconciles one SeldonDeployment at a time, whenever it, a Deployment, a Service or a Pod of it has changed."""

    def __init__(self, workspace: Workspace) -> None:
        api = self._api = workspace.api
        self._pods, self._routes = workspace.pods, workspace.routes
        self._routes.expect(CONTROLLER)
        self._recorder = Recorder(api, "seldon-controller-manager", workspace.tasks)
        self._queue = WorkQueue()
        self._weights: dict[Key, dict[str, int]] = {}
        self._refused: dict[Key, str] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._sdeps = Informer(api, SELDON_DEPLOYMENTS, lambda sdep: self._queue.add(key_of(sdep)))
        self._deployments = Informer(api, DEPLOYMENTS, self._owned_changed)
        self._services = Informer(api, SERVICES, self._owned_changed)
        self._roll_out = DeploymentController(workspace, self._recorder)
        self._pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        """Follow the objects and reconcile until cancelled."""
        following = (self._sdeps.run(), self._deployments.run(), self._services.run())
        await asyncio.gather(*following, self._reconcile_all())

    def _owned_changed(self, thing: Object) -> None:
        for owner in thing["metadata"].get("ownerReferences") or ():
            if owner["kind"] == KIND:
                self._queue.add((thing["metadata"]["namespace"], owner["name"]))

    def _pod_changed(self, pod: Object) -> None:
        metadata = pod["metadata"]
        if identity := (metadata.get("labels") or {}).get(ID):
            for sdep in self._sdeps.all():
                if sdep["metadata"]["namespace"] == metadata["namespace"] and seldon_id(sdep) == identity:
                    self._queue.add(key_of(sdep))

    async def _reconcile_all(self) -> None:
        """Reconcile SeldonDeployments as they change. Nothing is decided before all kinds have been listed."""
        informers = (self._sdeps, self._deployments, self._services, self._pods.informer)
        await asyncio.gather(*(informer.synced.wait() for informer in informers))
        for sdep in self._sdeps.all():
            await self._queue.attempt(key_of(sdep), self._reconcile)
        self._routes.has_read(CONTROLLER)
        while True:
            await self._queue.attempt(await self._queue.take(), self._reconcile)

    async def _reconcile(self, key: Key) -> bool:
        """Bring everything of a SeldonDeployment in line with it; False if the cause of a refusal may pass unnoticed."""
        sdep = self._sdeps.get(key)
        if sdep is None or is_ending(sdep):
            self._routes.remove(*_route_key(key))  # the API server removes its objects
            self._weights.pop(key, None)
            self._refused.pop(key, None)
            self._look_again(key, ())
            self._roll_out.forget_others({it["metadata"]["uid"] for it in self._deployments.all()})
            return True
        desired: list[Component] = []
        refusal: SeldonError | None = None
        try:
            desired = components(sdep)
            await self._ensure(sdep, desired)
            self._weights[key] = {component.app: component.weight for component in desired}
        except SeldonError as error:
            refusal = error
        current: dict[Key, Object] = {}
        for deployment in self._owned(self._deployments, sdep):
            status = deployment_status(deployment, self._roll_out.counts(deployment), template_hash(deployment))
            current[key_of(deployment)] = {**deployment, "status": status}
            refusal = refusal or self._roll_out.refusal_of(deployment)
        keys = [key_of(component.deployment) for component in desired] or list(current)
        deployments = [current[deployment] for deployment in keys if deployment in current]
        state, description = self._state(deployments, refusal)
        routed = self._route(sdep, description)
        # A client that reads that it is available may call it immediately, and no Pod ends before another has its requests.
        await self._routes.in_force()
        self._report(sdep, refusal)
        for deployment in current.values():
            await self._write_deployment_status(deployment)
        await self._write_status(sdep, seldon_status(sdep, desired, deployments, state=state, description=description))
        for deployment in current.values():
            await self._roll_out.reconcile(deployment, routed)
        if state == AVAILABLE:
            await self._remove_others(sdep, desired)
        self._look_again(key, current.values())
        refusals = [refusal, *map(self._roll_out.refusal_of, current.values())]
        return not any(error.may_pass for error in refusals if error)

    def _look_again(self, key: Key, deployments: Iterable[Object]) -> None:
        """Reconcile once more when the first of the roll-outs times out."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if left := [seconds for it in deployments if (seconds := seconds_left(it)) is not None]:
            self._timers[key] = asyncio.get_running_loop().call_later(min(left), self._queue.add, key)

    def _owned(self, informer: Informer, sdep: Object) -> list[Object]:
        """The objects of ``informer`` that ``sdep`` owns, the oldest first."""
        owned = [thing for thing in informer.all() if is_owned(thing, sdep) and not is_ending(thing)]
        return sorted(owned, key=lambda thing: (thing["metadata"]["creationTimestamp"], thing["metadata"]["name"]))

    async def _ensure(self, sdep: Object, desired: list[Component]) -> None:
        """Create or change the Services and Deployments. Raises RejectedError if the API server refuses one."""
        for component in desired:
            for service in component.services:
                await self._ensure_one(sdep, SERVICES, self._services, service)
            await self._ensure_one(sdep, DEPLOYMENTS, self._deployments, component.deployment)

    async def _ensure_one(self, sdep: Object, resource: Resource, informer: Informer, desired: Object) -> None:
        known, name = informer.get(key_of(desired)), desired["metadata"]["name"]
        if known and not is_owned(known, sdep):
            raise RejectedError(
                f'{resource.plural} "{name}" already exists and belongs to something else: rename or delete it'
            )
        if known and _has(known, desired):
            return
        # The watch may lag: a SeldonDeployment that was deleted or changed meanwhile must not get objects.
        current = await self._api.get(SELDON_DEPLOYMENTS, *key_of(sdep))
        if is_ending(current) or current["metadata"]["generation"] != sdep["metadata"]["generation"]:
            raise ConflictError(409, f"{sdep['metadata']['name']} has changed")
        try:
            if known:
                version = {"resourceVersion": known["metadata"]["resourceVersion"]}
                written = await self._api.replace(resource, {**desired, "metadata": {**desired["metadata"], **version}})
            else:
                written = await self._api.create(resource, desired["metadata"]["namespace"], desired)
        except ApiError as error:
            if error.status not in REFUSALS:
                raise
            raise RejectedError(str(error)) from error
        informer.remember(written)
        verb, kind = "Update" if known else "Create", desired["kind"]
        self._recorder.emit(sdep, NORMAL, f"{verb}{kind}", f'{verb}d {kind} "{name}"')

    async def _remove_others(self, sdep: Object, desired: list[Component]) -> None:
        """Remove the Deployments and Services of an earlier spec."""
        names = {key_of(thing) for component in desired for thing in (component.deployment, *component.services)}
        for resource, informer in ((DEPLOYMENTS, self._deployments), (SERVICES, self._services)):
            for thing in self._owned(informer, sdep):
                if key_of(thing) not in names:
                    with contextlib.suppress(NotFoundError, ConflictError):
                        await self._api.delete(resource, *key_of(thing), thing["metadata"]["uid"])
                    about = f'Deleted {thing["kind"]} "{thing["metadata"]["name"]}"'
                    self._recorder.emit(sdep, NORMAL, f"Delete{thing['kind']}", about)

    async def _write_deployment_status(self, deployment: Object) -> None:
        known = self._deployments.get(key_of(deployment))
        if known and deployment["status"] != known.get("status"):
            self._deployments.remember(await self._api.replace_status(DEPLOYMENTS, deployment))

    def _state(self, deployments: list[Object], refusal: SeldonError | None) -> tuple[str, str]:
        """The state and, for Failed, the reason."""
        if refusal:
            return FAILED, str(refusal)
        if deployments and all(map(is_ready, deployments)):
            return AVAILABLE, ""
        failures = [failure for it in deployments if (failure := failure_of(self._statuses(it)))]
        if any(map(has_timed_out, deployments)):
            return FAILED, " ".join([NO_PROGRESS, *failures])
        failed = any(failure_of(self._statuses(it)) and not _serves(it) for it in deployments)
        return FAILED if failed else CREATING, next(iter(failures), "")

    def _statuses(self, deployment: Object) -> Iterator[tuple[str, Object]]:
        """The names and statuses of a Deployment's current Pods."""
        for pod in self._roll_out.pods_of(deployment).new:
            worker = self._pods.running(pod)
            yield pod["metadata"]["name"], worker.status() if worker else pod.get("status") or {}

    def _route(self, sdep: Object, reason: str) -> set[str]:
        """Distribute the requests, or give the ingress the reason for which none can be answered.

        The uids of the Pods that are ready for requests.
        """
        key, routed = key_of(sdep), set[str]()
        ready: dict[str, list[Backend]] = {}
        for deployment in self._owned(self._deployments, sdep):
            for pod in self._roll_out.pods_of(deployment).all:
                worker = self._pods.running(pod)
                if worker and worker.backend and not worker.backend.closing:
                    ready.setdefault(deployment["metadata"]["labels"][APP], []).append(worker.backend)
                    routed.add(pod["metadata"]["uid"])
        weights = self._weights.get(key, {})
        serving = {app: weights[app] for app in ready if weights.get(app)}
        if not serving:  # the predictors of an earlier spec serve until one of this is ready
            serving = {app: 100 for app in ready if app not in weights}
        traffic = tuple(Traffic(weight, tuple(ready[app])) for app, weight in serving.items())
        hosts = tuple(service_host(sdep, app) for app in list(weights)[:1])
        address = Address(hosts, path=f"/seldon/{key[0]}/{key[1]}/")
        self._routes.set(*_route_key(key), Route(traffic, reason or "its predictor is starting", address, ANSWER_SECONDS))
        return routed

    def _report(self, sdep: Object, refusal: SeldonError | None) -> None:
        """Record an event for a refusal, once."""
        key, message = key_of(sdep), str(refusal) if refusal else ""
        if message and self._refused.get(key) != message:
            self._recorder.emit(sdep, WARNING, "InternalError", message)
        self._refused[key] = message

    async def _write_status(self, sdep: Object, status: Object) -> None:
        if status == (sdep.get("status") or {}):
            return
        written = await self._api.replace_status(SELDON_DEPLOYMENTS, {**sdep, "status": status})
        self._sdeps.remember(written)
        self._recorder.emit(written, NORMAL, "Updated", f'Updated {KIND} "{sdep["metadata"]["name"]}"')


def _route_key(key: Key) -> Key:
    """The key in the table of routes, in which InferenceServices may have the same names."""
    return f"{CONTROLLER}/{key[0]}", key[1]


def _serves(deployment: Object) -> bool:
    return bool((deployment.get("status") or {}).get("readyReplicas"))


def _has(known: Object, desired: Object) -> bool:
    """Whether ``known`` is as ``desired``: it has the same mark, and no field has changed since."""
    mark = known["metadata"].get("annotations", {}).get(LAST_APPLIED)
    return bool(mark == desired["metadata"]["annotations"][LAST_APPLIED]) and _contains(known["spec"], desired["spec"])


def _contains(known: object, desired: object) -> bool:
    """Whether every field of ``desired`` is in ``known``, which may have more."""
    if isinstance(desired, dict):
        return isinstance(known, dict) and all(_contains(known.get(name), value) for name, value in desired.items())
    if isinstance(desired, list):
        return isinstance(known, list) and len(known) == len(desired) and all(map(_contains, known, desired))
    return known == desired
