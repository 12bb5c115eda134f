"""Which ServingRuntimes and ClusterServingRuntimes KServe's admission webhooks deny.

Which of two runtimes serves a model must be clear: for a format in a version, and a protocol, each priority is given once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from minipdk.services.kubernetes.errors import ForbiddenError, Subject
from minipdk.services.kubernetes.model import SERVING, Object


def admit(runtime: Object, others: Callable[[], list[Object]]) -> None:
    """Raise ForbiddenError, worded as the webhook's denial; ``others`` are the runtimes that there are beside it."""
    metadata, kind = runtime["metadata"], runtime["kind"].lower()
    for reason in _faults(runtime, others()):
        webhook = f'admission webhook "{kind}.kserve-webhook-server.validator" denied the request'
        raise ForbiddenError(f"{webhook}: {reason}", Subject(SERVING, f"{kind}s", metadata["name"]))


def _faults(runtime: Object, others: list[Object]) -> Iterator[str]:
    spec, name, kind = runtime.get("spec") or {}, runtime["metadata"]["name"], runtime["kind"].lower()
    if spec.get("disabled"):
        return
    offered = _offered(spec)
    priorities: dict[str, int] = {}
    for model_format, priority in ((one["name"], one.get("priority")) for one in offered):
        if priority is not None and priorities.setdefault(model_format, priority) != priority:
            yield f"different priorities assigned for the model format {model_format} under the {kind} {name}"
    place = f" in namespace {runtime['metadata']['namespace']}" if "namespace" in runtime["metadata"] else ""
    for other in others:
        if other["metadata"]["name"] != name and (clash := _clash(spec, other.get("spec") or {})):
            both = f"{kind}s {other['metadata']['name']} and {name}{place}"
            yield f"same priority assigned for the model format {clash} in the {both}"


def _offered(spec: Object) -> list[Object]:
    """The model formats that a runtime offers itself for."""
    return [one for one in spec.get("supportedModelFormats") or () if one.get("autoSelect")]


def _clash(spec: Object, other: Object) -> str:
    """The model format that both runtimes offer with the same priority over the same protocol; "" if there is none."""
    if other.get("disabled") or bool(spec.get("multiModel")) != bool(other.get("multiModel")):
        return ""
    if not set(spec.get("protocolVersions") or ()) & set(other.get("protocolVersions") or ()):
        return ""
    known = {(one["name"].lower(), one.get("version"), one.get("priority")) for one in _offered(other)}
    return next(
        (
            str(one["name"])
            for one in _offered(spec)
            if one.get("priority") is not None and (one["name"].lower(), one.get("version"), one["priority"]) in known
        ),
        "",
    )
