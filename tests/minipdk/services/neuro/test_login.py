"""Tokens, and the login with a browser: only a person who knows the cluster's token gets one."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from tests.minipdk.services.neuro.conftest import PROJECT, Platform

from minipdk.common.tokens import signing_key
from minipdk.services.neuro.errors import UnauthenticatedError
from minipdk.services.neuro.login import MOST_CODES, Login, LoginRequest
from minipdk.services.neuro.tokens import Tokens

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CALLBACK = "http://127.0.0.1:54540"
QUERY = {
    "response_type": "code",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "client_id": "minipdk",
    "redirect_uri": CALLBACK,
    "scope": "offline_access",
    "audience": "minipdk-platform",
}
KEY = signing_key("test-token")


def signed(key: bytes = KEY, **claims: Any) -> str:
    return jwt.encode(claims, key, "HS256")


def ask(platform: Platform, token: str | None, path: str = "/api/v1/config") -> requests.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return requests.get(platform.url + path, headers=headers, timeout=60)


def authorize(platform: Platform, secret: str, **changes: str) -> requests.Response:
    url = f"{platform.url}/authorize"
    return requests.post(url, {"token": secret}, params=QUERY | changes, allow_redirects=False, timeout=60)


def code_of(answer: requests.Response) -> str:
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CALLBACK}?code=")
    return parse_qs(urlsplit(location).query)["code"][0]


def exchange(platform: Platform, code: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "code_verifier": VERIFIER,
        "code": code,
        "client_id": "minipdk",
        "redirect_uri": CALLBACK,
    }
    return requests.post(f"{platform.url}/oauth/token", form | changes, timeout=60)


def test_the_configuration_shows_clusters_to_a_known_user_alone(platform: Platform) -> None:
    public = ask(platform, None).json()
    assert {"auth_url", "token_url", "logout_url", "client_id", "audience", "callback_urls"} < public.keys()
    assert "clusters" not in public
    private = ask(platform, platform.token).json()
    assert private["authorized"] is True
    assert [preset["name"] for preset in private["clusters"][0]["resource_presets"]] == ["cpu-small", "gpu-small"]
    assert private["projects"] == [{"name": "default", "cluster_name": "minipdk", "org_name": "course", "role": "owner"}]


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (signed(identity="user", exp=int(time.time()) - 1), "has expired"),
        (signed(signing_key("another cluster's token"), identity="user"), "not of this cluster"),
        (signed(exp=int(time.time()) + 60), "claim `identity`"),
        (signed(identity="root"), "claim `identity`"),
        (jwt.encode({"identity": "user"}, "", "none"), "not of this cluster"),
        ("test-token", "not of this cluster"),
        ("x.y.z", "not of this cluster"),
    ],
    ids=["expired", "of another cluster", "without identity", "of another user", "unsigned", "the cluster's own", "garbage"],
)
@pytest.mark.parametrize("path", ["/api/v1/config", "/api/v1/jobs", f"/storage/{PROJECT}?op=LISTSTATUS", "/v2/_catalog"])
def test_a_wrong_token_is_refused(platform: Platform, token: str, message: str, path: str) -> None:
    answer = ask(platform, token, path)
    assert (answer.status_code, message in answer.text) == (401, True), answer.text


def test_a_token_in_the_query_is_no_token(platform: Platform) -> None:
    for name in ("token", "access_token"):
        assert ask(platform, None, f"/api/v1/jobs?{name}={platform.token}").status_code == 401


def test_the_registry_takes_the_token_as_a_password(platform: Platform) -> None:
    url = f"{platform.url}/v2/_catalog"
    assert requests.get(url, auth=("user", platform.token), timeout=60).json() == {"repositories": []}
    refused = requests.get(url, auth=("user", "wrong"), timeout=60)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert requests.get(f"{platform.url}/api/v1/jobs", auth=("user", platform.token), timeout=60).status_code == 401


def test_a_code_is_exchanged_for_a_token_once(platform: Platform) -> None:
    code = code_of(authorize(platform, platform.token))
    tokens = exchange(platform, code).json()
    assert ask(platform, tokens["access_token"]).status_code == 200
    assert exchange(platform, code).status_code == 401
    renewed = exchange(platform, "", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert ask(platform, renewed["access_token"]).status_code == 200
    assert ask(platform, tokens["refresh_token"]).status_code == 401
    with pytest.raises(jwt.InvalidSignatureError):  # nor does the ingress take it, which verifies signatures alone
        jwt.decode(tokens["refresh_token"], signing_key(platform.home.token), ["HS256"])
    wrong = exchange(platform, "", grant_type="refresh_token", refresh_token=tokens["access_token"])
    assert wrong.status_code == 401


def test_the_page_needs_the_clusters_token(platform: Platform) -> None:
    page = requests.get(f"{platform.url}/authorize", params=QUERY, timeout=60)
    assert 'type="password"' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert authorize(platform, "").status_code == 401
    assert authorize(platform, "wrong").status_code == 401
    assert authorize(platform, platform.home.token).status_code == 302


def test_a_web_page_of_another_origin_cannot_post_the_form(platform: Platform) -> None:
    headers = {"Origin": "http://evil.example"}
    url = f"{platform.url}/authorize"
    answer = requests.post(url, {"token": platform.token}, params=QUERY, headers=headers, allow_redirects=False, timeout=60)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redirect_uri": "http://evil.example/"}, "this machine alone"),
        ({"redirect_uri": "http://127.0.0.1.evil.example:80/"}, "this machine alone"),
        ({"redirect_uri": "http://127.0.0.1:80@evil.example/"}, "this machine alone"),
        ({"redirect_uri": "https://127.0.0.1:99999/"}, "this machine alone"),
        ({"code_challenge_method": "plain"}, "S256"),
        ({"code_challenge": "short"}, "S256"),
        ({"client_id": "other"}, "client_id"),
        ({"response_type": "token"}, "response_type"),
    ],
)
def test_a_malformed_request_for_a_code_is_refused(platform: Platform, changes: dict[str, str], message: str) -> None:
    answer = authorize(platform, platform.token, **changes)
    assert (answer.status_code, message in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 43}, {"redirect_uri": "http://127.0.0.1:1"}, {"code_verifier": ""}],
)
def test_a_code_is_for_its_client_alone(platform: Platform, changes: dict[str, str]) -> None:
    code = code_of(authorize(platform, platform.token))
    assert exchange(platform, code, **changes).status_code == 401
    assert exchange(platform, code).status_code == 401  # a wrong attempt uses it up


def test_a_code_is_good_for_a_minute_and_codes_are_few() -> None:
    now = 0.0
    login = Login(Tokens(KEY), "test-token", "minipdk", f"{CALLBACK}/code", lambda: now)
    request = LoginRequest(CALLBACK, CHALLENGE, "minipdk")
    form = {"grant_type": "authorization_code", "client_id": "minipdk", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    first = login.code(request, "test-token")
    others = [login.code(request, "test-token") for _ in range(MOST_CODES)]
    with pytest.raises(UnauthenticatedError):
        login.exchange(form | {"code": first})
    assert login.exchange(form | {"code": others[0]})["access_token"]
    now = 60.0
    with pytest.raises(UnauthenticatedError):
        login.exchange(form | {"code": others[1]})
