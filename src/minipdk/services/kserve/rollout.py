"""Roll-outs: creates and removes a service's revisions and Pods, as Knative's controllers do."""

from __future__ import annotations

import contextlib

from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, Recorder
from minipdk.controller.informer import Informer
from minipdk.controller.objects import PODS, Key, Object, Resource, key_of, version_of
from minipdk.controller.workspace import Workspace
from minipdk.services.kserve.credentials import storage_environment
from minipdk.services.kserve.errors import PodError, ReconcileError, ServiceError
from minipdk.services.kserve.pods import is_ending, pod_for, revision_of
from minipdk.services.kserve.predictor import SERVICE_LABEL, Template
from minipdk.services.kserve.revisions import HASH_LABEL, REVISIONS, is_owned, replicas, revision_for, revision_number
from minipdk.services.kserve.storage import check_source
from minipdk.services.kserve.traffic import CREATED

INFERENCE_SERVICES = Resource("/apis/serving.kserve.io/v1beta1", "inferenceservices")
UNPROCESSABLE = 422


class Rollout:
    """The revisions of InferenceServices and their Pods: finds, creates and removes them."""

    def __init__(self, workspace: Workspace, revisions: Informer, recorder: Recorder) -> None:
        self._home, self._api, self._pods = workspace.home, workspace.api, workspace.pods
        self._revisions, self._recorder = revisions, recorder
        self._refused: dict[str, str] = {}

    def revisions_of(self, isvc: Object) -> list[Object]:
        """The service's revisions, the oldest first."""
        revisions = _of_service(self._revisions, isvc)
        owned = [revision for revision in revisions if is_owned(revision, isvc) and not is_ending(revision)]
        return sorted(owned, key=lambda revision: revision_number(revision["metadata"]["name"]))

    def pods_of(self, revision: Object) -> list[Object]:
        """The revision's Pods, except Pods that are ending."""
        return [pod for pod in self._pods.informer.all() if is_owned(pod, revision) and not is_ending(pod)]

    async def ensure_latest(self, isvc: Object, template: Template, revisions: list[Object]) -> list[Object]:
        """The revisions, with one made from ``template`` as the last."""
        if revisions and revisions[-1]["metadata"]["labels"][HASH_LABEL] == template.hash():
            return revisions
        known = ((isvc.get("status") or {}).get("components") or {}).get("predictor") or {}
        existing = [revision["metadata"]["name"] for revision in _of_service(self._revisions, isvc)]
        names = [known.get(CREATED, ""), *existing]
        # The watch may lag: a service that was deleted or changed meanwhile must not get a revision.
        current = await self._api.get(INFERENCE_SERVICES, *key_of(isvc))
        if version_of(current) != version_of(isvc):
            raise ConflictError(409, f"{isvc['metadata']['name']} has changed")
        number = 1 + max(revision_number(name) for name in names)
        made = await self._create(REVISIONS, revision_for(isvc, template, number), ReconcileError)
        self._revisions.remember(made)
        self._recorder.emit(isvc, NORMAL, "Created", f"Created Revision {made['metadata']['name']}")
        return [*revisions, made]

    async def ensure_pods(self, isvc: Object, revision: Object) -> None:
        """Create the Pods that ``revision`` lacks.

        Raises PodError when they cannot be created. A revision never changes, so the API server is not asked again
        for Pods that it has rejected.
        """
        missing = replicas(revision) - len(self.pods_of(revision))
        if missing <= 0:
            return
        # A new Pod would block a deletion in the foreground.
        await self._refuse_ending(INFERENCE_SERVICES, isvc)
        await self._refuse_ending(REVISIONS, revision)
        metadata, account = revision["metadata"], revision["spec"]["serviceAccountName"]
        if reason := self._refused.get(metadata["uid"]):
            raise PodError(reason)
        check_source(metadata["annotations"])
        environment = await storage_environment(self._api, self._home, metadata["namespace"], account)
        for _ in range(missing):
            pod = await self._create_pod(revision, environment)
            about = f"Created Pod {pod['metadata']['name']} for revision {metadata['name']}"
            self._recorder.emit(isvc, NORMAL, "Created", about)
            self._pods.admit(pod)

    async def _create_pod(self, revision: Object, environment: list[Object]) -> Object:
        pod, uid = pod_for(revision, environment), revision["metadata"]["uid"]
        try:
            return await self._create(PODS, pod, PodError)
        except PodError as error:
            known = {revision["metadata"]["uid"] for revision in self._revisions.all()}
            self._refused = {of: reason for of, reason in self._refused.items() if of in known}
            self._refused[uid] = str(error).replace(pod["metadata"]["name"], revision["metadata"]["name"])
            raise PodError(self._refused[uid]) from error

    async def end_pods(self, revision: Object) -> None:
        for pod in self.pods_of(revision):
            await self._delete(PODS, pod)

    async def forget(self, revision: Object) -> None:
        """Remove a revision; the API server removes its Pods with it."""
        await self._delete(REVISIONS, revision)

    async def remove_strangers(self, isvc: Object) -> None:
        """Remove the revisions and Pods of an earlier service with the same name."""
        revisions = _of_service(self._revisions, isvc)
        known = {revision["metadata"]["name"] for revision in revisions}
        foreign = [revision for revision in revisions if not is_owned(revision, isvc)]
        lost = [
            pod
            for pod in _of_service(self._pods.informer, isvc)
            if revision_of(pod) not in known | {""} and not is_ending(pod)
        ]
        if foreign or lost:  # the watch may lag: a service that has just been deleted may have left them on purpose
            await self._refuse_ending(INFERENCE_SERVICES, isvc)
        for revision in foreign:
            await self.forget(revision)
        for pod in lost:
            await self._delete(PODS, pod)

    async def _refuse_ending(self, resource: Resource, known: Object) -> None:
        """Raise ConflictError or NotFoundError for an object that is being deleted, even if no watch has reported it yet."""
        current = await self._api.get(resource, *key_of(known))
        if is_ending(current) or current["metadata"]["uid"] != known["metadata"]["uid"]:
            raise ConflictError(409, f"{known['metadata']['name']} is being deleted")

    async def _create(self, resource: Resource, body: Object, refusal: type[ServiceError]) -> Object:
        """Create an object. Raises ``refusal`` if the API server rejects its content."""
        try:
            return await self._api.create(resource, body["metadata"]["namespace"], body)
        except ApiError as error:
            if error.status == UNPROCESSABLE:
                raise refusal(str(error)) from error
            raise

    async def _delete(self, resource: Resource, known: Object) -> None:
        with contextlib.suppress(NotFoundError, ConflictError):
            await self._api.delete(resource, *key_of(known), known["metadata"]["uid"])


def _of_service(informer: Informer, isvc: Object) -> list[Object]:
    """The objects in ``informer`` that are labelled with the service's name."""

    def service_of(thing: Object) -> Key:
        metadata = thing["metadata"]
        return metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, "")

    return [thing for thing in informer.all() if service_of(thing) == key_of(isvc)]
