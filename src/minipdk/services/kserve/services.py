"""The services that KServe makes for each InferenceService: its name in the cluster, and its predictor's Knative Service.

The first is an ExternalName for Knative's gateway. The second shows what Knative knows of the predictor: the template of its
next revision, the revisions' shares, and whether they are ready. Rules:
https://github.com/kserve/kserve/tree/master/pkg/controller/v1beta1/inferenceservice/reconcilers
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from minipdk.controller.api import Api
from minipdk.controller.errors import ConflictError, NotFoundError
from minipdk.controller.events import WARNING, Recorder
from minipdk.controller.informer import Informer
from minipdk.controller.objects import SERVICES, Object, Resource, key_of
from minipdk.services.kserve.conditions import Standing, conditions, written_one
from minipdk.services.kserve.predictor import SERVICE_LABEL, Template
from minipdk.services.kserve.revisions import is_owned, owned_by, predictor_name
from minipdk.services.kserve.status import predictor_status
from minipdk.services.kserve.traffic import CREATED, READY

KNATIVE_SERVICES = Resource("/apis/serving.knative.dev/v1", "services")
GATEWAY = "knative-local-gateway.istio-system.svc.cluster.local"
CONDITIONS = {
    "ConfigurationsReady": "PredictorConfigurationReady",
    "Ready": "PredictorReady",
    "RoutesReady": "PredictorRouteReady",
}
"""A Knative Service's conditions, and the InferenceService's that follow them."""


class Services:
    """Keeps both services of each InferenceService; ``on_change`` hears of each of them that changed."""

    def __init__(self, api: Api, recorder: Recorder, on_change: Callable[[Object], None]) -> None:
        self._api, self._recorder = api, recorder
        self._informers = {kind: Informer(api, kind, on_change) for kind in (SERVICES, KNATIVE_SERVICES)}

    async def run(self) -> None:
        await asyncio.gather(*(informer.run() for informer in self._informers.values()))

    async def known(self) -> None:
        """Wait until all services have been listed."""
        await asyncio.gather(*(informer.synced.wait() for informer in self._informers.values()))

    async def ensure(self, isvc: Object, template: Template) -> None:
        """Create both, or bring their specs up to date."""
        await self._ensure(SERVICES, isvc, cluster_service(isvc))
        await self._ensure(KNATIVE_SERVICES, isvc, knative_service(isvc, template))

    async def report(self, isvc: Object, standing: Standing) -> None:
        """Write the Knative Service's status."""
        informer = self._informers[KNATIVE_SERVICES]
        service = informer.get((isvc["metadata"]["namespace"], predictor_name(isvc)))
        if service is None or not is_owned(service, isvc):
            return
        status = knative_status(service, isvc, standing)
        if status != service.get("status"):
            informer.remember(await self._api.replace_status(KNATIVE_SERVICES, {**service, "status": status}))

    async def remove(self, isvc: Object) -> None:
        """Remove both, because the InferenceService is stopped."""
        names = {SERVICES: isvc["metadata"]["name"], KNATIVE_SERVICES: predictor_name(isvc)}
        for kind, name in names.items():
            service = self._informers[kind].get((isvc["metadata"]["namespace"], name))
            if service and is_owned(service, isvc):
                with contextlib.suppress(NotFoundError, ConflictError):
                    await self._api.delete(kind, *key_of(service), service["metadata"]["uid"])

    async def _ensure(self, kind: Resource, isvc: Object, service: Object) -> None:
        informer = self._informers[kind]
        known = informer.get(key_of(service))
        if known and not is_owned(known, isvc):
            if not _ends(known):  # one of an earlier InferenceService is about to go
                which = f"{service['kind']} {service['metadata']['name']}"
                about = f"{which} exists and is not this InferenceService's: it is left alone"
                self._recorder.emit(isvc, WARNING, "InternalError", about)
            return
        if known is None or not _is_current(known, service):
            informer.remember(await self._api.apply(kind, service, force=True))


def _ends(service: Object) -> bool:
    metadata = service["metadata"]
    owners = {reference["kind"] for reference in metadata.get("ownerReferences") or []}
    return "deletionTimestamp" in metadata or "InferenceService" in owners


def _is_current(known: Object, service: Object) -> bool:
    labels = known["metadata"].get("labels") or {}
    return bool(known["spec"] == service["spec"]) and labels == service["metadata"].get("labels", {})


def cluster_service(isvc: Object) -> Object:
    """The Service by which programs in the cluster call ``isvc``."""
    metadata = isvc["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "ownerReferences": owned_by(isvc)},
        "spec": {"type": "ExternalName", "externalName": GATEWAY, "sessionAffinity": "None"},
    }


def knative_service(isvc: Object, template: Template) -> Object:
    """The Knative Service of the predictor that ``template`` describes."""
    predictor = ((isvc.get("status") or {}).get("components") or {}).get("predictor") or {}
    first = {"latestRevision": True, "percent": 100}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": predictor_name(isvc),
            "namespace": isvc["metadata"]["namespace"],
            "labels": {"component": "predictor", SERVICE_LABEL: isvc["metadata"]["name"]},
            "ownerReferences": owned_by(isvc),
        },
        "spec": {
            "template": {
                "metadata": {"annotations": template.annotations, "labels": template.labels},
                "spec": template.spec,
            },
            "traffic": [_target(target) for target in predictor.get("traffic", [first])],
        },
    }


def _target(target: Object) -> Object:
    """A traffic target as it is asked for: the latest revision has no name."""
    left_out = {"url", "revisionName"} if target["latestRevision"] else {"url"}
    return {name: value for name, value in target.items() if name not in left_out}


def knative_status(service: Object, isvc: Object, standing: Standing) -> Object:
    """The status of ``service``, the Knative Service of the predictor of ``isvc``."""
    rows = conditions(isvc, standing)
    before = {row["type"]: row for row in (service.get("status") or {}).get("conditions", [])}
    predictor = predictor_status(isvc, standing)
    names = {"latestCreatedRevisionName": predictor.get(CREATED), "latestReadyRevisionName": predictor.get(READY)}
    return {
        "observedGeneration": service["metadata"].get("generation", 1),
        "conditions": [
            written_one(kind, rows[source], before.get(kind), info=False)
            for kind, source in CONDITIONS.items()
            if source in rows
        ],
        **{name: value for name, value in names.items() if value},
        **{name: predictor[name] for name in ("traffic", "url", "address") if name in predictor},
    }
