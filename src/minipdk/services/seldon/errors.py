"""Every way in which a SeldonDeployment cannot be served; its status is Failed and has the message.

    SeldonError
    |-- NotSupportedError  the spec names a feature that minipdk lacks
    `-- RejectedError      the API server refuses an object that it leads to: a Deployment, a Service or a Pod

What Seldon's webhook refuses is never stored: `minipdk.services.kubernetes.kinds.custom`.
"""

from __future__ import annotations


class SeldonError(Exception):
    """The SeldonDeployment cannot be served."""

    may_pass = False
    """Whether the cause may go away without a change of the objects that the controller follows."""


class NotSupportedError(SeldonError):
    """The spec uses a ``feature`` that minipdk does not have."""

    def __init__(self, feature: str, instead: str = "") -> None:
        super().__init__(f"{feature} is not supported by minipdk" + (f": {instead}" if instead else ""))


class RejectedError(SeldonError):
    """The API server refuses an object, such as a Pod of a ServiceAccount that does not exist."""

    may_pass = True
