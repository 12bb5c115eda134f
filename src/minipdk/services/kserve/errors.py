"""Every way in which an InferenceService cannot be served; its status says so as KServe's controller would write it.

    ServiceError
    |-- InvalidSpecError         KServe refuses the spec: an event, and for a model its status; the conditions stay
    |   |-- ServingRuntimeError  no ServingRuntime serves its model
    |   `-- StorageUriError      no model can be fetched from there
    |-- ReconcileError           Knative refuses the Service that KServe makes: PredictorReady is False
    |   `-- NotSupportedError    the spec names a feature that minipdk lacks
    `-- PodError                 the revision's Pods cannot be made, so that it has failed
        `-- SourceError          the Secret or the folder of its model is missing, so far

A predictor's errors (a bad request body, a failing handler) are answered inside its container:
`minipdk.services.kserve.predictors.model_server`.
"""

from __future__ import annotations

INVALID_PREDICTOR = "InvalidPredictorSpec"  # one of KServe's failure reasons
KNATIVE_WEBHOOK = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed'


class ServiceError(Exception):
    """The service cannot be served. ``reason`` and ``summary`` are its modelStatus' failure; "" if that has none."""

    reason = ""
    may_pass = False
    """Whether the cause may go away without a change of the objects that the controller follows."""

    def __init__(self, message: str, *, summary: str = "") -> None:
        super().__init__(message)
        self.summary = summary or message


class InvalidSpecError(ServiceError):
    """KServe's controller refuses the spec."""

    reason = INVALID_PREDICTOR


class ServingRuntimeError(InvalidSpecError):
    """No runtime serves the model, or the runtime that it names does not; ``reason`` distinguishes them."""

    def __init__(self, message: str, *, reason: str, summary: str) -> None:
        super().__init__(message, summary=summary)
        self.reason = reason


class StorageUriError(InvalidSpecError):
    """The model's place is none from which KServe fetches models."""

    reason = ""


class ReconcileError(ServiceError):
    """Knative refuses the Knative Service. Its words, such as ``missing field(s): ...``, are put into its webhook's."""

    def __init__(self, message: str) -> None:
        super().__init__(f"fails to reconcile predictor: {KNATIVE_WEBHOOK}: {message}")


class NotSupportedError(ReconcileError):
    """The spec uses a ``feature`` that minipdk does not have."""

    reason = INVALID_PREDICTOR

    def __init__(self, feature: str, instead: str = "") -> None:
        ServiceError.__init__(self, f"{feature} is not supported by minipdk" + (f": {instead}" if instead else ""))


class PodError(ServiceError):
    """The API server refuses the revision's Pods."""


class SourceError(PodError):
    """The InferenceService names storage credentials, or a folder of this machine, that do not exist."""

    may_pass = True
