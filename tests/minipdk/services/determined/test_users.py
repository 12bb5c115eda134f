"""Logins, tokens and users, and the shape of refusals."""

from __future__ import annotations

import pytest
import requests
from determined.common.api import authentication, errors
from tests.minipdk.services.determined.conftest import Cluster

from minipdk.services.determined.users import client_hash


@pytest.mark.parametrize("user", ["determined", "admin"])
def test_password_of_the_built_in_users_is_the_clusters_token(cluster: Cluster, user: str) -> None:
    assert cluster.session(user).get("api/v1/me").json()["user"]["username"] == user


def test_wrong_password_is_forbidden_in_the_vendors_shape(cluster: Cluster) -> None:
    with pytest.raises(errors.ForbiddenException, match="invalid credentials"):
        authentication.login(cluster.url, "determined", "wrong")
    answer = requests.post(f"{cluster.url}/api/v1/auth/login", json={"username": "nobody", "password": "x"})
    assert answer.status_code == 403
    assert answer.json() == {"error": {"code": 7, "reason": "PermissionDenied", "error": "invalid credentials"}}


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer nonsense", "Bearer test-token", "Basic dGVzdA=="])
def test_only_issued_tokens_are_accepted(cluster: Cluster, token: str) -> None:
    answer = requests.get(f"{cluster.url}/api/v1/me", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.json()["error"]["reason"] == "Unauthenticated"


def test_logout_revokes_the_token(cluster: Cluster) -> None:
    session = cluster.session()
    session.post("api/v1/auth/logout")
    with pytest.raises(errors.UnauthenticatedException):
        session.get("api/v1/me")


def test_unhashed_password_is_accepted(cluster: Cluster) -> None:
    body = {"username": "determined", "password": cluster.home.token, "isHashed": False}
    assert requests.post(f"{cluster.url}/api/v1/auth/login", json=body).json()["token"]


def test_whoami_and_info_need_only_the_profile(cluster: Cluster) -> None:
    assert "logged in as user 'determined'" in cluster.det("user", "whoami")
    info = requests.get(f"{cluster.url}/info").json()
    assert info["version"] == "0.38.1"
    assert info["cluster_id"] == cluster.home.identity.cluster_id


def test_administrator_adds_users_and_changes_passwords(cluster: Cluster) -> None:
    admin = cluster.session("admin")
    created = admin.post("api/v1/users", json={"user": {"username": "ada", "active": True, "admin": False}})
    user_id = created.json()["user"]["id"]
    admin.patch(f"api/v1/users/{user_id}", json={"password": client_hash("secret"), "isHashed": True})
    assert authentication.login(cluster.url, "ada", "secret").username == "ada"
    assert "ada" in cluster.det("user", "list")
    admin.patch(f"api/v1/users/{user_id}", json={"active": False})
    with pytest.raises(errors.ForbiddenException):
        authentication.login(cluster.url, "ada", "secret")


def test_only_an_administrator_adds_users(cluster: Cluster) -> None:
    with pytest.raises(errors.ForbiddenException, match="not an administrator"):
        cluster.session().post("api/v1/users", json={"user": {"username": "eve"}})


@pytest.mark.parametrize("call", ["GET /api/v1/templates", "PUT /api/v1/models", "POST /api/v1/notebooks", "GET /proxy/x"])
def test_unsupported_call_is_refused_by_name(cluster: Cluster, call: str) -> None:
    method, path = call.split()
    answer = requests.request(method, cluster.url + path, headers={"Authorization": f"Bearer {cluster.session().token}"})
    assert answer.status_code == 501
    assert answer.json()["error"] == {"code": 12, "reason": "Unimplemented", "error": f"{call} is not supported by minipdk"}


def test_body_that_is_not_json_is_refused(cluster: Cluster) -> None:
    answer = requests.post(f"{cluster.url}/api/v1/auth/login", data="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "the request body is not JSON" in answer.json()["error"]["error"]
