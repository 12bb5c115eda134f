"""Whose a token is, and what somebody may do: the reviews that other servers ask for."""

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


def issued(core: CoreV1Api, *audiences: str) -> str:
    request = AuthenticationV1TokenRequest(spec=V1TokenRequestSpec(audiences=list(audiences)))
    return str(core.create_namespaced_service_account_token("default", "models", request).status.token)


def reviewed(client: ApiClient, token: str, *audiences: str) -> Any:
    spec = V1TokenReviewSpec(token=token, audiences=list(audiences) or None)
    return AuthenticationV1Api(client).create_token_review(V1TokenReview(spec=spec)).status


def test_a_token_review_tells_whose_a_token_is_and_for_whom(client: ApiClient, core: CoreV1Api) -> None:
    account = "system:serviceaccount:models:default"
    assert reviewed(client, issued(core)).user.username == account
    meant = reviewed(client, issued(core, "vault"), "vault", "other")
    assert (meant.authenticated, meant.user.username, meant.audiences) == (True, account, ["vault"])
    for wrong in (reviewed(client, issued(core, "vault")), reviewed(client, "nonsense"), reviewed(client, "é.é.é")):
        assert (wrong.authenticated, wrong.error) == (None, "invalid bearer token")
    with pytest.raises(ApiException, match="token is required for TokenReview"):
        reviewed(client, "")


def may(client: ApiClient, resource: str, verb: str, **who: Any) -> Any:
    attributes = {"namespace": "models", "resource": resource, "verb": verb}
    spec = V1SubjectAccessReviewSpec(resource_attributes=attributes, **who)
    return AuthorizationV1Api(client).create_subject_access_review(V1SubjectAccessReview(spec=spec)).status


def test_those_who_can_have_a_token_may_do_all_there_is(client: ApiClient) -> None:
    assert may(client, "pods", "delete", user="system:serviceaccount:models:default").allowed
    assert may(client, "pods", "delete", user="jane", groups=["system:masters"]).allowed
    assert may(client, "persistentvolumes", "create", user="minipdk-admin").reason == (
        "create of persistentvolumes is not supported by minipdk"
    )
    for nobody in ("jane", "system:serviceaccount:models:gone", "x-system:serviceaccount:models:default"):
        assert not may(client, "pods", "get", user=nobody).allowed
    with pytest.raises(ApiException, match="at least one of user or group must be specified"):
        may(client, "pods", "get")


def test_a_local_review_is_about_its_own_namespace(client: ApiClient) -> None:
    def ask(namespace: str) -> Any:
        spec = V1SubjectAccessReviewSpec(
            user="minipdk-admin", resource_attributes={"namespace": namespace, "resource": "pods", "verb": "list"}
        )
        body = V1LocalSubjectAccessReview(metadata={"namespace": "models"}, spec=spec)
        return AuthorizationV1Api(client).create_namespaced_local_subject_access_review("models", body).status.allowed

    assert ask("models")
    with pytest.raises(ApiException, match=r"must match metadata\.namespace"):
        ask("default")
