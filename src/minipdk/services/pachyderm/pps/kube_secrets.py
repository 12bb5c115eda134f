"""Secrets, which are the Kubernetes API's: pachd keeps none, it reads and writes the secrets in its namespace."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from minipdk.common.documents import read_json
from minipdk.common.home import Home
from minipdk.common.names import PathSegmentError, url_path
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError

if TYPE_CHECKING:
    import requests

Secret = dict[str, Any]
"""A Secret object of the Kubernetes API; its data are base64."""

NAMESPACE = "default"
SOURCE_LABEL, SOURCE = "secret-source", "pachyderm-user"
TIMEOUT_S = 10.0


class Secrets:
    """The secrets of pachd's namespace, over https with the cluster's token."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._server = home.url("kubernetes", "https")
        self._url = f"{self._server}/api/v1/namespaces/{NAMESPACE}/secrets"
        self._lazy_session: requests.Session | None = None

    def create(self, file: bytes) -> None:
        """Create the Secret in ``file`` (JSON), labelled as created through Pachyderm."""
        try:
            secret = read_json(file)
        except ValueError as error:
            raise PachydermError(f"failed to unmarshal secret: {error}") from None
        if (
            not isinstance(secret, dict)
            or not isinstance(secret.get("metadata"), dict)
            or not secret["metadata"].get("name")
        ):
            raise PachydermError('failed to unmarshal secret: it must be a Kubernetes Secret with "metadata": {"name": ...}')
        metadata = {name: value for name, value in secret["metadata"].items() if value is not None}
        labels = dict(metadata.get("labels") or {})
        if labels.get("suite") not in (None, "", "pachyderm"):
            raise PachydermError(f"invalid suite label set on secret: suite={labels['suite']}")
        metadata["labels"] = {**labels, "suite": "pachyderm", SOURCE_LABEL: SOURCE}
        self._call(
            "failed to create secret", "POST", json={"apiVersion": "v1", "kind": "Secret", **secret, "metadata": metadata}
        )

    def delete(self, name: str) -> None:
        self._call("failed to delete secret", "DELETE", name)

    def inspect(self, name: str) -> Secret:
        return self._call("failed to get secret", "GET", name)

    def list(self) -> list[Secret]:
        """The secrets that were created through Pachyderm."""
        items = self._call("failed to list secrets", "GET", params={"labelSelector": f"{SOURCE_LABEL}={SOURCE}"}).get(
            "items"
        )
        return items or []

    def delete_all(self) -> None:
        """Delete every secret that was created through Pachyderm."""
        for secret in self.list():
            self.delete(secret["metadata"]["name"])

    def values(self, name: str) -> dict[str, bytes]:
        """The decoded data of the secret ``name``. Raises PachydermError when there is none."""
        try:
            response = self._request("GET", name)
        except PathSegmentError as error:
            raise PachydermError(f"missing Kubernetes secret {name}: {error}") from None
        if response.status_code == 404:
            raise PachydermError(
                f"missing Kubernetes secret {name}: create it with `pachctl create secret -f FILE` or kubectl first"
            )
        secret = self._checked(response, f"could not get Kubernetes secret {name}")
        try:
            return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
        except (binascii.Error, TypeError) as error:
            raise PachydermError(f"Kubernetes secret {name} is damaged: {error}") from None

    def _call(
        self,
        doing: str,
        method: str,
        name: str | None = None,
        *,
        json: Secret | None = None,
        params: dict[str, str] | None = None,
    ) -> Secret:
        try:
            return self._checked(self._request(method, name, json=json, params=params), doing)
        except PathSegmentError as error:
            raise PachydermError(f"{doing}: {error}") from None

    def _request(
        self, method: str, name: str | None = None, *, json: Secret | None = None, params: dict[str, str] | None = None
    ) -> requests.Response:
        import requests

        if self._lazy_session is None:
            self._lazy_session = requests.Session()
            self._lazy_session.trust_env = False  # no proxy stands between local services
            self._lazy_session.headers["Authorization"] = f"Bearer {self._home.token}"
            self._lazy_session.headers["Connection"] = "close"  # calls are rare: an idle connection may be gone by the next
            self._lazy_session.verify = str(self._home.ca_certificate)
        url = f"{self._url}/{url_path(name)}" if name is not None else self._url
        try:
            return self._lazy_session.request(method, url, timeout=TIMEOUT_S, json=json, params=params)
        except (requests.RequestException, OSError) as error:
            raise PachydermError(
                f"the Kubernetes API at {self._server} did not answer: see `minipdk status` ({error})"
            ) from None

    @staticmethod
    def _checked(response: requests.Response, doing: str) -> Secret:
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if not response.ok:
            raise PachydermError(f"{doing}: {answer.get('message') or response.reason}")
        return answer if isinstance(answer, dict) else {}


def check(secrets: Secrets, mounts: Iterable[wire.pps.SecretMount]) -> None:
    """Refuse SecretMounts that name a missing secret or key."""
    for mount in mounts:
        values = secrets.values(mount.name)
        if mount.key and mount.key not in values:
            raise PachydermError(f"Kubernetes secret {mount.name} missing key {mount.key}")
