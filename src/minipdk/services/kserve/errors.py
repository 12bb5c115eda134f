"""Every way in which an InferenceService cannot be served; its status has reason and message.

    InvalidSpecError
    |-- NotSupportedError      minipdk lacks a feature that it requires, which is named
    |-- ServingRuntimeError    no ServingRuntime serves its model
    `-- SourceError            the Secret or the folder of its model is missing, so far

A predictor's errors (a bad request body, a failing handler) are answered inside its container:
`minipdk.services.kserve.predictors.model_server`.
"""

from __future__ import annotations


class InvalidSpecError(Exception):
    """The InferenceService's spec is wrong. ``told`` is what KServe's modelStatus says of it, where that differs."""

    reason = "InvalidPredictorSpec"  # one of KServe's failure reasons
    may_pass = False
    """Whether to look again before anything that is followed has changed."""

    def __init__(self, message: str, *, told: str = "") -> None:
        super().__init__(message)
        self.told = told or message


class ServingRuntimeError(InvalidSpecError):
    """No runtime serves the model, or the one that it names does not; ``reason`` says which."""

    def __init__(self, message: str, *, reason: str, told: str) -> None:
        super().__init__(message, told=told)
        self.reason = reason


class NotSupportedError(InvalidSpecError):
    """The spec asks for something that minipdk does not have."""

    def __init__(self, what: str, instead: str = "") -> None:
        super().__init__(f"{what} is not supported by minipdk" + (f": {instead}" if instead else ""))


class SourceError(InvalidSpecError):
    """The storage credentials, or the folder of this machine, that the InferenceService points at are not there."""

    may_pass = True
