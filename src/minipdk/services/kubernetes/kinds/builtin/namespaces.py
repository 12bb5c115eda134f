"""Namespaces. Their deletion is in `registry.deletion`; `bootstrap` makes each namespace's first objects."""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.columns import AGE, NAME, text
from minipdk.services.kubernetes.kinds.validation import dns_label
from minipdk.services.kubernetes.model import STORED_VERBS, Column, Object, Resource, Strategy, status_of


def default_namespace(namespace: Object) -> None:
    namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    labels = namespace["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = namespace["metadata"]["name"]


NAMESPACES = Resource(
    *("", "v1", "Namespace", "namespaces", ("ns",)),
    namespaced=False,
    subresources=(status_of("Namespace"),),
    model="V1Namespace",
    verbs=tuple(verb for verb in STORED_VERBS if verb != "deletecollection"),
    description="A scope for names: most objects live in one, and go with it.",
    strategy=Strategy(default_namespace, validate_name=dns_label, initial_status=lambda _: {"phase": "Active"}),
    columns=(NAME, Column("Status", text("status", "phase")), AGE),
    selectable=("status.phase",),
    unsupported=("finalize",),
)
