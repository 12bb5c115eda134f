"""SeldonDeployments of Seldon Core. minipdk stores them and serves none, and their status says so."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.kubernetes.errors import Cause, required
from minipdk.services.kubernetes.kinds.columns import CUSTOM_AGE, NAME
from minipdk.services.kubernetes.model import Object, Resource, Strategy, Unserved, status_of

SELDON = "machinelearning.seldon.io"


def validate_seldon_deployment(deployment: Object) -> Iterator[Cause]:
    spec = deployment.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("predictors"), list) or not spec["predictors"]:
        yield required("spec.predictors")
        return
    for index, predictor in enumerate(spec["predictors"]):
        for field in ("name", "graph"):
            if not isinstance(predictor, dict) or not predictor.get(field):
                yield required(f"spec.predictors[{index}].{field}")


def unserved_status(_: Object, message: str) -> Object:
    return {"state": "Failed", "description": message}


SELDON_DEPLOYMENTS = Resource(
    *(SELDON, "v1", "SeldonDeployment", "seldondeployments", ("sdep",)),
    categories=("all",),
    subresources=(status_of("SeldonDeployment"),),
    custom=True,
    description="A graph of models of Seldon Core. minipdk keeps SeldonDeployments but does not serve them.",
    strategy=Strategy(
        validate=validate_seldon_deployment,
        unserved=Unserved("minipdk keeps SeldonDeployments but does not serve them", unserved_status),
    ),
    columns=(NAME, CUSTOM_AGE),
)
