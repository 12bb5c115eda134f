"""The Pods of a Deployment, as Kubernetes' own controllers of Deployments and ReplicaSets create and replace them.

A changed template makes new Pods, which differ in the label pod-template-hash. While they start, the old ones serve: as
many Pods are available at any time as the strategy demands. There are no ReplicaSets: Pods belong to their Deployment.
Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import secrets
from dataclasses import dataclass

from minipdk.controller.errors import ApiError, ConflictError, NotFoundError
from minipdk.controller.events import NORMAL, WARNING, Recorder
from minipdk.controller.objects import DEPLOYMENTS, PODS, Object, is_ending, is_owned, key_of, owned_by
from minipdk.controller.workspace import Workspace
from minipdk.services.seldon.deployment_status import Counts
from minipdk.services.seldon.errors import RejectedError

HASH_LABEL = "pod-template-hash"
LONGEST_PREFIX = 58
"""As Kubernetes shortens the part of a name before the characters that it generates."""
REFUSALS = (403, 422)
MOST_AT_ONCE = 20
"""Pods that are created before the others get their turn: each new Pod gives its SeldonDeployment another."""


def template_hash(deployment: Object) -> str:
    """Ten hexadecimal digits of a hash of the Pods' template."""
    content = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class PodSet:
    """The Pods of a Deployment that are not ending: Pods of its current template, and older ones."""

    new: list[Object]
    old: list[Object]

    @property
    def all(self) -> list[Object]:
        return [*self.new, *self.old]


class DeploymentController:
    """Creates and removes the Pods of the Deployments that it is given."""

    def __init__(self, workspace: Workspace, recorder: Recorder) -> None:
        self._api, self._pods, self._recorder = workspace.api, workspace.pods, recorder
        self._deleted: set[str] = set()
        """The uids of Pods that were deleted and that the watch still shows."""
        self._refused: dict[tuple[str, str], RejectedError] = {}

    def pods_of(self, deployment: Object) -> PodSet:
        owned = [pod for pod in self._pods.informer.all() if is_owned(pod, deployment)]
        live = [pod for pod in owned if not is_ending(pod) and pod["metadata"]["uid"] not in self._deleted]
        current = template_hash(deployment)
        new = [pod for pod in live if pod["metadata"]["labels"].get(HASH_LABEL) == current]
        return PodSet(new, [pod for pod in live if pod["metadata"]["labels"].get(HASH_LABEL) != current])

    def counts(self, deployment: Object) -> Counts:
        desired, pods = deployment["spec"].get("replicas", 1), self.pods_of(deployment)
        _, dispensable = _limits(deployment["spec"], desired)
        return Counts(desired, len(pods.all), len(pods.new), sum(map(self.is_ready, pods.all)), dispensable)

    def is_ready(self, pod: Object) -> bool:
        """Whether the Pod takes requests."""
        worker = self._pods.running(pod)
        return worker is not None and worker.backend is not None and not worker.backend.closing

    def refusal_of(self, deployment: Object) -> RejectedError | None:
        """Why the API server has refused the Deployment's last Pod."""
        return self._refused.get((deployment["metadata"]["uid"], template_hash(deployment)))

    def forget_others(self, uids: set[str]) -> None:
        """Forget the refusals of all Deployments except the ones with ``uids``."""
        self._refused = {key: error for key, error in self._refused.items() if key[0] in uids}

    async def reconcile(self, deployment: Object, routed: set[str]) -> None:
        """Take the next steps of a roll-out. Requests go to the Pods whose uids are in ``routed``."""
        self._deleted &= {pod["metadata"]["uid"] for pod in self._pods.informer.all()}
        desired, pods = deployment["spec"].get("replicas", 1), self.pods_of(deployment)
        surge, unavailable = _limits(deployment["spec"], desired)

        def serves(pod: Object) -> bool:
            return pod["metadata"]["uid"] in routed and self.is_ready(pod)

        surplus = sorted(pods.new, key=serves)[: max(0, len(pods.new) - desired)]
        starting = sum(not serves(pod) for pod in pods.new)
        # As many old Pods may go as the new ones that serve replace; first the ones that do not serve.
        dispensable = len(pods.all) - (desired - unavailable) - starting
        spare = sum(map(serves, pods.all)) - (desired - unavailable)
        old = []
        for pod in sorted(pods.old, key=serves)[: max(0, dispensable)]:
            if serves(pod):
                spare -= 1
            if spare >= 0 or not serves(pod):
                old.append(pod)
        for pod in [*surplus, *old]:
            await self._delete(deployment, pod)
        await self._create(deployment, min(desired - len(pods.new), desired + surge - len(pods.all)))

    async def _create(self, deployment: Object, number: int) -> None:
        uid = deployment["metadata"]["uid"]
        if number <= 0:
            self._refused = {key: error for key, error in self._refused.items() if key[0] != uid}
            return
        # The watch may lag: a Deployment that was deleted or changed meanwhile must not get a Pod.
        current = await self._api.get(DEPLOYMENTS, *key_of(deployment))
        if is_ending(current) or current["metadata"]["uid"] != uid:
            raise ConflictError(409, f"{deployment['metadata']['name']} is being deleted")
        if current["metadata"]["generation"] != deployment["metadata"]["generation"]:
            raise ConflictError(409, f"{deployment['metadata']['name']} has changed")
        for _ in range(min(number, MOST_AT_ONCE)):
            body = _pod_for(deployment)
            name = body["metadata"]["name"]
            try:
                pod = await self._api.create(PODS, deployment["metadata"]["namespace"], body)
            except ApiError as error:
                if error.status not in REFUSALS:
                    raise
                reason = str(error).replace(name, deployment["metadata"]["name"])  # the next one has another name
                self._recorder.emit(deployment, WARNING, "FailedCreate", f"Error creating: {reason}")
                self._refused = {key: known for key, known in self._refused.items() if key[0] != uid}
                self._refused[uid, template_hash(deployment)] = RejectedError(reason)
                return
            self._recorder.emit(deployment, NORMAL, "SuccessfulCreate", f"Created pod: {name}")
            self._pods.admit(pod)

    async def _delete(self, deployment: Object, pod: Object) -> None:
        self._deleted.add(pod["metadata"]["uid"])
        with contextlib.suppress(NotFoundError, ConflictError):
            await self._api.delete(PODS, *key_of(pod), pod["metadata"]["uid"])
        self._recorder.emit(deployment, NORMAL, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")


def _pod_for(deployment: Object) -> Object:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    digest = template_hash(deployment)
    labels = (template.get("metadata") or {}).get("labels") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{digest}-"[:LONGEST_PREFIX] + secrets.token_hex(3)[:5],
            "namespace": metadata["namespace"],
            "labels": {**labels, HASH_LABEL: digest},
            "annotations": (template.get("metadata") or {}).get("annotations") or {},
            "ownerReferences": owned_by(deployment),
        },
        "spec": template["spec"],
    }


def _limits(spec: Object, desired: int) -> tuple[int, int]:
    """How many Pods there may be beyond ``desired``, and how many may be missing, during a roll-out."""
    strategy = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = _number(strategy.get("maxSurge", "25%"), desired, up=True)
    unavailable = _number(strategy.get("maxUnavailable", "25%"), desired, up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _number(value: int | str, of: int, *, up: bool) -> int:
    """A number, or a percentage of another."""
    if isinstance(value, int):
        return value
    share = of * int(value.removesuffix("%")) / 100
    return math.ceil(share) if up else math.floor(share)
