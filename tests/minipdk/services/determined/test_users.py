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


def test_wrong_password_is_unauthenticated_in_the_vendors_shape(cluster: Cluster) -> None:
    with pytest.raises(errors.UnauthenticatedException):
        authentication.login(cluster.url, "determined", "wrong")
    answer = requests.post(f"{cluster.url}/api/v1/auth/login", json={"username": "nobody", "password": "x"})
    assert answer.status_code == 401
    assert answer.json() == {"error": {"code": 16, "reason": "Unauthenticated", "error": "invalid credentials"}}


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
    assert admin.get("api/v1/users?name=AD").json()["users"]


def test_inactive_user_may_not_log_in_or_go_on(cluster: Cluster) -> None:
    admin = cluster.session("admin")
    fields = {"user": {"username": "idle", "active": True}, "password": "secret"}
    user_id = admin.post("api/v1/users", json=fields).json()["user"]["id"]
    session = authentication.login(cluster.url, "idle", "secret").with_retry(0)
    admin.patch(f"api/v1/users/{user_id}", json={"active": False})
    with pytest.raises(errors.ForbiddenException, match="user does not have permission"):
        session.get("api/v1/me")
    with pytest.raises(errors.ForbiddenException, match="user is not active"):
        authentication.login(cluster.url, "idle", "secret")
    with pytest.raises(errors.UnauthenticatedException):
        authentication.login(cluster.url, "idle", "wrong")


def test_body_of_a_password_is_the_password_itself(cluster: Cluster) -> None:
    admin = cluster.session("admin")
    user_id = admin.post("api/v1/users", json={"user": {"username": "bare", "active": True}}).json()["user"]["id"]
    admin.post(f"api/v1/users/{user_id}/password", json="Abc 12345!")
    assert authentication.login(cluster.url, "bare", "Abc 12345!").username == "bare"


def test_user_of_the_agent_is_kept(cluster: Cluster) -> None:
    group = {"agentUid": 1000, "agentGid": 100, "agentUser": "ann", "agentGroup": "users"}
    user_id = cluster.session().get("api/v1/me").json()["user"]["id"]
    admin = cluster.session("admin")
    assert admin.patch(f"api/v1/users/{user_id}", json={"agentUserGroup": group}).json()["user"]["agentUserGroup"] == group
    assert "ann" in cluster.det("user", "list", "--all")
    with pytest.raises(errors.APIException, match="agentUser and agentGroup cannot be empty"):
        admin.patch(f"api/v1/users/{user_id}", json={"agentUserGroup": {"agentUid": 1}})
    assert admin.patch(f"api/v1/users/{user_id}", json={"agentUserGroup": {}}).json()["user"]["agentUserGroup"] is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" x ", "has minimum length"),
        ("anné", "cannot contain non-ASCII characters"),
        ("Admin", "cannot be renamed 'admin'"),
        ("determined", "cannot be renamed 'determined'"),
    ],
)
def test_misleading_username_is_refused(cluster: Cluster, name: str, message: str) -> None:
    with pytest.raises(errors.APIException, match=message) as refused:
        cluster.session("admin").post("api/v1/users", json={"user": {"username": name}})
    assert refused.value.status_code == 400


def test_settings_of_a_web_page_are_kept_until_they_are_reset(cluster: Cluster) -> None:
    session = cluster.session()
    setting = {"key": "k", "storagePath": "x", "value": "1"}
    session.post("api/v1/users/setting", json={"settings": [setting]})
    assert session.get("api/v1/users/setting").json() == {"settings": [setting]}
    assert cluster.session("admin").get("api/v1/users/setting").json() == {"settings": []}
    session.post("api/v1/users/setting/reset")
    assert session.get("api/v1/users/setting").json() == {"settings": []}


def test_body_that_is_not_json_is_refused(cluster: Cluster) -> None:
    answer = requests.post(f"{cluster.url}/api/v1/auth/login", data="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "the request body is not JSON" in answer.json()["error"]["error"]
