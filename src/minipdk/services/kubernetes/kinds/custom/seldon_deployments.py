"""SeldonDeployments of Seldon Core. `seldon_validation` is Seldon's admission webhook."""

from __future__ import annotations

from minipdk.services.kubernetes.errors import InvalidError, Subject
from minipdk.services.kubernetes.kinds.columns import CUSTOM_AGE, NAME
from minipdk.services.kubernetes.kinds.custom.seldon_validation import faults
from minipdk.services.kubernetes.model import Object, Peers, Resource, Strategy, status_of

SELDON = "machinelearning.seldon.io"
WEBHOOK = "v1.vseldondeployment.kb.io"
SUBJECT = Subject("machinelearing.seldon.io", "SeldonDeployment")
"""The subject of the webhook's answer: its group is misspelt, and it has no name."""


def admit(sdep: Object, _peers: Peers, _old: Object | None = None) -> None:
    """Raise InvalidError, worded as the webhook's denial, for a SeldonDeployment that Seldon would refuse."""
    if causes := list(faults(sdep)):
        error = InvalidError(SUBJECT, causes)
        error.message = f'admission webhook "{WEBHOOK}" denied the request: {error.message}'
        raise error


SELDON_DEPLOYMENTS = Resource(
    *(SELDON, "v1", "SeldonDeployment", "seldondeployments", ("sdep",)),
    categories=("all",),
    subresources=(status_of("SeldonDeployment"),),
    model="SeldonDeployment",
    custom=True,
    description="Models behind an HTTP endpoint, each in a container with its own server.",
    strategy=Strategy(admit=admit),
    columns=(NAME, CUSTOM_AGE),
)
