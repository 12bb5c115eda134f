"""Credentials for storage, from KServe's sources: the service account's Secrets, and annotations on both.

The result is a container's environment. Keys stay references to the Secret, so that no Pod contains them.
Rules: https://kserve.github.io/website/0.14/modelserving/storage/s3/s3/
"""

from __future__ import annotations

import base64

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.controller.api import Api
from minipdk.controller.errors import NotFoundError
from minipdk.controller.objects import SECRETS, SERVICE_ACCOUNTS, Object
from minipdk.services.kserve.errors import NotSupportedError, SourceError

ANNOTATION = "serving.kserve.io/s3-"
ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"  # names of keys, not keys
HTTPS_HOST, HEADERS = "https-host", "headers"  # of a Secret for models behind URLs
FALSE = frozenset({"0", "false"})
KNOWN = frozenset({"endpoint", "usehttps", "region", "verifyssl", "useanoncredential", "usevirtualbucket"})
PACHYDERM_HOSTS = ("pachd.pachyderm", "pachd.pachyderm.svc", "pachd.pachyderm.svc.cluster.local", "pachd.default", "pachd")
"""In-cluster names of pachd, with any port: minipdk's own S3 gateway answers to them."""


async def storage_environment(api: Api, home: Home, namespace: str, service_account: str) -> list[Object]:
    """The storage initializer's environment for a Pod that runs as ``service_account``: S3 keys, headers for hosts."""
    try:
        account = await api.get(SERVICE_ACCOUNTS, namespace, service_account)
    except NotFoundError:
        if service_account == "default":
            return []
        raise SourceError(
            f'serviceaccount "{service_account}" not found in namespace {namespace}: create it, with the Secret that holds '
            f"{ACCESS_KEY} and {SECRET_KEY}"
        ) from None
    s3: list[Object] = []
    headers: list[Object] = []
    for reference in account.get("secrets") or []:
        try:
            secret = await api.get(SECRETS, namespace, reference["name"])
        except NotFoundError:
            raise SourceError(
                f'secret "{reference["name"]}" of serviceaccount "{service_account}" not found in namespace {namespace}'
            ) from None
        data = secret.get("data") or {}
        if {ACCESS_KEY, SECRET_KEY} <= data.keys():
            s3 = s3 or _s3_environment(home, secret, account)
        elif {HTTPS_HOST, HEADERS} <= data.keys():
            name = f"{base64.b64decode(data[HTTPS_HOST]).decode()}-{HEADERS}"
            headers.append({"name": name, "valueFrom": {"secretKeyRef": {"name": reference["name"], "key": HEADERS}}})
    return s3 + headers


def _s3_environment(home: Home, secret: Object, account: Object) -> list[Object]:
    settings = _settings(secret) or _settings(account)
    for name in settings.keys() - KNOWN:
        raise NotSupportedError(f"annotation {ANNOTATION}{name}")
    name = secret["metadata"]["name"]
    variables: list[Object] = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}} for key in (ACCESS_KEY, SECRET_KEY)
    ]
    values = {"AWS_DEFAULT_REGION": settings.get("region", "us-east-1")}
    if endpoint := settings.get("endpoint"):
        secure = settings.get("usehttps", "1") not in FALSE
        values["AWS_ENDPOINT_URL"] = _cluster_address(home, endpoint) or f"http{'s' if secure else ''}://{endpoint}"
    if "verifyssl" in settings:
        values["S3_VERIFY_SSL"] = settings["verifyssl"]
    if "useanoncredential" in settings:
        values["awsAnonymousCredential"] = settings["useanoncredential"]
    if "usevirtualbucket" in settings:
        values["S3_USER_VIRTUAL_BUCKET"] = settings["usevirtualbucket"]
    return variables + [{"name": key, "value": value} for key, value in values.items()]


def _settings(thing: Object) -> dict[str, str]:
    """The S3 settings in an object's annotations. Scheme and trailing slash of an endpoint are tolerated."""
    annotations = thing["metadata"].get("annotations") or {}
    settings = {key.removeprefix(ANNOTATION): value for key, value in annotations.items() if key.startswith(ANNOTATION)}
    if endpoint := settings.get("endpoint"):
        settings["endpoint"] = (endpoint.partition("://")[2] or endpoint).rstrip("/")
    return settings


def _cluster_address(home: Home, endpoint: str) -> str | None:
    """The loopback address for an in-cluster name of Pachyderm, which only a cluster's DNS can resolve."""
    return f"http://{HOST}:{home.port('s3')}" if endpoint.partition(":")[0] in PACHYDERM_HOSTS else None
