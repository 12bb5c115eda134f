"""Every way in which an InferenceService cannot be served; its status has reason and message.

    InvalidSpecError
    |-- NotSupportedError      the spec names a feature that minipdk lacks
    |-- ServingRuntimeError    no ServingRuntime serves its model
    `-- SourceError            the Secret or the folder of its model is missing, so far

A predictor's errors (a bad request body, a failing handler) are answered inside its container:
`minipdk.services.kserve.predictors.model_server`.
"""

from __future__ import annotations


class InvalidSpecError(Exception):
    """The InferenceService's spec is wrong. ``summary`` is KServe's text for the modelStatus, if that differs."""

    reason = "InvalidPredictorSpec"  # one of KServe's failure reasons
    may_pass = False
    """Whether the cause may go away without a change of the objects that the controller follows."""

    def __init__(self, message: str, *, summary: str = "") -> None:
        super().__init__(message)
        self.summary = summary or message


class ServingRuntimeError(InvalidSpecError):
    """No runtime serves the model, or the runtime that it names does not; ``reason`` distinguishes them."""

    def __init__(self, message: str, *, reason: str, summary: str) -> None:
        super().__init__(message, summary=summary)
        self.reason = reason


class NotSupportedError(InvalidSpecError):
    """The spec uses a ``feature`` that minipdk does not have."""

    def __init__(self, feature: str, instead: str = "") -> None:
        super().__init__(f"{feature} is not supported by minipdk" + (f": {instead}" if instead else ""))


class SourceError(InvalidSpecError):
    """The InferenceService names storage credentials, or a folder of this machine, that do not exist."""

    may_pass = True
