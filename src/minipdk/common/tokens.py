"""The signing key of the tokens of the Neu.ro platform, which the ingress verifies too.

It is derived from the cluster's token, so it is as secret as that, and differs between clusters (HKDF, RFC 5869).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "HS256"
KEY_SIZE = 32


def signing_key(cluster_token: str) -> bytes:
    """The key for HMAC with SHA-256."""
    derivation = HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=b"minipdk neuro platform tokens")
    return derivation.derive(cluster_token.encode())
