"""Logging in with a browser: OAuth's authorization code with PKCE (RFC 7636).

A person who shows the cluster's token gets a code, which the waiting client exchanges for a token. A code is good once, for
one minute, for the client that knows the verifier of its challenge.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from minipdk.services.neuro.errors import InvalidArgumentError, UnauthenticatedError
from minipdk.services.neuro.tokens import LOGIN_SECONDS, Tokens

CODE_SECONDS = 60.0
MOST_CODES = 64
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class LoginRequest:
    """A client's request for a code."""

    redirect_uri: str
    challenge: str
    client_id: str


@dataclass(frozen=True)
class _Code:
    request: LoginRequest
    expires: float


class Login:
    """Issues codes and exchanges them. ``own_callback`` is the page that shows a code to a person without a browser here.

    ``client_id`` is the only client.
    """

    def __init__(
        self,
        tokens: Tokens,
        cluster_token: str,
        client_id: str,
        own_callback: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens, self._cluster_token, self._client_id = tokens, cluster_token, client_id
        self._own_callback, self._clock = own_callback, clock
        self._codes: dict[str, _Code] = {}

    def read(self, query: Mapping[str, str]) -> LoginRequest:
        """The client's request for a code. Raises InvalidArgumentError."""
        if query.get("response_type") != "code":
            raise InvalidArgumentError("response_type must be 'code'")
        if query.get("client_id") != self._client_id:
            raise InvalidArgumentError(f"client_id must be {self._client_id!r}")
        if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(query.get("code_challenge", "")):
            raise InvalidArgumentError("code_challenge must be a PKCE challenge with the method S256")
        redirect_uri = query.get("redirect_uri", "")
        if redirect_uri != self._own_callback and not _is_local(redirect_uri):
            raise InvalidArgumentError("redirect_uri must be http://127.0.0.1:PORT/: a code goes to this machine alone")
        return LoginRequest(redirect_uri, query["code_challenge"], self._client_id)

    def code(self, request: LoginRequest, secret: str) -> str:
        """A new code, for a person who knows ``secret``, a token of this cluster. Raises UnauthenticatedError."""
        if not hmac.compare_digest(secret.encode(), self._cluster_token.encode()):
            self._tokens.user(secret)
        now = self._clock()
        self._codes = {code: known for code, known in self._codes.items() if known.expires > now}
        while len(self._codes) >= MOST_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(request, now + CODE_SECONDS)
        return code

    def exchange(self, form: Mapping[str, str]) -> dict[str, str | int]:
        """The tokens for a code, or for a refresh token. Raises PlatformError."""
        kind = form.get("grant_type")
        if form.get("client_id") != self._client_id:
            raise InvalidArgumentError(f"client_id must be {self._client_id!r}")
        if kind == "refresh_token":
            return self._answer(self._tokens.renewed(form.get("refresh_token", "")))
        if kind != "authorization_code":
            raise InvalidArgumentError("grant_type must be 'authorization_code' or 'refresh_token'")
        known = self._codes.pop(form.get("code", ""), None)
        if known is None or known.expires <= self._clock():
            raise UnauthenticatedError("the code is unknown, was used before, or is older than a minute: log in again")
        if form.get("redirect_uri") != known.request.redirect_uri:
            raise UnauthenticatedError("redirect_uri is not the one for which the code was given")
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")), known.request.challenge):
            raise UnauthenticatedError("code_verifier is not the one of the code's challenge")
        return self._answer(self._tokens.access())

    def _answer(self, access: str) -> dict[str, str | int]:
        refresh = self._tokens.refresh()
        return {"access_token": access, "expires_in": LOGIN_SECONDS, "refresh_token": refresh, "token_type": "Bearer"}


def _is_local(uri: str) -> bool:
    """Whether the address is on this machine's loopback."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    address = f"http://127.0.0.1:{port}"
    return port is not None and uri in (address, f"{address}/")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
