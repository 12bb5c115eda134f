"""ConfigMaps and Secrets: pairs of names and values that pods read.

Rules: https://kubernetes.io/docs/concepts/configuration/configmap/ and .../secret/.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from minipdk.common.documents import read_json
from minipdk.services.kubernetes.errors import BadRequestError, Cause, forbidden, invalid_value, required
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, count, text
from minipdk.services.kubernetes.kinds.validation import MAX_DATA, data_keys, unchanged
from minipdk.services.kubernetes.model import Column, Object, Resource, Strategy

TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105  # a type's name
BASIC_AUTH, BASIC_AUTH_KEYS = "kubernetes.io/basic-auth", ("username", "password")
SECRET_KEYS = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""The keys that a Secret of each type must have."""


def validate_config_map(config: Object) -> Iterator[Cause]:
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    yield from data_keys("data", list(data))
    yield from data_keys("binaryData", list(binary))
    _check_base64("ConfigMap", "binaryData", binary)
    for key in sorted(data.keys() & binary.keys()):
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    if sum(len(value.encode()) for value in data.values()) + _decoded_size(binary) > MAX_DATA:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_DATA} bytes", "")


def default_secret(secret: Object) -> None:
    secret.setdefault("type", "Opaque")
    if plain := secret.pop("stringData", None):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        secret["data"] = {**secret.get("data", {}), **encoded}


def validate_secret(secret: Object) -> Iterator[Cause]:
    data: dict[str, str] = secret.get("data") or {}
    if secret["type"] == TOKEN_SECRET:
        yield forbidden("type", f"{TOKEN_SECRET} is not supported by minipdk: use `kubectl create token`")
    yield from data_keys("data", list(data))
    _check_base64("Secret", "data", data)
    if _decoded_size(data) > MAX_DATA:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_DATA} bytes", "data")
    for key in SECRET_KEYS.get(secret["type"], ()):
        if key not in data:
            yield required(f"data[{key}]")
        elif key.startswith(".docker"):
            yield from _validate_docker_config(key, data[key])
    if secret["type"] == BASIC_AUTH and not data.keys() & set(BASIC_AUTH_KEYS):
        yield from (required(f"data[{key}]") for key in BASIC_AUTH_KEYS)


def validate_secret_update(old: Object, new: Object) -> Iterator[Cause]:
    yield from unchanged("type", old.get("type"), new.get("type"))
    yield from immutable_data(old, new)


def immutable_data(old: Object, new: Object) -> Iterator[Cause]:
    """Neither ``immutable: true`` nor the data that it protects can change."""
    if not old.get("immutable"):
        return
    for field in ("immutable", "data", "binaryData"):
        if (old.get(field) or None) != (new.get(field) or None):
            yield forbidden(field, "field is immutable when `immutable` is set")


def _validate_docker_config(key: str, encoded: str) -> Iterator[Cause]:
    try:
        read_json(base64.b64decode(encoded))
    except ValueError as error:
        yield invalid_value(f"data[{key}]", "<secret contents redacted>", str(error))


def _check_base64(kind: str, field: str, data: dict[str, str]) -> None:
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            reason = f"{field}[{key}] is not base64 ({error}): encode it, or use stringData in a Secret"
            raise BadRequestError(f'{kind} in version "v1" cannot be handled as a {kind}: {reason}') from error


def _decoded_size(data: dict[str, str]) -> int:
    return sum(len(value) * 3 // 4 for value in data.values())


CONFIG_MAPS = Resource(
    *("", "v1", "ConfigMap", "configmaps", ("cm",)),
    model="V1ConfigMap",
    description="Configuration that pods read: pairs of names and values.",
    strategy=Strategy(validate=validate_config_map, validate_update=immutable_data),
    columns=(
        NAME,
        Column("Data", lambda config: len(config.get("data") or ()) + len(config.get("binaryData") or ())),
        AGE,
    ),
)
SECRETS = Resource(
    *("", "v1", "Secret", "secrets"),
    model="V1Secret",
    description="Values that pods need and that others should not see, such as the keys of a model store.",
    strategy=Strategy(default_secret, validate_secret, validate_secret_update),
    columns=(NAME, Column("Type", text("type")), Column("Data", count("data"), kind="integer"), AGE),
    selectable=("type",),
)
