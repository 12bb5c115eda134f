"""The ways in which running a pipeline fails. The failures of calls are in `minipdk.services.pachyderm.errors`.

PachydermError
`- JobFinishedError    a terminal job cannot change
NotReadyError          the pipeline's workers cannot start: it is CRASHING until the reason is gone
FailedTryError         a try of a datum failed; the datum may have more tries
StoppedError           the job was cancelled while its datum ran
"""

from __future__ import annotations

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps.model import Key


class JobFinishedError(PachydermError):
    def __init__(self, key: Key) -> None:
        super().__init__(f"job {key} has already finished")


class NotReadyError(Exception):
    """The message is the reason."""


class FailedTryError(Exception):
    """The message is the reason."""


class StoppedError(Exception):
    """No result of the datum is kept."""
