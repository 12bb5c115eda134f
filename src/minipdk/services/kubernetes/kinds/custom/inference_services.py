"""InferenceServices. `inference_service_defaults` and `inference_service_validation` are KServe's admission webhooks."""

from __future__ import annotations

from collections.abc import Callable

from minipdk.services.kubernetes.errors import ForbiddenError, Subject
from minipdk.services.kubernetes.kinds.columns import CUSTOM_AGE, NAME, at, condition, custom
from minipdk.services.kubernetes.kinds.custom import inference_service_defaults as defaults
from minipdk.services.kubernetes.kinds.custom.inference_service_validation import faults, schema_faults
from minipdk.services.kubernetes.model import Cell, Column, Object, Peers, Resource, Strategy, status_of

SERVING = "serving.kserve.io"
WEBHOOK = "inferenceservice.kserve-webhook-server.validator"


def admit(service: Object, _peers: Peers, old: Object | None = None) -> None:
    """Raise ForbiddenError, worded as the webhook's denial, for an InferenceService that KServe would refuse."""
    for reason in faults(service, old):
        subject = Subject(SERVING, "inferenceservices", service["metadata"]["name"])
        raise ForbiddenError(f'admission webhook "{WEBHOOK}" denied the request: {reason}', subject)


def _traffic(field: str, is_target: Callable[[Object], bool]) -> Callable[[Object], Cell]:
    """A field of the predictor's traffic target that ``is_target`` chooses, as in KServe's printer columns."""

    def cell(service: Object) -> Cell:
        targets = at(service, "status", "components", "predictor", "traffic", default=())
        return next((target.get(field) for target in targets if is_target(target)), None)

    return cell


def _is_previous(target: Object) -> bool:
    return target.get("tag") == "prev"


def _is_latest(target: Object) -> bool:
    return bool(target.get("latestRevision"))


INFERENCE_SERVICES = Resource(
    *(SERVING, "v1beta1", "InferenceService", "inferenceservices", ("isvc",)),
    subresources=(status_of("InferenceService"),),
    model="V1beta1InferenceService",
    custom=True,
    description="A model behind an HTTP endpoint: where its files are, in which format, and how it is served.",
    strategy=Strategy(mutate=defaults.defaulted, default=defaults.default, validate=schema_faults, admit=admit),
    columns=(
        NAME,
        Column("URL", custom("status", "url")),
        Column("Ready", condition("Ready")),
        Column("Prev", _traffic("percent", _is_previous), kind="integer"),
        Column("Latest", _traffic("percent", _is_latest), kind="integer"),
        Column("PrevRolledoutRevision", _traffic("revisionName", _is_previous)),
        Column("LatestReadyRevision", _traffic("revisionName", _is_latest)),
        CUSTOM_AGE,
    ),
)
