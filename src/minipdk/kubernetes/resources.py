"""The kinds this API server keeps, one row each. Discovery, routes, schemas and tables all read this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minipdk.kubernetes.errors import Subject

Object = dict[str, Any]
"""One API object: JSON with apiVersion, kind and metadata."""

STORED_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


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
    ``description`` is what `kubectl explain` begins with.
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

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def key(self) -> str:
        """The name in the store; the same for every version of a kind."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

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


def _status(kind: str) -> Subresource:
    return Subresource("status", kind, ("get", "patch", "update"))


SERVING, SELDON = "serving.kserve.io", "machinelearning.seldon.io"
ALL = ("all",)
CREATE_ONLY = ("create",)

RESOURCES = (
    Resource(
        "",
        "v1",
        "ConfigMap",
        "configmaps",
        ("cm",),
        model="V1ConfigMap",
        description="Configuration that pods read: pairs of names and values.",
    ),
    Resource(
        "",
        "v1",
        "Endpoints",
        "endpoints",
        ("ep",),
        model="V1Endpoints",
        description="The addresses and ports behind a Service.",
    ),
    Resource(
        "",
        "v1",
        "Event",
        "events",
        ("ev",),
        model="CoreV1Event",
        description="What happened to an object, kept for an hour.",
    ),
    Resource(
        "",
        "v1",
        "Namespace",
        "namespaces",
        ("ns",),
        namespaced=False,
        subresources=(_status("Namespace"),),
        model="V1Namespace",
        verbs=tuple(verb for verb in STORED_VERBS if verb != "deletecollection"),
        description="A scope for names: most objects live in one, and go with it.",
    ),
    Resource(
        "",
        "v1",
        "Pod",
        "pods",
        ("po",),
        categories=ALL,
        subresources=(Subresource("binding", "Binding", CREATE_ONLY), Subresource("log", "Pod", ("get",)), _status("Pod")),
        model="V1Pod",
        description="Containers that run together. minipdk runs those that KServe's controllers make.",
    ),
    Resource(
        "",
        "v1",
        "Secret",
        "secrets",
        model="V1Secret",
        description="Values that pods need and that others should not see, such as the keys of a model store.",
    ),
    Resource(
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        ("sa",),
        subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
        model="V1ServiceAccount",
        description="Whom a pod acts as: the secrets it may use, and tokens for this API.",
    ),
    Resource(
        "",
        "v1",
        "Service",
        "services",
        ("svc",),
        categories=ALL,
        subresources=(_status("Service"),),
        model="V1Service",
        description="A name for a set of pods. minipdk gives it no address of its own.",
    ),
    Resource(
        "apps",
        "v1",
        "Deployment",
        "deployments",
        ("deploy",),
        categories=ALL,
        subresources=(_status("Deployment"),),
        model="V1Deployment",
        description="Pods that are kept at a number and replaced in turn. minipdk keeps Deployments but does not run them.",
    ),
    Resource(
        SERVING,
        "v1beta1",
        "InferenceService",
        "inferenceservices",
        ("isvc",),
        subresources=(_status("InferenceService"),),
        model="V1beta1InferenceService",
        custom=True,
        description="A model behind an HTTP endpoint: where its files are, in which format, and how it is served.",
    ),
    Resource(
        SERVING,
        "v1alpha1",
        "ServingRuntime",
        "servingruntimes",
        model="V1alpha1ServingRuntime",
        custom=True,
        description="How the models of some formats are served in one namespace.",
    ),
    Resource(
        SERVING,
        "v1alpha1",
        "ClusterServingRuntime",
        "clusterservingruntimes",
        namespaced=False,
        model="V1alpha1ClusterServingRuntime",
        custom=True,
        description="How the models of some formats are served in every namespace.",
    ),
    Resource(
        SELDON,
        "v1",
        "SeldonDeployment",
        "seldondeployments",
        ("sdep",),
        categories=ALL,
        subresources=(_status("SeldonDeployment"),),
        custom=True,
        description="A graph of models of Seldon Core. minipdk keeps SeldonDeployments but does not serve them.",
    ),
)

REVIEWS = (
    Resource(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
        namespaced=False,
        model="V1SelfSubjectReview",
        verbs=CREATE_ONLY,
        description="Who this request comes from.",
    ),
    Resource(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        namespaced=False,
        model="V1SelfSubjectAccessReview",
        verbs=CREATE_ONLY,
        description="Whether whoever asks may do one thing.",
    ),
    Resource(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        namespaced=False,
        model="V1SelfSubjectRulesReview",
        verbs=CREATE_ONLY,
        description="Everything that whoever asks may do in a namespace.",
    ),
)
"""Questions that are answered and not kept."""

UNSUPPORTED_SUBRESOURCES = {
    "namespaces": ("finalize",),
    "pods": ("attach", "ephemeralcontainers", "eviction", "exec", "portforward", "proxy", "resize"),
    "services": ("proxy",),
    "deployments": ("scale",),
}
"""Subresources of a real cluster that are refused by name."""

NAMESPACES = next(one for one in RESOURCES if one.kind == "Namespace")
PODS = next(one for one in RESOURCES if one.kind == "Pod")
EVENTS = next(one for one in RESOURCES if one.kind == "Event")
SERVICE_ACCOUNTS = next(one for one in RESOURCES if one.kind == "ServiceAccount")
SECRETS = next(one for one in RESOURCES if one.kind == "Secret")
CONFIG_MAPS = next(one for one in RESOURCES if one.kind == "ConfigMap")

_BY_PLURAL = {(one.group, one.version, one.plural): one for one in (*RESOURCES, *REVIEWS)}
BY_KEY = {one.key: one for one in RESOURCES}


def find(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PLURAL.get((group, version, plural))


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version) that is served, the core group first, each group's preferred version first."""
    found = dict.fromkeys((one.group, one.version) for one in (*RESOURCES, *REVIEWS))
    return sorted(found, key=lambda pair: (pair[0], pair[1] != "v1beta1", pair[1]))


def of_group(group: str, version: str) -> list[Resource]:
    return [one for one in (*RESOURCES, *REVIEWS) if (one.group, one.version) == (group, version)]
