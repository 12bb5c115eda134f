"""ServingRuntimes: the choice of one for a model, and the installation of the ones that come with the cluster.

Rules: https://kserve.github.io/website/0.15/modelserving/servingruntimes/
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minipdk.controller.api import Api, until_accepted
from minipdk.controller.errors import ConflictError
from minipdk.controller.informer import Informer
from minipdk.controller.objects import Object, Resource
from minipdk.services.kserve.errors import ServingRuntimeError
from minipdk.services.kserve.runtimes import manifests

SERVING_RUNTIMES = Resource("/apis/serving.kserve.io/v1alpha1", "servingruntimes")
CLUSTER_SERVING_RUNTIMES = Resource("/apis/serving.kserve.io/v1alpha1", "clusterservingruntimes")
PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
"""In order of preference: a model that names no protocol gets the first one that its runtime supports."""
DEFAULT_PROTOCOL = "v1"
SERVER_TYPE = "serving.kserve.io/server-type"
"""The annotation of a runtime that tells KServe for which program it has defaults, since KServe 0.16."""
TORCHSERVE = "torchserve"
SERVER_TYPES = {"kserve-torchserve": TORCHSERVE}
"""The server types of runtimes that have no annotation, by name."""
NO_RUNTIME = "NoSupportingRuntime"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServingRuntime:
    """A ServingRuntime, or a ClusterServingRuntime if ``common``. ``created`` is its time of creation."""

    name: str
    spec: Object
    created: str = ""
    server_type: str = ""
    common: bool = False

    @classmethod
    def of(cls, runtime: Object, *, common: bool = False) -> ServingRuntime:
        metadata = runtime["metadata"]
        name, annotations = metadata["name"], metadata.get("annotations") or {}
        server_type = annotations.get(SERVER_TYPE, SERVER_TYPES.get(name, ""))
        return cls(name, runtime["spec"], metadata.get("creationTimestamp", ""), server_type, common)

    @property
    def in_status(self) -> Object:
        """The field of an InferenceService's status that names it."""
        return {"clusterServingRuntimeName" if self.common else "servingRuntimeName": self.name}

    @property
    def protocols(self) -> list[str]:
        return self.spec.get("protocolVersions") or []

    @property
    def preferred_protocol(self) -> int:
        """The rank of the best of its protocols."""
        ranks = (PROTOCOLS.index(protocol) for protocol in self.protocols if protocol in PROTOCOLS)
        return min(ranks, default=len(PROTOCOLS))

    def takes(self, protocol: str) -> bool:
        return not self.protocols or protocol in self.protocols

    def supports(self, model_format: Object, *, selected: bool) -> bool:
        """Whether it serves the format, in its version if the model names one.

        A runtime that was not ``selected`` by name serves only the formats that it offers itself for (``autoSelect``).
        """
        return any(
            known["name"] == model_format["name"] and model_format.get("version") in (None, known.get("version"))
            for known in self.spec.get("supportedModelFormats") or []
            if selected or known.get("autoSelect")
        )

    def priority(self, model_format: str) -> int:
        """Its priority for the format; 0, the lowest, if it has none."""
        formats = self.spec.get("supportedModelFormats") or []
        return next((known.get("priority") or 0 for known in formats if known["name"] == model_format), 0)


class ServingRuntimes:
    """All existing runtimes. ``on_change`` is called whenever one has changed."""

    def __init__(self, api: Api, on_change: Callable[[], None]) -> None:
        self._api = api
        self._namespaced = Informer(api, SERVING_RUNTIMES, lambda _: on_change())
        self._cluster = Informer(api, CLUSTER_SERVING_RUNTIMES, lambda _: on_change())

    async def run(self) -> None:
        """Follow them until cancelled."""
        await asyncio.gather(self._namespaced.run(), self._cluster.run())

    async def known(self) -> None:
        """Install the runtimes that come with the cluster, and wait until all runtimes have been read."""
        await asyncio.gather(self._namespaced.synced.wait(), self._cluster.synced.wait())
        for manifest in manifests():
            self._cluster.remember(await _install(self._api, manifest))

    def choose(self, model: Object, namespace: str) -> ServingRuntime:
        """The runtime for ``model`` (a V1beta1ModelSpec). Raises ServingRuntimeError when there is none."""
        local = [thing for thing in self._namespaced.all() if thing["metadata"]["namespace"] == namespace]
        common = [ServingRuntime.of(runtime, common=True) for runtime in self._cluster.all()]
        return choose(model, [*map(ServingRuntime.of, local)], common)


def choose(model: Object, local: Sequence[ServingRuntime], common: Sequence[ServingRuntime]) -> ServingRuntime:
    """The runtime for ``model``: a ``local`` one of its namespace, else one ``common`` to all namespaces."""
    if name := model.get("runtime"):
        return _checked(next((runtime for runtime in [*local, *common] if runtime.name == name), None), model)
    supporting = [*_supporting(local, model), *_supporting(common, model)]
    if not supporting:
        raise ServingRuntimeError(
            f"no runtime found to support predictor with model type: {_described(model['modelFormat'])}",
            reason=NO_RUNTIME,
            summary="No runtime found to support specified framework/version",
        )
    return supporting[0]


def _supporting(runtimes: Sequence[ServingRuntime], model: Object) -> list[ServingRuntime]:
    """The runtimes that offer themselves for ``model``, the preferred one first."""
    model_format, protocol = model["modelFormat"], model.get("protocolVersion", DEFAULT_PROTOCOL)
    supporting = [
        runtime
        for runtime in runtimes
        if not any(runtime.spec.get(field) for field in ("disabled", "multiModel", "workerSpec"))
        and runtime.takes(protocol)
        and runtime.supports(model_format, selected=False)
    ]
    supporting.sort(key=lambda runtime: runtime.name)
    supporting.sort(key=lambda runtime: runtime.created, reverse=True)
    return sorted(supporting, key=lambda runtime: (-runtime.priority(model_format["name"]), runtime.preferred_protocol))


def _checked(runtime: ServingRuntime | None, model: Object) -> ServingRuntime:
    """The runtime that ``model`` names, if it can serve it."""
    name = model["runtime"]
    if runtime is None:
        raise ServingRuntimeError(
            f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}",
            reason="RuntimeNotRecognized",
            summary="Waiting for runtime to become available",
        )
    if runtime.spec.get("disabled"):
        summary = "Specified runtime is disabled"
        raise ServingRuntimeError(f"specified runtime {name} is disabled", reason="RuntimeDisabled", summary=summary)
    protocol = model.get("protocolVersion")
    if protocol and not runtime.takes(protocol):
        summary = "Specified runtime does not support specified protocol version"
        fault = "does not support specified protocol version"
        raise ServingRuntimeError(f"specified runtime {name} {fault}", reason=NO_RUNTIME, summary=summary)
    if not runtime.supports(model["modelFormat"], selected=True):
        summary = "Specified runtime does not support specified framework/version"
        fault = "does not support specified framework/version"
        raise ServingRuntimeError(f"specified runtime {name} {fault}", reason=NO_RUNTIME, summary=summary)
    return runtime


def _described(model_format: Object) -> str:
    """The format as Go prints KServe's structure, with the version itself instead of its address."""
    return f"{{{model_format['name']} {model_format.get('version', '<nil>')}}}"


async def _install(api: Api, manifest: Object) -> Object:
    """Put a ClusterServingRuntime that comes with the cluster into the API. A user's changes to it stay."""
    name = manifest["metadata"]["name"]

    async def install() -> Object:
        try:
            return await api.apply(CLUSTER_SERVING_RUNTIMES, manifest)
        except ConflictError as error:
            log.info("ClusterServingRuntime %s is left as it is: %s", name, error)
            return await api.get(CLUSTER_SERVING_RUNTIMES, None, name)

    return await until_accepted(f"ClusterServingRuntime {name}", install, final=())
