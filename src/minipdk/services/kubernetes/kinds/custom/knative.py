"""Knative's kinds, made by the controller of InferenceServices: Services for predictors, Revisions for their changes."""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.columns import NAME, condition, custom
from minipdk.services.kubernetes.model import Column, Resource, status_of

KNATIVE = "serving.knative.dev"

REVISIONS = Resource(
    *(KNATIVE, "v1", "Revision", "revisions", ("rev",)),
    categories=("all",),
    subresources=(status_of("Revision"),),
    custom=True,
    description="One version of an InferenceService's predictor and its pods, made by KServe's controllers.",
    columns=(
        NAME,
        Column("Config Name", custom("metadata", "labels", "serving.knative.dev/configuration")),
        Column("Generation", custom("metadata", "labels", "serving.knative.dev/configurationGeneration")),
        Column("Ready", condition("Ready")),
        Column("Reason", condition("Ready", "reason")),
        Column("Actual Replicas", custom("status", "actualReplicas"), kind="integer"),
        Column("Desired Replicas", custom("status", "desiredReplicas"), kind="integer"),
    ),
)

KNATIVE_SERVICES = Resource(
    *(KNATIVE, "v1", "Service", "services", ("ksvc", "kservice")),
    categories=("all",),
    subresources=(status_of("Service"),),
    custom=True,
    description="An InferenceService's predictor and the shares of its revisions, made by KServe's controllers.",
    columns=(
        NAME,
        Column("URL", custom("status", "url")),
        Column("LatestCreated", custom("status", "latestCreatedRevisionName")),
        Column("LatestReady", custom("status", "latestReadyRevisionName")),
        Column("Ready", condition("Ready")),
        Column("Reason", condition("Ready", "reason")),
    ),
)
