"""Tokens, and the reviews by which other servers ask about users and permissions."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client import (
    ApiClient,
    ApiException,
    AuthenticationV1Api,
    AuthenticationV1TokenRequest,
    AuthorizationV1Api,
    CoreV1Api,
    V1LocalSubjectAccessReview,
    V1SubjectAccessReview,
    V1SubjectAccessReviewSpec,
    V1TokenRequestSpec,
    V1TokenReview,
    V1TokenReviewSpec,
)
from tests.minipdk.services.kubernetes.conftest import PODS, Http


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic dGVzdC10b2tlbg==", "Bearer a.b.c", "Bearer é"])
def test_a_request_without_the_token_is_unauthorized(http: Http, token: str) -> None:
    code, status = http("GET", PODS, Authorization=token)
    assert (code, status["kind"], status["reason"]) == (401, "Status", "Unauthorized")


def issued(core: CoreV1Api, *audiences: str) -> str:
    request = AuthenticationV1TokenRequest(spec=V1TokenRequestSpec(audiences=list(audiences)))
    return str(core.create_namespaced_service_account_token("default", "models", request).status.token)


def reviewed(client: ApiClient, token: str, *audiences: str) -> Any:
    spec = V1TokenReviewSpec(token=token, audiences=list(audiences) or None)
    return AuthenticationV1Api(client).create_token_review(V1TokenReview(spec=spec)).status


def test_a_token_review_names_the_user_and_the_audiences(client: ApiClient, core: CoreV1Api) -> None:
    account = "system:serviceaccount:models:default"
    assert reviewed(client, issued(core)).user.username == account
    review = reviewed(client, issued(core, "vault"), "vault", "other")
    assert (review.authenticated, review.user.username, review.audiences) == (True, account, ["vault"])
    for wrong in (reviewed(client, issued(core, "vault")), reviewed(client, "nonsense"), reviewed(client, "é.é.é")):
        assert (wrong.authenticated, wrong.error) == (None, "invalid bearer token")
    with pytest.raises(ApiException, match="token is required for TokenReview"):
        reviewed(client, "")


def may(client: ApiClient, resource: str, verb: str, **who: Any) -> Any:
    attributes = {"namespace": "models", "resource": resource, "verb": verb}
    spec = V1SubjectAccessReviewSpec(resource_attributes=attributes, **who)
    return AuthorizationV1Api(client).create_subject_access_review(V1SubjectAccessReview(spec=spec)).status


def test_users_with_a_token_may_do_everything_that_exists(client: ApiClient) -> None:
    assert may(client, "pods", "delete", user="system:serviceaccount:models:default").allowed
    assert may(client, "pods", "delete", user="jane", groups=["system:masters"]).allowed
    assert may(client, "persistentvolumes", "create", user="minipdk-admin").reason == (
        "create of persistentvolumes is not supported by minipdk"
    )
    for stranger in ("jane", "system:serviceaccount:models:gone", "x-system:serviceaccount:models:default"):
        assert not may(client, "pods", "get", user=stranger).allowed
    with pytest.raises(ApiException, match="at least one of user or group must be specified"):
        may(client, "pods", "get")


def test_a_local_review_is_about_its_namespace_alone(client: ApiClient) -> None:
    def ask(namespace: str) -> Any:
        spec = V1SubjectAccessReviewSpec(
            user="minipdk-admin", resource_attributes={"namespace": namespace, "resource": "pods", "verb": "list"}
        )
        body = V1LocalSubjectAccessReview(metadata={"namespace": "models"}, spec=spec)
        return AuthorizationV1Api(client).create_namespaced_local_subject_access_review("models", body).status.allowed

    assert ask("models")
    with pytest.raises(ApiException, match=r"must match metadata\.namespace"):
        ask("default")
