"""The Pods of a Deployment: no Deployment keeps the others waiting."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from minipdk.controller.events import Recorder
from minipdk.controller.workspace import Workspace
from minipdk.services.seldon.deployment_controller import MOST_AT_ONCE, DeploymentController


def test_many_replicas_are_created_in_several_turns() -> None:
    created: list[dict[str, Any]] = []
    metadata = {"name": "many", "namespace": "seldon", "uid": "1", "generation": 1}
    spec = {"replicas": 1_000_000, "template": {"spec": {}}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}

    class Api:
        async def get(self, *_: object) -> dict[str, Any]:
            return deployment

        async def create(self, _resource: object, _namespace: str, body: dict[str, Any]) -> dict[str, Any]:
            created.append(body)
            assert len(created) <= MOST_AT_ONCE
            return body

    pods = SimpleNamespace(informer=SimpleNamespace(all=list), admit=lambda pod: None, running=lambda pod: None)
    workspace = cast(Workspace, SimpleNamespace(api=Api(), pods=pods))
    recorder = cast(Recorder, SimpleNamespace(emit=lambda *_: None))
    asyncio.run(DeploymentController(workspace, recorder).reconcile(deployment, set()))
    assert len(created) == MOST_AT_ONCE
