"""Waiting for an endpoint that cannot become ready ends with the reason, not with the time limit."""

from __future__ import annotations

import pytest
from kserve import (
    V1beta1InferenceService,
    V1beta1InferenceServiceSpec,
    V1beta1PredictorSpec,
    V1beta1TorchServeSpec,
    V1beta1XGBoostSpec,
)
from kubernetes.client import V1Container, V1ObjectMeta

from course import Profile, pipelines
from course.endpoint import EndpointError

PREDICTORS = {
    "missing-image": V1beta1PredictorSpec(containers=[V1Container(name="kserve-container", image="nowhere:1.0")]),
    "ended-server": V1beta1PredictorSpec(
        containers=[V1Container(name="kserve-container", image="ubuntu", command=["sh", "-c", "exit 3"])]
    ),
    "no-credentials": V1beta1PredictorSpec(pytorch=V1beta1TorchServeSpec(storage_uri="s3://a/b")),
    "no-runtime": V1beta1PredictorSpec(xgboost=V1beta1XGBoostSpec(storage_uri="s3://a/b")),
}
REASONS = {
    "missing-image": "nowhere:1.0",
    "ended-server": "status 3",
    "no-credentials": "no S3 endpoint",
    "no-runtime": "No runtime found",
}


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_definite_failure_ends_the_wait_with_its_reason(name: str, profile: Profile) -> None:
    namespace = profile["KSERVE_NAMESPACE"]
    service = V1beta1InferenceService(
        api_version="serving.kserve.io/v1beta1",
        kind="InferenceService",
        metadata=V1ObjectMeta(name=name, namespace=namespace),
        spec=V1beta1InferenceServiceSpec(predictor=PREDICTORS[name]),
    )
    profile.kserve.create(service, namespace=namespace)
    with pytest.raises(EndpointError, match=f"{name} cannot become ready: .*{REASONS[name]}"):
        pipelines.wait_for_endpoint(profile, name)
    profile.kserve.delete(name, namespace=namespace)


def test_an_endpoint_that_does_not_exist_is_not_waited_for(profile: Profile) -> None:
    with pytest.raises(EndpointError, match="there is no InferenceService nothing"):
        pipelines.wait_for_endpoint(profile, "nothing")
