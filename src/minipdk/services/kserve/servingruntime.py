"""ServingRuntimes: which one serves a model, and those that come with the cluster.

Rules: https://kserve.github.io/website/0.15/modelserving/servingruntimes/
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from minipdk.controller.api import CLUSTER_SERVING_RUNTIMES, RETRY_SECONDS, SERVING_RUNTIMES, Api, Informer, Object
from minipdk.controller.errors import ApiError, ConflictError
from minipdk.services.kserve.errors import ServingRuntimeError
from minipdk.services.kserve.runtimes import manifests

PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
"""The most preferred one first: what a model that names none gets from the runtime that is chosen for it."""
DEFAULT_PROTOCOL = "v1"
NO_RUNTIME = "NoSupportingRuntime"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServingRuntime:
    """A ServingRuntime or ClusterServingRuntime. ``created`` is its time of creation."""

    name: str
    spec: Object
    created: str = ""

    @classmethod
    def of(cls, found: Object) -> ServingRuntime:
        return cls(found["metadata"]["name"], found["spec"], found["metadata"].get("creationTimestamp", ""))

    @property
    def protocols(self) -> list[str]:
        return self.spec.get("protocolVersions") or []

    @property
    def preferred_protocol(self) -> int:
        """The rank of the best of its protocols."""
        return min((PROTOCOLS.index(one) for one in self.protocols if one in PROTOCOLS), default=len(PROTOCOLS))

    def takes(self, protocol: str) -> bool:
        return not self.protocols or protocol in self.protocols

    def supports(self, model_format: Object, *, selected: bool) -> bool:
        """Whether it serves the format, in its version if one is asked for. One that was not ``selected`` by name serves
        those alone that it offers itself for (``autoSelect``)."""
        return any(
            one["name"] == model_format["name"] and model_format.get("version") in (None, one.get("version"))
            for one in self.spec.get("supportedModelFormats") or []
            if selected or one.get("autoSelect")
        )

    def priority(self, model_format: str) -> int:
        """For the format, of the runtimes that offer themselves; one that has none comes last."""
        formats = self.spec.get("supportedModelFormats") or []
        return next((one.get("priority") or 0 for one in formats if one["name"] == model_format), 0)


class ServingRuntimes:
    """The runtimes that there are. ``on_change`` is called whenever one has changed."""

    def __init__(self, api: Api, on_change: Callable[[], None]) -> None:
        self._api = api
        self._namespaced = Informer(api, SERVING_RUNTIMES, lambda _: on_change())
        self._cluster = Informer(api, CLUSTER_SERVING_RUNTIMES, lambda _: on_change())

    async def run(self) -> None:
        """Follow them until cancelled."""
        await asyncio.gather(self._namespaced.run(), self._cluster.run())

    async def known(self) -> None:
        """Wait until they have been read, those that come with the cluster among them."""
        await asyncio.gather(self._namespaced.synced.wait(), self._cluster.synced.wait())
        for manifest in manifests():
            self._cluster.remember(await _install(self._api, manifest))

    def choose(self, model: Object, namespace: str) -> ServingRuntime:
        """The runtime for ``model`` (a V1beta1ModelSpec). Raises ServingRuntimeError when there is none."""
        named = [ServingRuntime.of(one) for one in self._namespaced.all() if one["metadata"]["namespace"] == namespace]
        return choose(model, named, [ServingRuntime.of(one) for one in self._cluster.all()])


def choose(model: Object, named: Sequence[ServingRuntime], common: Sequence[ServingRuntime]) -> ServingRuntime:
    """The runtime for ``model``: one of its namespace, else one that is ``common`` to all of them."""
    if name := model.get("runtime"):
        return _checked(next((one for one in [*named, *common] if one.name == name), None), model)
    found = [*_supporting(named, model), *_supporting(common, model)]
    if not found:
        raise ServingRuntimeError(
            f"no runtime found to support predictor with model type: {_described(model)}",
            reason=NO_RUNTIME,
            told="No runtime found to support specified framework/version",
        )
    return found[0]


def _supporting(runtimes: Sequence[ServingRuntime], model: Object) -> list[ServingRuntime]:
    """The runtimes that offer themselves for ``model``, the preferred one first."""
    wanted, protocol = model["modelFormat"], model.get("protocolVersion", DEFAULT_PROTOCOL)
    found = [
        one
        for one in runtimes
        if not any(one.spec.get(field) for field in ("disabled", "multiModel", "workerSpec"))
        and one.takes(protocol)
        and one.supports(wanted, selected=False)
    ]
    found.sort(key=lambda one: one.name)
    found.sort(key=lambda one: one.created, reverse=True)
    return sorted(found, key=lambda one: (-one.priority(wanted["name"]), one.preferred_protocol))


def _checked(runtime: ServingRuntime | None, model: Object) -> ServingRuntime:
    """The runtime that ``model`` names, if it can serve it."""
    name = model["runtime"]
    if runtime is None:
        raise ServingRuntimeError(
            f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}",
            reason="RuntimeNotRecognized",
            told="Waiting for runtime to become available",
        )
    if runtime.spec.get("disabled"):
        told = "Specified runtime is disabled"
        raise ServingRuntimeError(f"specified runtime {name} is disabled", reason="RuntimeDisabled", told=told)
    protocol = model.get("protocolVersion")
    if protocol and not runtime.takes(protocol):
        why = f"does not support specified protocol version {protocol}, only {', '.join(runtime.protocols)}"
        told = "Specified runtime does not support specified protocol version"
        raise ServingRuntimeError(f"specified runtime {name} {why}", reason=NO_RUNTIME, told=told)
    if not runtime.supports(model["modelFormat"], selected=True):
        why = f"does not support specified framework/version {_described(model)}"
        told = "Specified runtime does not support specified framework/version"
        raise ServingRuntimeError(f"specified runtime {name} {why}", reason=NO_RUNTIME, told=told)
    return runtime


def _described(model: Object) -> str:
    wanted, protocol = model["modelFormat"], model.get("protocolVersion")
    version = f" {wanted['version']}" if wanted.get("version") else ""
    return f"{wanted['name']}{version}" + (f" (protocol {protocol})" if protocol else "")


async def _install(api: Api, manifest: Object) -> Object:
    """Put a ClusterServingRuntime that comes with the cluster into the API. What a user has changed in it stays."""
    name = manifest["metadata"]["name"]
    while True:
        try:
            return await api.apply(CLUSTER_SERVING_RUNTIMES, manifest)
        except ConflictError as error:
            log.info("ClusterServingRuntime %s is left as it is: %s", name, error)
            return await api.get(CLUSTER_SERVING_RUNTIMES, None, name)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("ClusterServingRuntime %s: %s; trying again", name, error or type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
