"""The kinds this API server keeps, one row each. Discovery, routes, schemas and tables all read this table."""

from __future__ import annotations

from minipdk.services.kubernetes.model import (
    CREATE_ONLY,
    KNATIVE,
    READ_ONLY,
    SELDON,
    SERVING,
    STORED_VERBS,
    Resource,
    Subresource,
)


def _status(kind: str) -> Subresource:
    return Subresource("status", kind, ("get", "patch", "update"))


ALL = ("all",)
AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
EVENTS_GROUP, POLICY = "events.k8s.io", "policy"

# Kubernetes' core
CONFIG_MAPS = Resource(
    *("", "v1", "ConfigMap", "configmaps", ("cm",)),
    model="V1ConfigMap",
    description="Configuration that pods read: pairs of names and values.",
)
ENDPOINTS = Resource(
    *("", "v1", "Endpoints", "endpoints", ("ep",)),
    model="V1Endpoints",
    description="The addresses and ports behind a Service.",
)
EVENTS = Resource(
    *("", "v1", "Event", "events", ("ev",)),
    model="CoreV1Event",
    description="What happened to an object, kept for an hour.",
)
NAMESPACES = Resource(
    *("", "v1", "Namespace", "namespaces", ("ns",)),
    namespaced=False,
    subresources=(_status("Namespace"),),
    model="V1Namespace",
    verbs=tuple(verb for verb in STORED_VERBS if verb != "deletecollection"),
    description="A scope for names: most objects live in one, and go with it.",
)
NODES = Resource(
    *("", "v1", "Node", "nodes", ("no",)),
    namespaced=False,
    subresources=(_status("Node"),),
    model="V1Node",
    description="A machine that runs pods. minipdk has one, which registers itself.",
)
CLAIMS = Resource(
    *("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",)),
    subresources=(_status("PersistentVolumeClaim"),),
    model="V1PersistentVolumeClaim",
    description="Storage that outlives the pods that use it. minipdk gives each claim a folder of the cluster's.",
)
VOLUMES = Resource(
    *("", "v1", "PersistentVolume", "persistentvolumes", ("pv",)),
    namespaced=False,
    model="V1PersistentVolume",
    verbs=READ_ONLY,
    description="The storage behind a claim: made with it, and gone with it.",
)
PODS = Resource(
    *("", "v1", "Pod", "pods", ("po",)),
    categories=ALL,
    subresources=(
        Subresource("binding", "Binding", CREATE_ONLY),
        Subresource("eviction", "Eviction", CREATE_ONLY, POLICY, "v1"),
        Subresource("log", "Pod", ("get",)),
        _status("Pod"),
    ),
    model="V1Pod",
    description="Containers that run together on the node.",
)
SECRETS = Resource(
    *("", "v1", "Secret", "secrets"),
    model="V1Secret",
    description="Values that pods need and that others should not see, such as the keys of a model store.",
)
SERVICE_ACCOUNTS = Resource(
    *("", "v1", "ServiceAccount", "serviceaccounts", ("sa",)),
    subresources=(Subresource("token", "TokenRequest", CREATE_ONLY, AUTHENTICATION, "v1"),),
    model="V1ServiceAccount",
    description="Whom a pod acts as: the secrets it may use, and tokens for this API.",
)
SERVICES = Resource(
    *("", "v1", "Service", "services", ("svc",)),
    categories=ALL,
    subresources=(_status("Service"),),
    model="V1Service",
    description="A name for a set of pods. minipdk gives it no address of its own.",
)

# Kubernetes' other groups
DEPLOYMENTS = Resource(
    *("apps", "v1", "Deployment", "deployments", ("deploy",)),
    categories=ALL,
    subresources=(_status("Deployment"),),
    model="V1Deployment",
    description="Pods that are kept at a number and replaced in turn. minipdk keeps Deployments but does not run them.",
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    *("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", ("crd", "crds")),
    namespaced=False,
    categories=("api-extensions",),
    verbs=READ_ONLY,
    description="A kind that was added to Kubernetes' own, such as KServe's.",
)
LEASES = Resource(
    *("coordination.k8s.io", "v1", "Lease", "leases"),
    model="V1Lease",
    description="Who holds something, and until when; a node's says that it lives.",
)
NEW_EVENTS = Resource(
    *(EVENTS_GROUP, "v1", "Event", "events", ("ev",)),
    model="EventsV1Event",
    kept_as=EVENTS.key,
    description="What happened to an object, kept for an hour; the core group's events in their newer form.",
)
STORAGE_CLASSES = Resource(
    *("storage.k8s.io", "v1", "StorageClass", "storageclasses", ("sc",)),
    namespaced=False,
    model="V1StorageClass",
    verbs=READ_ONLY,
    description="A kind of storage that claims can ask for. minipdk has one.",
)

# Custom kinds
INFERENCE_SERVICES = Resource(
    *(SERVING, "v1beta1", "InferenceService", "inferenceservices", ("isvc",)),
    subresources=(_status("InferenceService"),),
    model="V1beta1InferenceService",
    custom=True,
    description="A model behind an HTTP endpoint: where its files are, in which format, and how it is served.",
)
SERVING_RUNTIMES = Resource(
    *(SERVING, "v1alpha1", "ServingRuntime", "servingruntimes"),
    model="V1alpha1ServingRuntime",
    custom=True,
    description="How the models of some formats are served in one namespace.",
)
CLUSTER_SERVING_RUNTIMES = Resource(
    *(SERVING, "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes"),
    namespaced=False,
    model="V1alpha1ClusterServingRuntime",
    custom=True,
    description="How the models of some formats are served in every namespace.",
)
REVISIONS = Resource(
    *(KNATIVE, "v1", "Revision", "revisions", ("rev",)),
    categories=ALL,
    subresources=(_status("Revision"),),
    custom=True,
    description="One version of an InferenceService's predictor, made by KServe's controllers: what its pods are like.",
)
SELDON_DEPLOYMENTS = Resource(
    *(SELDON, "v1", "SeldonDeployment", "seldondeployments", ("sdep",)),
    categories=ALL,
    subresources=(_status("SeldonDeployment"),),
    custom=True,
    description="A graph of models of Seldon Core. minipdk keeps SeldonDeployments but does not serve them.",
)

RESOURCES = (
    *(CONFIG_MAPS, ENDPOINTS, EVENTS, NAMESPACES, NODES, CLAIMS, VOLUMES, PODS, SECRETS, SERVICE_ACCOUNTS, SERVICES),
    *(DEPLOYMENTS, CUSTOM_RESOURCE_DEFINITIONS, LEASES, NEW_EVENTS, STORAGE_CLASSES),
    *(INFERENCE_SERVICES, SERVING_RUNTIMES, CLUSTER_SERVING_RUNTIMES, REVISIONS, SELDON_DEPLOYMENTS),
)


def _review(group: str, kind: str, description: str, *, namespaced: bool = False) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(
        group, "v1", kind, plural, namespaced=namespaced, model=f"V1{kind}", verbs=CREATE_ONLY, description=description
    )


REVIEWS = (
    _review(AUTHENTICATION, "SelfSubjectReview", "Who this request comes from."),
    _review(AUTHENTICATION, "TokenReview", "Whose a token is."),
    _review(AUTHORIZATION, "LocalSubjectAccessReview", "Whether somebody may do one thing in a namespace.", namespaced=True),
    _review(AUTHORIZATION, "SelfSubjectAccessReview", "Whether whoever asks may do one thing."),
    _review(AUTHORIZATION, "SelfSubjectRulesReview", "Everything that whoever asks may do in a namespace."),
    _review(AUTHORIZATION, "SubjectAccessReview", "Whether somebody may do one thing."),
)
"""Questions that are answered and not kept."""

UNSUPPORTED_SUBRESOURCES = {
    "namespaces": ("finalize",),
    "nodes": ("proxy",),
    "pods": ("attach", "ephemeralcontainers", "eviction", "exec", "portforward", "proxy", "resize"),
    "services": ("proxy",),
    "deployments": ("scale",),
}
"""Subresources of a real cluster that are refused by name."""
EMPTY_GROUP_VERSIONS = ((POLICY, "v1"),)
"""Groups without kinds that clients look for: where there is policy/v1, `kubectl drain` evicts pods and deletes none."""

_BY_PLURAL = {(one.group, one.version, one.plural): one for one in (*RESOURCES, *REVIEWS)}
BY_KEY = {one.key: one for one in RESOURCES if not one.kept_as}


def find(group: str, version: str, plural: str) -> Resource | None:
    return _BY_PLURAL.get((group, version, plural))


def is_unsupported(resource: Resource, part: str) -> bool:
    """Whether ``part`` is a subresource that is refused by name, be it listed or not."""
    return part in UNSUPPORTED_SUBRESOURCES.get(resource.plural, ())


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version) that is served, the core group first, each group's preferred version first."""
    found = dict.fromkeys([*((one.group, one.version) for one in (*RESOURCES, *REVIEWS)), *EMPTY_GROUP_VERSIONS])
    return sorted(found, key=lambda pair: (pair[0], pair[1] != "v1beta1", pair[1]))


def of_group(group: str, version: str) -> list[Resource]:
    return [one for one in (*RESOURCES, *REVIEWS) if (one.group, one.version) == (group, version)]
