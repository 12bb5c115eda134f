"""The platform's tokens: JSON Web Tokens with the claim ``identity``, good as Bearer and as the password of the registry."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass

import jwt

from minipdk.common.home import Home
from minipdk.common.tokens import ALGORITHM, signing_key
from minipdk.services.neuro.errors import UnauthenticatedError
from minipdk.services.neuro.names import USER

LOGIN_SECONDS = 30 * 86400
"""How long a token of `neuro login` lasts; the client renews it with its refresh token."""
IDENTITY, USE = "identity", "use"
REFRESH = "refresh"


@dataclass(frozen=True)
class Tokens:
    """Issues and verifies tokens with ``key``."""

    key: bytes

    @classmethod
    def of(cls, home: Home) -> Tokens:
        return cls(signing_key(home.token))

    def permanent(self) -> str:
        """The token of the profile: it is always the same, and does not expire."""
        return jwt.encode({IDENTITY: USER}, self.key, ALGORITHM)

    def access(self) -> str:
        return self._expiring({})

    def refresh(self) -> str:
        """A token that is good for new access tokens alone: the ingress, which knows ``key``, cannot verify it."""
        return jwt.encode({IDENTITY: USER, USE: REFRESH}, self._refresh_key, ALGORITHM)

    def user(self, token: str) -> str:
        """The user whose access token this is. Raises UnauthenticatedError."""
        if self._is_refresh(token):
            raise UnauthenticatedError("a refresh token is good for new access tokens alone: send an access token")
        return self._claims(token)[IDENTITY]

    def renewed(self, refresh_token: str) -> str:
        """A new access token. Raises UnauthenticatedError."""
        if not self._is_refresh(refresh_token):
            raise UnauthenticatedError("this is no refresh token: log in again")
        return self.access()

    @property
    def _refresh_key(self) -> bytes:
        return hmac.digest(self.key, REFRESH.encode(), "sha256")

    def _is_refresh(self, token: str) -> bool:
        try:
            claims: dict[str, str] = jwt.decode(token, self._refresh_key, [ALGORITHM])
        except jwt.InvalidTokenError:
            return False
        return claims.get(IDENTITY) == USER and claims.get(USE) == REFRESH

    def _expiring(self, claims: dict[str, str]) -> str:
        return jwt.encode({IDENTITY: USER, **claims, "exp": int(time.time()) + LOGIN_SECONDS}, self.key, ALGORITHM)

    def _claims(self, token: str) -> dict[str, str]:
        try:
            claims: dict[str, str] = jwt.decode(token, self.key, [ALGORITHM])
        except jwt.ExpiredSignatureError:
            raise UnauthenticatedError("the token has expired: log in again") from None
        except jwt.InvalidTokenError:
            raise UnauthenticatedError(
                "the token is not of this cluster: `minipdk env` prints the right one as NEURO_TOKEN"
            ) from None
        if claims.get(IDENTITY) != USER:
            raise UnauthenticatedError("the token does not name the user of this cluster in its claim `identity`")
        return claims
