"""The nouns: a kind (`Resource`), the subject of a request (`Target`), and an object, which is its JSON.

Each module below `kinds` makes the Resources of its kinds; `kinds.table` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from minipdk.services.kubernetes.errors import Cause, Subject

Object = dict[str, Any]
"""One API object: JSON with apiVersion, kind and metadata."""

STORED_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_ONLY = ("get", "list", "watch")
CREATE_ONLY = ("create",)
CONNECT = ("create", "get")
"""The verbs of subresources that are connections."""

MAJOR, MINOR = "1", "32"
GIT_VERSION = f"v{MAJOR}.{MINOR}.4+minipdk"
"""The version of Kubernetes whose API this is."""

Cell = str | int | None
Peers = Callable[[], list[Object]]
"""The objects of the same kind in the same namespace, read when they are needed."""


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`: its name and the function that makes an object's cell.

    ``wide`` columns are printed with `-o wide` alone. ``kind`` and ``format`` are OpenAPI's.
    """

    name: str
    cell: Callable[[Object], Cell]
    wide: bool = False
    kind: str = "string"
    format: str = ""
    description: str = ""


@dataclass(frozen=True)
class Subresource:
    """A part of an object with a separate path. ``kind``, ``group`` and ``version`` describe the body."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True)
class Unserved:
    """Why a kind is stored although no controller here acts on it, and the status that says so.

    Objects that a controller made (with ownerReferences) are exempt: that controller acts on them.
    """

    message: str
    status: Callable[[Object, str], Object]
    """From the object and ``message``."""


def _no_default(_: Object) -> None:
    return None


def _no_status(_: Object) -> Object:
    return {}


def _no_rule(_: Object) -> Iterable[Cause]:
    return ()


def _no_update_rule(_old: Object, _new: Object) -> Iterable[Cause]:
    return ()


def _no_webhook(_new: Object, _peers: Peers, _old: Object | None) -> None:
    return None


@dataclass(frozen=True)
class Strategy:
    """The rules that a kind adds to the common ones, named after the API server's registry strategies.

    ``default`` fills in fields that a new or changed object leaves out; ``initial_status`` is the status of a new object.
    ``validate`` and ``validate_update`` (old, new) yield a cause for each field that is wrong; ``validate_name`` replaces
    the common rule for names, a DNS subdomain. ``mutate`` and ``admit`` stand for admission webhooks: the first returns the
    object as it is to be checked, the second (new, peers, old) raises ForbiddenError.
    ``generation``: metadata.generation counts changes of the spec, as it does for every custom kind.
    ``returns_deleted``: a deletion is answered with the object instead of a Status.
    """

    default: Callable[[Object], None] = _no_default
    validate: Callable[[Object], Iterable[Cause]] = _no_rule
    validate_update: Callable[[Object, Object], Iterable[Cause]] = _no_update_rule
    validate_name: Callable[[str, str], Iterator[Cause]] | None = None
    mutate: Callable[[Object], Object] | None = None
    admit: Callable[[Object, Peers, Object | None], None] = _no_webhook
    initial_status: Callable[[Object], Object] = _no_status
    unserved: Unserved | None = None
    generation: bool = False
    returns_deleted: bool = False


@dataclass(frozen=True)
class Resource:
    """A kind.

    ``model`` names its class in the vendor's Python client, from which its schema is read; "" if there is none.
    ``custom`` kinds are added by a CustomResourceDefinition on a real cluster; they differ in patch types.
    ``description`` is the first text of `kubectl explain`. ``stored_as`` is the kind of which this kind shows the same
    objects, with the names of some top-level fields changed by ``renamed`` (stored name to shown name). ``selectable`` are
    the fields for field selectors beside metadata.name and metadata.namespace; ``unsupported`` the subresources of a real
    cluster that are refused by name.
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
    stored_as: Resource | None = None
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    strategy: Strategy = Strategy()
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def stored(self) -> Resource:
        """The kind as which its objects are stored: itself, except for a view of another kind."""
        return self.stored_as or self

    @property
    def key(self) -> str:
        """The name in the store; the same for every version of a kind."""
        return self.stored_as.key if self.stored_as else f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def has_status(self) -> bool:
        """Whether status is written through the subresource alone."""
        return self.subresource("status") is not None

    @property
    def has_generation(self) -> bool:
        """Whether metadata.generation counts changes of the spec."""
        return self.custom or self.strategy.generation

    def subresource(self, name: str) -> Subresource | None:
        return next((part for part in self.subresources if part.name == name), None)

    def subject(self, name: str = "") -> Subject:
        return Subject(self.group, self.plural, name)

    def invalid_subject(self, name: str = "") -> Subject:
        return Subject(self.group, self.kind, name)


@dataclass(frozen=True)
class Target:
    """The subject of a request: a kind's collection, one object, or with ``part`` a subresource of one object."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    part: str = ""

    @property
    def subject(self) -> Subject:
        return self.resource.subject(self.name)

    @property
    def stored(self) -> Target:
        """The same object as its kind is stored."""
        return Target(self.resource.stored, self.namespace, self.name, self.part)


def status_of(kind: str) -> Subresource:
    """The subresource through which a kind's status is read and written."""
    return Subresource("status", kind, ("get", "patch", "update"))


def shown(resource: Resource, stored: Object) -> Object:
    """A stored object in the form of ``resource``."""
    if resource.stored_as is None:
        return stored
    renamed = {resource.renamed.get(name, name): value for name, value in stored.items()}
    return {**renamed, "apiVersion": resource.api_version}
