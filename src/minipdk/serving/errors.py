"""Every way in which serving a model can fail.

    ServingError
    |-- GatewayError               the ingress cannot run on this machine, or does not take its configuration
    |-- InvalidSpecError           an InferenceService that cannot be served; its status has reason and message
    |   |-- NotSupportedError      ... because minipdk lacks what it asks for, which is named
    |   |-- ServingRuntimeError    ... because no ServingRuntime serves its model
    |   `-- SourceError            ... yet: the Secret or the folder of its model is missing
    |-- ContainerError             a container cannot be started yet; its Pod's status has reason and message
    `-- ApiError                   the Kubernetes API refused a request
        |-- NotFoundError          404
        |-- ConflictError          409, the object changed meanwhile: read it again
        `-- GoneError              410, the watch is too old: list again

A predictor's own errors (a bad request body, a failing handler) are answered inside its container:
`minipdk.serving.predictors.model_server`.
"""

from __future__ import annotations


class ServingError(Exception):
    """The root of this tree."""


class GatewayError(ServingError):
    """Envoy cannot run; the message says why and what to do. Its answers to requests: `minipdk.serving.gateway.replies`."""


class InvalidSpecError(ServingError):
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


class ContainerError(ServingError):
    """A Secret, a ConfigMap or the image of a container is missing. ``reason`` is the waiting state's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ApiError(ServingError):
    """The Kubernetes API answered ``status``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class NotFoundError(ApiError):
    """There is no such object."""


class ConflictError(ApiError):
    """The object has changed or exists already."""


class GoneError(ApiError):
    """The resource version is too old to watch from."""
