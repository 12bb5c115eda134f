"""Pulling from the cluster's own registry: a Pod may run an image only if one of its pull secrets opens it.

The image itself is in the cluster's image store. The registry is asked for its manifest, by its public protocol, with the
credentials that a kubelet would find.
Rules: https://kubernetes.io/docs/concepts/containers/images/#specifying-imagepullsecrets-on-a-pod
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.controller.api import UNAVAILABLE, Api, describe
from minipdk.controller.errors import NotFoundError
from minipdk.controller.events import WARNING, Recorder
from minipdk.controller.objects import SECRETS, SERVICE_ACCOUNTS, Object
from minipdk.controller.pods import IMAGE_ERROR
from minipdk.services.node.errors import ContainerError

PORT = "neuro"
"""The registry's port in cluster.json."""
SECRET_TYPE, SECRET_KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"  # names, not secrets
LOOPBACK = {"127.0.0.1", "localhost"}
SECONDS = 10.0
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
REFUSED = (401, 403)
NOT_RETRIEVED = "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed."


@dataclass(frozen=True)
class Credentials:
    """A user and a password, and the Secret that they are from."""

    secret: str
    user: str
    password: str


class Registry:
    """The cluster's registry as the node uses it."""

    def __init__(self, home: Home, api: Api, http: aiohttp.ClientSession, recorder: Recorder) -> None:
        self._home, self._api, self._http, self._recorder = home, api, http, recorder

    async def check(self, pod: Object, reference: str) -> None:
        """Raise ContainerError unless the registry lets ``pod`` pull the image ``reference``."""
        from minipdk.images import names

        repository, tag = names.parse(reference)
        host, _, path = repository.partition("/")
        url = f"http://{HOST}:{self._port(reference, host)}/v2/{path}/manifests/{tag}"
        credentials, notes = await self._credentials(pod, host)
        status, candidates = 0, [*credentials, *([] if credentials else [None])]
        for known in candidates:
            status = await self._head(reference, url, known)
            if status == 200:
                return
        raise _failed(reference, self._reason(pod, url, status, credentials, notes))

    def _port(self, reference: str, host: str) -> int:
        """The registry's current port, which may differ from the one in an older reference."""
        port = self._home.identity.ports.get(PORT) or host.partition(":")[2]
        if not port:
            raise _failed(reference, "this cluster has no registry")
        return int(port)

    async def _head(self, reference: str, url: str, known: Credentials | None) -> int:
        auth = aiohttp.BasicAuth(known.user, known.password, encoding="utf-8") if known else None
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with self._http.head(
                url, auth=auth, headers={"Accept": MANIFESTS}, timeout=timeout, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failed(
                reference, f'Head "{url}": {describe(error)}: is the platform running? See `minipdk status`'
            ) from None

    def _reason(self, pod: Object, url: str, status: int, credentials: list[Credentials], notes: list[str]) -> str:
        """The words of containerd for ``status``, and the remedy."""
        if status == 404:
            return f'Head "{url}": 404 Not Found: it was never built, or it was removed; `neuro image ls` lists images'
        if status not in REFUSED:
            return f'Head "{url}": unexpected status {status}'
        if credentials:
            names = ", ".join(known.secret for known in credentials)
            why = f"the token in secret {names} is not valid (any more)"
        else:
            why = "; ".join(notes) or "the pod names no imagePullSecrets"
        namespace = pod["metadata"]["namespace"]
        remedy = f"`neuro-extras k8s generate-registry-secret | kubectl -n {namespace} apply -f -` makes a valid one"
        return f'Head "{url}": {status} Unauthorized: {why}: {remedy}, which the pod names in its imagePullSecrets'

    async def _credentials(self, pod: Object, host: str) -> tuple[list[Credentials], list[str]]:
        """The credentials for ``host`` in the Pod's pull secrets, and why other secrets have none."""
        namespace = pod["metadata"]["namespace"]
        credentials: list[Credentials] = []
        notes, missing = [], []
        for name in await self._secrets(pod):
            try:
                secret = await self._api.get(SECRETS, namespace, name)
            except NotFoundError:
                missing.append(name)
                notes.append(f'secret "{name}" not found in namespace {namespace}')
                continue
            except UNAVAILABLE as error:
                raise ContainerError(IMAGE_ERROR, f'secret "{name}" cannot be read: {describe(error)}') from error
            if secret.get("type") != SECRET_TYPE:
                notes.append(f'secret "{name}" is of the type {secret.get("type")}, not {SECRET_TYPE}')
            elif its := _entries(secret, host):
                credentials += [Credentials(name, *pair) for pair in its]
            else:
                notes.append(f'secret "{name}" has no entry for the registry {host}')
        if missing:
            self._recorder.emit(pod, WARNING, "FailedToRetrieveImagePullSecret", NOT_RETRIEVED.format(", ".join(missing)))
        return credentials, notes

    async def _secrets(self, pod: Object) -> list[str]:
        """The names of the Pod's pull secrets, else of its service account's."""
        references = pod["spec"].get("imagePullSecrets") or []
        if not references:
            try:
                account = await self._api.get(
                    SERVICE_ACCOUNTS, pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName") or "default"
                )
                references = account.get("imagePullSecrets") or []
            except NotFoundError:
                references = []
            except UNAVAILABLE as error:
                raise ContainerError(IMAGE_ERROR, f"the service account cannot be read: {describe(error)}") from error
        return [str(reference["name"]) for reference in references if reference.get("name")]


def _entries(secret: Object, host: str) -> list[tuple[str, str]]:
    """The users and passwords for ``host`` in a Secret of the type dockerconfigjson, an exact match first.

    The cluster's registry may have moved to another port since the Secret was made: any entry for this machine fits.
    """
    try:
        auths: Any = json.loads(base64.b64decode((secret.get("data") or {})[SECRET_KEY]))["auths"]
    except (KeyError, TypeError, ValueError):
        return []
    if not isinstance(auths, dict):
        return []
    keys = {key: _host(key) for key in auths}
    fitting = [key for key, its in keys.items() if its == host or {_name(its), _name(host)} <= LOOPBACK]
    ordered = sorted(fitting, key=lambda key: keys[key] != host)
    return [pair for key in ordered if (pair := _pair(auths[key]))]


def _host(key: str) -> str:
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _name(host: str) -> str:
    return host.partition(":")[0]


def _pair(entry: Any) -> tuple[str, str] | None:
    """The user and the password of an entry, in either of its forms; None if it has none that can be sent."""
    if not isinstance(entry, dict):
        return None
    if name := str(entry.get("username") or ""):
        return None if ":" in name else (name, str(entry.get("password", "")))  # RFC 7617: a colon ends the user
    try:
        user, separator, password = base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if separator else None


def _failed(reference: str, reason: str) -> ContainerError:
    return ContainerError(IMAGE_ERROR, f'Failed to pull image "{reference}": failed to resolve reference: {reason}')
