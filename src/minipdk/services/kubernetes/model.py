"""What a kind is, and what a request is about. The kinds themselves are rows of the table in `kinds`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.services.kubernetes.errors import Subject

Object = dict[str, Any]
"""One API object: JSON with apiVersion, kind and metadata."""

SERVING, SELDON, KNATIVE = "serving.kserve.io", "machinelearning.seldon.io", "serving.knative.dev"
STORED_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_ONLY = ("get", "list", "watch")
CREATE_ONLY = ("create",)


@dataclass(frozen=True)
class Subresource:
    """A part of an object with its own path. ``kind``, ``group`` and ``version`` are what it reads or takes."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True)
class Resource:
    """A kind. ``model`` names its class in the vendor's Python client, which its schema is read from; "" if it has none.

    ``custom`` kinds are those that a CustomResourceDefinition adds on a real cluster; they differ in patch types.
    ``description`` is what `kubectl explain` begins with. ``kept_as`` is the key of the kind that this one is a view of.
    """

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    model: str = ""
    custom: bool = False
    verbs: tuple[str, ...] = STORED_VERBS
    description: str = ""
    kept_as: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def key(self) -> str:
        """The name in the store; the same for every version of a kind."""
        return self.kept_as or (f"{self.plural}.{self.group}" if self.group else self.plural)

    @property
    def has_status(self) -> bool:
        """Whether status is written through the subresource alone."""
        return any(one.name == "status" for one in self.subresources)

    def subresource(self, name: str) -> Subresource | None:
        return next((one for one in self.subresources if one.name == name), None)

    def subject(self, name: str = "") -> Subject:
        return Subject(self.group, self.plural, name)

    def invalid_subject(self, name: str = "") -> Subject:
        return Subject(self.group, self.kind, name)


@dataclass(frozen=True)
class Target:
    """What a request is about: a kind's collection, one object, or with ``part`` a subresource of one."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    part: str = ""

    @property
    def subject(self) -> Subject:
        return self.resource.subject(self.name)
