"""The calls about secrets."""

from __future__ import annotations

from datetime import datetime

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError
from minipdk.services.pachyderm.pps.api.requests import Calls
from minipdk.services.pachyderm.pps.kube_secrets import Secret


class SecretCalls(Calls):
    def create_secret(self, request: wire.pps.CreateSecretRequest, _context: object) -> wire.Empty:
        self._pps.secrets.create(request.file)
        return wire.Empty()

    def delete_secret(self, request: wire.pps.DeleteSecretRequest, _context: object) -> wire.Empty:
        self._pps.secrets.delete(_name(request.secret))
        return wire.Empty()

    def inspect_secret(self, request: wire.pps.InspectSecretRequest, _context: object) -> wire.pps.SecretInfo:
        return _secret_info(self._pps.secrets.inspect(_name(request.secret)))

    def list_secret(self, _request: wire.Empty, _context: object) -> wire.pps.SecretInfos:
        return wire.pps.SecretInfos(secret_info=[_secret_info(secret) for secret in self._pps.secrets.list()])


def _name(secret: wire.pps.Secret) -> str:
    if not secret.name:
        raise InvalidRequestError("validate request: a secret's name must be given")
    return secret.name


def _secret_info(secret: Secret) -> wire.pps.SecretInfo:
    metadata = secret["metadata"]
    info = wire.pps.SecretInfo(secret=wire.pps.Secret(name=metadata["name"]), type=secret.get("type", "Opaque"))
    if created := metadata.get("creationTimestamp"):
        info.creation_timestamp.FromDatetime(datetime.fromisoformat(created))
    return info
