"""The platform's tokens: JSON Web Tokens with the claim ``identity``, good as Bearer and as the password of the registry."""

from __future__ import annotations

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
        """A token that is good for new access tokens alone."""
        return jwt.encode({IDENTITY: USER, USE: REFRESH}, self.key, ALGORITHM)

    def user(self, token: str) -> str:
        """The user whose access token this is. Raises UnauthenticatedError."""
        claims = self._claims(token)
        if claims.get(USE) == REFRESH:
            raise UnauthenticatedError("a refresh token is good for new access tokens alone: send an access token")
        return claims[IDENTITY]

    def renewed(self, refresh_token: str) -> str:
        """A new access token. Raises UnauthenticatedError."""
        if self._claims(refresh_token).get(USE) != REFRESH:
            raise UnauthenticatedError("this is no refresh token: log in again")
        return self.access()

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
