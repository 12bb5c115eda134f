"""The InferenceService controller: brings what runs in line with what each InferenceService asks for.

A changed predictor makes a new revision with Pods of its own. The old one serves until the new one is ready; then the
gateway's route is exchanged in one step, or the requests are shared (a canary), and the Pods that are no longer needed end.
A revision that fails leaves the old one serving.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import aiohttp

from minipdk.controller.api import INFERENCE_SERVICES, REVISIONS, Informer, Key, Object, key_of
from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.routes import PREDICTOR_SUFFIX, Backend, Route, Traffic
from minipdk.controller.workspace import Workspace
from minipdk.services.kserve.errors import InvalidSpecError
from minipdk.services.kserve.predictor import SERVICE_LABEL, read_predictor
from minipdk.services.kserve.revisions import replicas, revision_number
from minipdk.services.kserve.rollout import Rollout
from minipdk.services.kserve.servingruntime import ServingRuntimes
from minipdk.services.kserve.status import Revision, Standing, inference_service_status, model_state, revision_status
from minipdk.services.kserve.traffic import (
    CREATED,
    PREVIOUS,
    READY,
    ROLLED_OUT,
    is_settled,
    revisions_in_use,
    roll_out,
    shares,
)

RETRY_SECONDS = 1.0
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"

log = logging.getLogger(__name__)


class InferenceServiceController:
    """Reconciles one service at a time, each whenever it, one of its Pods or a runtime has changed."""

    def __init__(self, workspace: Workspace) -> None:
        api = self._api = workspace.api
        self._pods, self._routes = workspace.pods, workspace.routes
        self._recorder = Recorder(api, "inferenceservice-controller", workspace.tasks)
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._tags: dict[Key, set[str]] = {}
        self._services = Informer(api, INFERENCE_SERVICES, lambda isvc: self._enqueue(key_of(isvc)))
        self._revisions = Informer(api, REVISIONS, self._revision_changed)
        self._runtimes = ServingRuntimes(api, self._runtimes_changed)
        self._rollout = Rollout(workspace, self._revisions, self._recorder)
        self._pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        """Follow the objects and reconcile until cancelled."""
        await asyncio.gather(self._services.run(), self._revisions.run(), self._runtimes.run(), self._reconcile_all())

    def _enqueue(self, key: Key) -> None:
        """Have the service looked at, once for any number of calls before that."""
        if key not in self._queued:
            self._queued.add(key)
            self._queue.put_nowait(key)

    def _pod_changed(self, pod: Object) -> None:
        if name := pod["metadata"].get("labels", {}).get(SERVICE_LABEL):
            self._enqueue((pod["metadata"]["namespace"], name))

    def _revision_changed(self, revision: Object) -> None:
        if name := (revision["metadata"].get("labels") or {}).get(SERVICE_LABEL):
            self._enqueue((revision["metadata"]["namespace"], name))

    def _runtimes_changed(self) -> None:
        for isvc in self._services.all():
            self._enqueue(key_of(isvc))

    async def _reconcile_all(self) -> None:
        """Nothing is decided before all kinds have been listed."""
        await asyncio.gather(*(one.synced.wait() for one in (self._services, self._revisions, self._pods.informer)))
        self._pods.sweep()
        await self._runtimes.known()
        for isvc in self._services.all():
            await self._attempt(key_of(isvc))
        self._routes.known = True
        while True:
            key = await self._queue.get()
            self._queued.discard(key)
            await self._attempt(key)

    async def _attempt(self, key: Key) -> None:
        try:
            await self._reconcile(key)
        except (ConflictError, NotFoundError) as error:
            # The object has changed since it was read: the watch brings the change and with it another look.
            log.info("%s/%s: %s", *key, error)
            self._later(key)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s/%s: %s; trying again", *key, error or type(error).__name__)
            self._later(key)
        except Exception:
            # One service's fault must not stop the others.
            log.exception("%s/%s cannot be reconciled; trying again", *key)
            self._later(key)

    def _later(self, key: Key) -> None:
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._enqueue, key)

    async def _reconcile(self, key: Key) -> None:
        isvc = self._services.get(key)
        if isvc is None or "deletionTimestamp" in isvc["metadata"]:
            self._routes.remove(*key)  # the API server removes what the service owns, or leaves it if asked to
            self._route_tags(key, {}, {})
            return
        await self._rollout.remove_strangers(isvc)
        refusal: InvalidSpecError | None = None
        revisions = self._rollout.revisions_of(isvc)
        try:
            template = read_predictor(isvc, self._runtimes.choose)
            revisions = await self._rollout.ensure_latest(isvc, template, revisions)
        except InvalidSpecError as error:
            refusal = error
        ready = self._backends(revisions)
        state = _known_state(isvc) if refusal else self._next_state(isvc, revisions, ready)
        in_use = revisions_in_use(state)
        try:
            for revision in revisions:
                if revision["metadata"]["name"] in in_use:
                    await self._rollout.ensure_pods(isvc, revision)
        except InvalidSpecError as error:
            refusal = refusal or error
        standing = self._standing(revisions, state, ready, refusal)
        self._route(key, standing, ready)
        await self._routes.in_force()  # whoever reads that the service is ready may ask it at once
        await self._write_status(isvc, standing)
        await self._retire(revisions, standing, ready)
        if refusal and refusal.may_pass:
            self._later(key)

    def _backends(self, revisions: list[Object]) -> dict[str, list[Backend]]:
        """The replicas that take requests, of each revision that has some; the oldest revision first."""
        found: dict[str, list[Backend]] = {}
        for revision in revisions:
            workers = [self._pods.running(pod) for pod in self._rollout.pods_of(revision)]
            if backends := [one.backend for one in workers if one and one.backend]:
                found[revision["metadata"]["name"]] = backends
        return found

    def _next_state(self, isvc: Object, revisions: list[Object], ready: Mapping[str, list[Backend]]) -> Object:
        known = _known_state(isvc)
        enough = [
            name for one in revisions if len(ready.get(name := one["metadata"]["name"], ())) >= replicas(one)
        ]  # one that has been ready once stays the latest ready one until a newer is
        newest = max([known.get(READY, ""), *enough], key=revision_number)
        tagged = (isvc["metadata"].get("annotations") or {}).get(TAG_ROUTING) == "true"
        canary = isvc["spec"]["predictor"].get("canaryTrafficPercent")
        return roll_out(known, revisions[-1]["metadata"]["name"], newest, canary, tagged=tagged)

    def _standing(
        self,
        revisions: list[Object],
        state: Object,
        ready: Mapping[str, list[Backend]],
        refusal: InvalidSpecError | None,
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

    def _route(self, key: Key, standing: Standing, ready: Mapping[str, list[Backend]]) -> None:
        """Share the requests out, or tell the gateway why nobody answers them."""
        reason = str(standing.refusal) if standing.refusal else model_state(standing.latest).message
        self._routes.set(*key, Route(shares(standing.state, ready), reason or "its predictor is starting"))
        self._route_tags(key, standing.state, ready)

    def _route_tags(self, key: Key, state: Object, ready: Mapping[str, list[Backend]]) -> None:
        """Give each traffic target that has a tag a host name of its own, as Knative does."""
        namespace, name = key
        tagged = {
            f"{target['tag']}-{name}{PREDICTOR_SUFFIX}": tuple(ready.get(target["revisionName"], ()))
            for target in state.get("traffic", [])
            if "tag" in target
        }
        for host in self._tags.pop(key, set()) - tagged.keys():
            self._routes.remove(namespace, host)
        for host, backends in tagged.items():
            self._tags.setdefault(key, set()).add(host)
            traffic = (Traffic(100, backends),) if backends else ()
            self._routes.set(namespace, host, Route(traffic, "its revision is starting"))

    async def _retire(self, revisions: list[Object], standing: Standing, ready: Mapping[str, list[Backend]]) -> None:
        """Tell how each revision is, end the Pods of those that are not in use, and forget those that nothing names."""
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
        status = revision_status(revision, standing, in_use=in_use, wanted=replicas(revision))
        if status != revision.get("status"):
            self._revisions.remember(await self._api.replace_status(REVISIONS, {**revision, "status": status}))

    async def _write_status(self, isvc: Object, standing: Standing) -> None:
        old = isvc.get("status") or {}
        status = inference_service_status(isvc, standing)
        if status == old:
            return
        written = await self._api.replace_status(INFERENCE_SERVICES, {**isvc, "status": status})
        self._services.remember(written)
        self._tell(written, old, status, standing.refusal)

    def _tell(self, isvc: Object, old: Object, new: Object, refusal: InvalidSpecError | None) -> None:
        """Events for what a reader of `kubectl describe` wants to know."""
        name = isvc["metadata"]["name"]
        was, is_now = _ready(old), _ready(new)
        if is_now.get("status") == "True" and was.get("status") != "True":
            self._recorder.emit(isvc, NORMAL, "InferenceServiceReady", f"InferenceService [{name}] is Ready")
        elif was.get("status") == "True" and is_now.get("status") != "True":
            why = f"InferenceService [{name}] is no longer Ready because of: {is_now.get('message', '')}"
            self._recorder.emit(isvc, WARNING, "InferenceServiceNotReady", why)
        failure = new["modelStatus"].get("lastFailureInfo")
        known = (old.get("modelStatus") or {}).get("lastFailureInfo") or {}
        if failure and (failure["reason"], failure["message"]) != (known.get("reason"), known.get("message")):
            reason, message = ("InternalError", str(refusal)) if refusal else (failure["reason"], failure["message"])
            self._recorder.emit(isvc, WARNING, reason, message)


def _known_state(isvc: Object) -> Object:
    """The roll-out's state that the service's status remembers."""
    return ((isvc.get("status") or {}).get("components") or {}).get("predictor") or {}


def _ready(status: Object) -> Object:
    return next((condition for condition in status.get("conditions", []) if condition["type"] == "Ready"), {})
