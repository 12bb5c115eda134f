"""The InferenceService controller: brings what runs in line with what each InferenceService asks for.

A changed predictor makes a new revision, a Pod of its own. The old revision serves until the new one is ready; then the
gateway's route is exchanged in one step and the old Pod deleted. A revision that fails leaves the old one serving.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import aiohttp

from minipdk.home import Home
from minipdk.serving.api import INFERENCE_SERVICES, PODS, Api, Informer, Key, Object, key_of, version_of
from minipdk.serving.errors import ApiError, ConflictError, InvalidSpecError, NotFoundError
from minipdk.serving.events import NORMAL, WARNING, Recorder
from minipdk.serving.gateway.routes import Route, Routes, Traffic
from minipdk.serving.kubelet.node import Node

from .credentials import storage_environment
from .pods import (
    HASH_LABEL,
    SERVICE_LABEL,
    is_owned,
    pod_for,
    revision_name,
    revision_number,
    revision_of,
)
from .predictor import Predictor, read_predictor
from .servingruntime import install
from .status import Revision, Standing, inference_service_status, model_state

RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class InferenceServiceController:
    """Reconciles one service at a time, each whenever it or one of its Pods has changed."""

    def __init__(self, home: Home, api: Api, node: Node, routes: Routes, recorder: Recorder) -> None:
        self._home, self._api, self._node, self._routes, self._recorder = home, api, node, routes, recorder
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self.services = Informer(api, INFERENCE_SERVICES, lambda isvc: self.enqueue(key_of(isvc)))

    def enqueue(self, key: Key) -> None:
        """Have the service looked at, once for any number of calls before that."""
        if key not in self._queued:
            self._queued.add(key)
            self._queue.put_nowait(key)

    def pod_changed(self, pod: Object) -> None:
        self.enqueue((pod["metadata"]["namespace"], pod["metadata"]["labels"][SERVICE_LABEL]))

    async def run(self) -> None:
        """Reconcile until cancelled. Nothing is decided before both kinds have been listed."""
        await asyncio.gather(self.services.synced.wait(), self._node.pods.synced.wait())
        self._node.sweep()
        await install(self._api)
        for isvc in self.services.all():
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
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self.enqueue, key)

    async def _reconcile(self, key: Key) -> None:
        isvc = self.services.get(key)
        pods = sorted(self._pods_of(key), key=lambda pod: revision_number(revision_of(pod)))
        if isvc is None or "deletionTimestamp" in isvc["metadata"]:
            self._routes.remove(*key)
            for pod in pods:
                await self._delete(pod)
            return
        for pod in [pod for pod in pods if not is_owned(pod, isvc)]:
            await self._delete(pod)
            pods.remove(pod)
        refusal: InvalidSpecError | None = None
        try:
            pods = await self._ensure_latest(isvc, read_predictor(isvc), pods)
        except InvalidSpecError as error:
            refusal = error
        standing = self._standing(pods, refusal)
        self._route(key, pods, standing)
        await self._routes.in_force()  # whoever reads that the service is ready may ask it at once
        await self._write_status(isvc, standing)
        for pod in pods:
            if standing.serving and self._is_superseded(pod, standing):
                await self._delete(pod)
        if refusal and refusal.may_pass:
            self._later(key)

    def _pods_of(self, key: Key) -> list[Object]:
        namespace, name = key
        return [
            pod
            for pod in self._node.pods.all()
            if pod["metadata"]["namespace"] == namespace
            and pod["metadata"].get("labels", {}).get(SERVICE_LABEL) == name
            and "deletionTimestamp" not in pod["metadata"]
        ]

    async def _ensure_latest(self, isvc: Object, predictor: Predictor, pods: list[Object]) -> list[Object]:
        """The Pods, oldest revision first, of which the last is what ``predictor`` asks for."""
        wanted = predictor.template_hash()
        if pods and pods[-1]["metadata"]["labels"][HASH_LABEL] == wanted:
            return pods
        status = isvc.get("status") or {}
        created = ((status.get("components") or {}).get("predictor") or {}).get("latestCreatedRevision", "")
        number = max([revision_number(created), *(revision_number(revision_of(pod)) for pod in pods)])
        # The Pod of an unchanged spec was deleted by hand: the same revision gets another one.
        same = status.get("observedGeneration") == isvc["metadata"].get("generation") and number and not pods
        revision = revision_name(isvc, number if same else number + 1)
        namespace = isvc["metadata"]["namespace"]
        environment = await storage_environment(self._api, self._home, namespace, predictor.service_account)
        # The watch may lag: a service that was deleted or changed meanwhile must not get a Pod.
        current = await self._api.get(INFERENCE_SERVICES, *key_of(isvc))
        if version_of(current) != version_of(isvc):
            raise ConflictError(409, f"{isvc['metadata']['name']} has changed")
        pod = await self._api.create(PODS, namespace, pod_for(isvc, predictor, revision, environment))
        self._recorder.emit(isvc, NORMAL, "Created", f"Created Pod {pod['metadata']['name']} for revision {revision}")
        self._node.admit(pod)
        return [*pods, pod]

    def _standing(self, pods: list[Object], refusal: InvalidSpecError | None) -> Standing:
        revisions = [self._revision(pod) for pod in pods]
        return Standing(
            latest=revisions[-1] if revisions else None,
            serving=next((revision for revision in reversed(revisions) if revision.ready), None),
            refusal=refusal,
        )

    def _revision(self, pod: Object) -> Revision:
        worker = self._node.worker(pod)
        status = worker.status() if worker else pod.get("status") or {}
        return Revision(revision_of(pod), status, ready=bool(worker and worker.backend))

    def _route(self, key: Key, pods: list[Object], standing: Standing) -> None:
        """Point the gateway at the newest revision that is ready, or tell it why there is none."""
        for pod in reversed(pods):
            worker = self._node.worker(pod)
            if worker and worker.backend:
                self._routes.set(*key, Route((Traffic(100, (worker.backend,)),)))
                return
        reason = str(standing.refusal) if standing.refusal else model_state(standing.latest).message
        self._routes.set(*key, Route(reason=reason or "its predictor is starting"))

    def _is_superseded(self, pod: Object, standing: Standing) -> bool:
        """Whether neither requests nor a roll-out need this Pod any more."""
        assert standing.serving is not None
        assert standing.latest is not None
        return revision_of(pod) not in (standing.serving.name, standing.latest.name)

    async def _delete(self, pod: Object) -> None:
        with contextlib.suppress(NotFoundError, ConflictError):
            await self._api.delete(PODS, *key_of(pod), pod["metadata"]["uid"])

    async def _write_status(self, isvc: Object, standing: Standing) -> None:
        old = isvc.get("status") or {}
        status = inference_service_status(isvc, standing)
        if status == old:
            return
        written = await self._api.replace_status(INFERENCE_SERVICES, {**isvc, "status": status})
        self.services.remember(written)
        self._tell(written, old, status)

    def _tell(self, isvc: Object, old: Object, new: Object) -> None:
        """Events for what a reader of `kubectl describe` wants to know."""
        name = isvc["metadata"]["name"]
        was, is_now = _ready(old), _ready(new)
        if is_now.get("status") == "True" and was.get("status") != "True":
            self._recorder.emit(isvc, NORMAL, "InferenceServiceReady", f"InferenceService [{name}] is Ready")
        elif was.get("status") == "True" and is_now.get("status") != "True":
            why = is_now.get("message", "")
            self._recorder.emit(
                isvc, WARNING, "InferenceServiceNotReady", f"InferenceService [{name}] is no longer Ready: {why}"
            )
        failure = new["modelStatus"].get("lastFailureInfo")
        known = (old.get("modelStatus") or {}).get("lastFailureInfo") or {}
        if failure and (failure["reason"], failure["message"]) != (known.get("reason"), known.get("message")):
            self._recorder.emit(isvc, WARNING, failure["reason"], failure["message"])


def _ready(status: Object) -> Object:
    return next((condition for condition in status.get("conditions", []) if condition["type"] == "Ready"), {})
