"""Authentication: bearer tokens, and the users that they stand for.

There are two kinds of users: the admin, who has the cluster's own token, and service accounts, whose tokens `kubectl create
token` makes. Both may do everything that this API server can do; it has no roles. A service account's token is a JSON Web
Token (RFC 7519, HS256) signed with a key derived from the cluster's token; it is valid until it expires, or until its
account or the object to which it is bound is deleted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool

from minipdk.common.home import Home
from minipdk.services.kubernetes.errors import BadRequestError, ConflictError, InvalidError, UnauthorizedError, invalid_value
from minipdk.services.kubernetes.kinds.builtin.configuration import SECRETS
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.kinds.builtin.service_accounts import SERVICE_ACCOUNTS
from minipdk.services.kubernetes.model import Object, Target
from minipdk.services.kubernetes.registry.registry import Registry
from minipdk.services.kubernetes.times import now

ISSUER = "https://kubernetes.default.svc.cluster.local"
SHORTEST_TOKEN, DEFAULT_TOKEN, LONGEST_TOKEN = 600, 3600, 1 << 32
BOUND_KINDS = {"Pod": PODS, "Secret": SECRETS}
TOKEN_KINDS = (SERVICE_ACCOUNTS, PODS, SECRETS)
"""A token is invalid when an object of these kinds that it names is gone."""
AUTHENTICATED, ACCOUNTS, ACCOUNT = "system:authenticated", "system:serviceaccounts", "system:serviceaccount"
ADMIN, ADMIN_GROUPS = "minipdk-admin", ("system:masters", AUTHENTICATED)
_HEADER = {"alg": "HS256", "typ": "JWT"}


@dataclass(frozen=True)
class User:
    """The user from whom a request comes."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""

    def as_json(self) -> Object:
        return {"username": self.name, "groups": list(self.groups)} | ({"uid": self.uid} if self.uid else {})


ADMINISTRATOR = User(ADMIN, ADMIN_GROUPS)


class Authenticator:
    """Knows the cluster's token and issues service accounts' tokens."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self._token, self._registry = home.token, registry
        self._key = hmac.digest(home.token.encode(), b"service account tokens", hashlib.sha256)

    async def user(self, authorization: str) -> User:
        """The user of the Authorization header's token, which must be for this API. Raises UnauthorizedError.

        Only a token that this service has issued occupies a thread, for the look-up of its account.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise UnauthorizedError
        if self._is_the_clusters(token):
            return ADMINISTRATOR
        user, _ = await run_in_threadpool(self._service_account, self._claims(token), [ISSUER])
        return user

    def holder(self, token: str, audiences: list[str]) -> tuple[User, list[str]]:
        """The user of ``token``, and the ``audiences`` for which it is valid. Raises UnauthorizedError if it has none."""
        if self._is_the_clusters(token):
            return ADMINISTRATOR, audiences
        return self._service_account(self._claims(token), audiences)

    def issue(self, namespace: str, name: str, request: Object) -> Object:
        """Answer a TokenRequest for a service account."""
        account = self._registry.get(Target(SERVICE_ACCOUNTS, namespace, name))
        spec = request.get("spec") or {}
        seconds = spec.get("expirationSeconds") or DEFAULT_TOKEN
        if not SHORTEST_TOKEN <= seconds <= LONGEST_TOKEN:
            wrong = "less than 10 minutes" if seconds < SHORTEST_TOKEN else "larger than 2^32 seconds"
            cause = invalid_value("spec.expirationSeconds", seconds, f"may not specify a duration {wrong}")
            raise InvalidError(SERVICE_ACCOUNTS.invalid_subject(name), [cause])
        bound = self._bound(namespace, name, spec.get("boundObjectRef") or {})
        audiences = spec.get("audiences") or [ISSUER]
        issued = int(time.time())
        claims = {
            "aud": audiences,
            "exp": issued + seconds,
            "iat": issued,
            "nbf": issued,
            "iss": ISSUER,
            "sub": f"{ACCOUNT}:{namespace}:{name}",
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
                **{BOUND_KINDS[item["kind"]].singular: {"name": item["name"], "uid": item["uid"]} for item in bound},
            },
        }
        ends = datetime.fromtimestamp(issued + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now()},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": bound[0] if bound else None},
            "status": {"token": self._signed(claims), "expirationTimestamp": ends},
        }

    def _bound(self, namespace: str, account: str, reference: Object) -> list[Object]:
        """The object to which the token is bound, if ``reference`` names one."""
        if not reference:
            return []
        resource = BOUND_KINDS.get(reference.get("kind", ""))
        if resource is None:
            raise BadRequestError(f"cannot bind token to object of type {reference.get('kind') or 'unknown'}")
        stored = self._registry.get(Target(resource, namespace, reference.get("name") or ""))
        name, uid = stored["metadata"]["name"], stored["metadata"]["uid"]
        if resource is PODS and stored["spec"]["serviceAccountName"] != account:
            why = f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            raise BadRequestError(why)
        if reference.get("uid") not in (None, "", uid):
            why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record"
            raise ConflictError(resource.subject(name), why)
        return [{"kind": resource.kind, "apiVersion": resource.api_version, "name": name, "uid": uid}]

    def _signed(self, claims: Object) -> str:
        body = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{body}.{_encode(self._signature(body))}"

    def _signature(self, body: str) -> bytes:
        return hmac.digest(self._key, body.encode(), hashlib.sha256)

    def _is_the_clusters(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def _claims(self, token: str) -> Object:
        """What a token says that this service has signed. Raises UnauthorizedError for any other."""
        body, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(_decode(signature), self._signature(body)):
                raise UnauthorizedError
            claims: Object = json.loads(_decode(body.partition(".")[2]))
        except ValueError as error:
            raise UnauthorizedError from error
        return claims

    def _service_account(self, claims: Object, audiences: list[str]) -> tuple[User, list[str]]:
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        needed = [(resource, bound[resource.singular]) for resource in TOKEN_KINDS if resource.singular in bound]
        for resource, reference in needed:
            stored = self._registry.store.get(resource, namespace, reference["name"])
            if stored is None or stored["metadata"]["uid"] != reference["uid"]:
                raise UnauthorizedError
        valid = [audience for audience in audiences if audience in claims["aud"]]
        if claims["exp"] < time.time() or not valid:
            raise UnauthorizedError
        groups = (ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED)
        return User(claims["sub"], groups, account["uid"]), valid


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
