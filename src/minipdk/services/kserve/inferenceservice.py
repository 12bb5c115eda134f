"""The InferenceService controller: it creates and removes revisions and Pods until they match each InferenceService.

A changed predictor makes a new revision with new Pods. The old revision serves until the new one is ready; then the
ingress's route is exchanged in one step, or the requests are shared (a canary), and the Pods that are no longer needed end.
A revision that fails leaves the old one serving.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from minipdk.controller.api import UNAVAILABLE, describe
from minipdk.controller.errors import ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.informer import Informer
from minipdk.controller.objects import Key, Object, key_of
from minipdk.controller.queue import WorkQueue
from minipdk.controller.routes import Backend, Route, Traffic
from minipdk.controller.workspace import Workspace
from minipdk.services.kserve.conditions import Standing, known
from minipdk.services.kserve.errors import ServiceError
from minipdk.services.kserve.hosts import PREDICTOR_SUFFIX, address, domain_of
from minipdk.services.kserve.model_state import Revision, progress
from minipdk.services.kserve.predictor import SERVICE_LABEL, Template, read_predictor
from minipdk.services.kserve.revisions import REVISIONS, replicas, revision_number
from minipdk.services.kserve.rollout import INFERENCE_SERVICES, Rollout
from minipdk.services.kserve.services import Services
from minipdk.services.kserve.servingruntime import ServingRuntimes
from minipdk.services.kserve.status import inference_service_status, not_true, revision_status, stopped_status
from minipdk.services.kserve.traffic import (
    CREATED,
    PREVIOUS,
    READY,
    ROLLED_OUT,
    check_share,
    is_settled,
    revisions_in_use,
    roll_out,
    shares,
)

TAG_ROUTING, STOP = "serving.kserve.io/enable-tag-routing", "serving.kserve.io/stop"
FINALIZER = "inferenceservice.finalizers"

log = logging.getLogger(__name__)


class InferenceServiceController:
    """Reconciles one service at a time, whenever the service, one of its Pods or a runtime has changed."""

    def __init__(self, workspace: Workspace) -> None:
        api = self._api = workspace.api
        self._pods, self._routes = workspace.pods, workspace.routes
        self._recorder = Recorder(api, "inferenceservice-controller", workspace.tasks)
        self._queue = WorkQueue()
        self._tags: dict[Key, set[str]] = {}
        self._refused: dict[Key, str] = {}
        self._services = Informer(api, INFERENCE_SERVICES, lambda isvc: self._queue.add(key_of(isvc)))
        self._revisions = Informer(api, REVISIONS, self._revision_changed)
        self._made = Services(api, self._recorder, self._service_changed)
        self._runtimes = ServingRuntimes(api, self._runtimes_changed)
        self._rollout = Rollout(workspace, self._revisions, self._recorder)
        self._pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        """Follow the objects and reconcile until cancelled."""
        followed = (self._services, self._revisions, self._runtimes, self._made)
        await asyncio.gather(*(objects.run() for objects in followed), self._reconcile_all())

    def _pod_changed(self, pod: Object) -> None:
        if name := pod["metadata"].get("labels", {}).get(SERVICE_LABEL):
            self._queue.add((pod["metadata"]["namespace"], name))

    def _revision_changed(self, revision: Object) -> None:
        if name := (revision["metadata"].get("labels") or {}).get(SERVICE_LABEL):
            self._queue.add((revision["metadata"]["namespace"], name))

    def _service_changed(self, service: Object) -> None:
        for owner in service["metadata"].get("ownerReferences") or []:
            if owner["kind"] == "InferenceService":
                self._queue.add((service["metadata"]["namespace"], owner["name"]))

    def _runtimes_changed(self) -> None:
        for isvc in self._services.all():
            self._queue.add(key_of(isvc))

    async def _reconcile_all(self) -> None:
        """Reconcile services as they change. Nothing is decided before all kinds have been listed."""
        informers = (self._services, self._revisions, self._pods.informer)
        await asyncio.gather(*(informer.synced.wait() for informer in informers))
        await asyncio.gather(self._runtimes.known(), self._made.known())
        for isvc in self._services.all():
            await self._attempt(key_of(isvc))
        self._routes.known = True
        while True:
            await self._attempt(await self._queue.take())

    async def _attempt(self, key: Key) -> None:
        """Reconcile a service, and again after a pause unless that has settled it."""
        try:
            settled = await self._reconcile(key)
        except (ConflictError, NotFoundError) as error:
            # The object has changed since it was read: the watch will report the change.
            log.info("%s/%s: %s", *key, error)
            settled = False
        except UNAVAILABLE as error:
            log.warning("%s/%s: %s; trying again", *key, describe(error))
            settled = False
        except Exception:
            # One service's fault must not stop the others.
            log.exception("%s/%s cannot be reconciled; trying again", *key)
            settled = False
        (self._queue.succeeded if settled else self._queue.retry)(key)

    async def _reconcile(self, key: Key) -> bool:
        """Bring everything of a service in line with it; False if the cause of a refusal may pass unnoticed."""
        isvc = self._services.get(key)
        if isvc is None or "deletionTimestamp" in isvc["metadata"]:
            self._routes.remove(*key)  # the API server removes the service's revisions, or leaves them if asked to
            self._route_tags(key, {}, {})
            self._refused.pop(key, None)
            if isvc:
                await self._finish(isvc)
            return True
        isvc = await self._with_finalizer(isvc)
        await self._rollout.remove_strangers(isvc)
        if _is_stopped(isvc):
            await self._stop(key, isvc)
            return True
        refusal: ServiceError | None = None
        template: Template | None = None
        revisions = self._rollout.revisions_of(isvc)
        try:
            check_share(_known_state(isvc), isvc["spec"]["predictor"].get("canaryTrafficPercent"))
            template = read_predictor(isvc, self._runtimes.choose)
            revisions = await self._rollout.ensure_latest(isvc, template, revisions)
        except ServiceError as error:
            refusal = error
        ready = self._backends(revisions)
        state = _known_state(isvc) if refusal else self._next_state(isvc, revisions, ready)
        in_use = revisions_in_use(state)
        try:
            for revision in revisions:
                if revision["metadata"]["name"] in in_use:
                    await self._rollout.ensure_pods(isvc, revision)
        except ServiceError as error:
            refusal = refusal or error
        standing = self._standing(revisions, state, ready, refusal)
        self._route(isvc, standing, ready)
        await self._routes.in_force()  # a client that reads that the service is ready may call it immediately
        self._report(isvc, refusal)
        runtime = template.runtime.in_status if template and template.runtime else {}
        isvc = await self._write_status(isvc, inference_service_status(isvc, standing, runtime))
        if template:
            await self._made.ensure(isvc, template)
        await self._made.report(isvc, standing)
        await self._retire(revisions, standing, ready)
        return refusal is None or not refusal.may_pass

    async def _with_finalizer(self, isvc: Object) -> Object:
        """``isvc`` with KServe's finalizer, which keeps a deleted service until this controller has seen the deletion."""
        finalizers = isvc["metadata"].get("finalizers") or []
        return isvc if FINALIZER in finalizers else await self._set_finalizers(isvc, [*finalizers, FINALIZER])

    async def _finish(self, isvc: Object) -> None:
        """Let a deleted service go: its requests are answered no more."""
        finalizers = isvc["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            await self._set_finalizers(isvc, [name for name in finalizers if name != FINALIZER])

    async def _set_finalizers(self, isvc: Object, finalizers: list[str]) -> Object:
        metadata = {"finalizers": finalizers, "resourceVersion": isvc["metadata"]["resourceVersion"]}
        changed = await self._api.patch(INFERENCE_SERVICES, *key_of(isvc), {"metadata": metadata})
        if finalizers:
            self._services.remember(changed)
        return changed

    async def _stop(self, key: Key, isvc: Object) -> None:
        """Remove all that the service runs, because its annotation says so."""
        for revision in self._rollout.revisions_of(isvc):
            await self._rollout.forget(revision)
        await self._made.remove(isvc)
        self._routes.set(*key, Route((), "it is stopped", address(*key, domain_of(isvc))))
        self._route_tags(key, {}, {})
        await self._write_status(isvc, stopped_status(isvc))

    def _backends(self, revisions: list[Object]) -> dict[str, list[Backend]]:
        """The replicas that take requests, of each revision that has any; the oldest revision first."""
        ready: dict[str, list[Backend]] = {}
        for revision in revisions:
            workers = [self._pods.running(pod) for pod in self._rollout.pods_of(revision)]
            if backends := [worker.backend for worker in workers if worker and worker.backend]:
                ready[revision["metadata"]["name"]] = backends
        return ready

    def _next_state(self, isvc: Object, revisions: list[Object], ready: Mapping[str, list[Backend]]) -> Object:
        known = _known_state(isvc)
        names = {revision["metadata"]["name"]: replicas(revision) for revision in revisions}
        enough = [name for name, count in names.items() if len(ready.get(name, ())) >= count]
        # A revision that has been ready stays the latest ready one until a newer one is ready.
        newest = max([known.get(READY, ""), *enough], key=revision_number)
        tagged = (isvc["metadata"].get("annotations") or {}).get(TAG_ROUTING) == "true"
        canary = isvc["spec"]["predictor"].get("canaryTrafficPercent")
        return roll_out(known, revisions[-1]["metadata"]["name"], newest, canary, tagged=tagged)

    def _standing(
        self,
        revisions: list[Object],
        state: Object,
        ready: Mapping[str, list[Backend]],
        refusal: ServiceError | None,
    ) -> Standing:
        latest = self._revision(revisions[-1], state, ready) if revisions else None
        return Standing(latest, state, serving=bool(ready), settled=is_settled(state, ready), refusal=refusal)

    def _revision(self, revision: Object, state: Object, ready: Mapping[str, list[Backend]]) -> Revision:
        name = revision["metadata"]["name"]
        replicas_ready = len(ready.get(name, ()))
        has_been = name in {state.get(key) for key in (READY, ROLLED_OUT, PREVIOUS)}
        pods = self._rollout.pods_of(revision)
        workers = [(self._pods.running(pod), pod.get("status") or {}) for pod in pods]
        statuses = tuple(worker.status() if worker else status for worker, status in workers)
        enough = replicas_ready >= replicas(revision) or (has_been and replicas_ready > 0)
        return Revision(name, statuses, replicas_ready, ready=enough)

    def _route(self, isvc: Object, standing: Standing, ready: Mapping[str, list[Backend]]) -> None:
        """Distribute the requests, or give the ingress the reason for which none can be answered."""
        key = key_of(isvc)
        reason = str(standing.refusal) if standing.refusal else progress(standing.latest).message
        where = address(*key, domain_of(isvc))
        self._routes.set(*key, Route(shares(standing.state, ready), reason or "its predictor is starting", where))
        self._route_tags(key, standing.state, ready)

    def _route_tags(self, key: Key, state: Object, ready: Mapping[str, list[Backend]]) -> None:
        """Give each traffic target with a tag its own host name, as Knative does."""
        namespace, name = key
        tagged = {
            f"{target['tag']}-{name}{PREDICTOR_SUFFIX}": tuple(ready.get(target["revisionName"], ()))
            for target in state.get("traffic", [])
            if "tag" in target
        }
        for target in self._tags.pop(key, set()) - tagged.keys():
            self._routes.remove(namespace, target)
        for target, backends in tagged.items():
            self._tags.setdefault(key, set()).add(target)
            traffic = (Traffic(100, backends),) if backends else ()
            self._routes.set(namespace, target, Route(traffic, "its revision is starting", address(namespace, target)))

    async def _retire(self, revisions: list[Object], standing: Standing, ready: Mapping[str, list[Backend]]) -> None:
        """Write each revision's status, end the Pods of unused revisions, and remove unreferenced revisions."""
        in_use = revisions_in_use(standing.state)
        named = in_use | {standing.state.get(key) for key in (CREATED, READY, ROLLED_OUT, PREVIOUS)}
        for revision in revisions:
            name = revision["metadata"]["name"]
            if name not in in_use and (standing.settled or name not in ready):
                await (self._rollout.end_pods(revision) if name in named else self._rollout.forget(revision))
            if name in named:
                await self._write_revision_status(revision, standing.state, ready)

    async def _write_revision_status(self, revision: Object, state: Object, ready: Mapping[str, list[Backend]]) -> None:
        standing = self._revision(revision, state, ready)
        in_use = standing.name in revisions_in_use(state)
        status = revision_status(revision, standing, in_use=in_use, desired=replicas(revision))
        if status != revision.get("status"):
            self._revisions.remember(await self._api.replace_status(REVISIONS, {**revision, "status": status}))

    async def _write_status(self, isvc: Object, status: Object) -> Object:
        """``isvc`` with ``status``."""
        if status == (isvc.get("status") or {}):
            return isvc
        written = await self._api.replace_status(INFERENCE_SERVICES, {**isvc, "status": status})
        self._services.remember(written)
        name, was, is_now = isvc["metadata"]["name"], _is_ready(isvc), _is_ready(written)
        if is_now == "True" and was != "True":
            self._recorder.emit(written, NORMAL, "InferenceServiceReady", f"InferenceService [{name}] is Ready")
        elif was == "True" and is_now == "False":
            message = f"InferenceService [{name}] is no longer Ready because of: {not_true(status)}"
            self._recorder.emit(written, WARNING, "InferenceServiceNotReady", message)
        return written

    def _report(self, isvc: Object, refusal: ServiceError | None) -> None:
        """Record an event for a refusal, once: it is often all that tells of it."""
        key, message = key_of(isvc), str(refusal) if refusal else ""
        if message and self._refused.get(key) != message:
            self._recorder.emit(isvc, WARNING, "InternalError", message)
        self._refused[key] = message


def _known_state(isvc: Object) -> Object:
    """The roll-out's state that the service's status remembers."""
    return ((isvc.get("status") or {}).get("components") or {}).get("predictor") or {}


def _is_ready(isvc: Object) -> str:
    return known(isvc)["Ready"].status if "Ready" in known(isvc) else ""


def _is_stopped(isvc: Object) -> bool:
    annotations = isvc["metadata"].get("annotations") or {}
    return str(annotations.get(STOP, "")).lower() == "true"
