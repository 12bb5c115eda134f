"""A container's environment and arguments: values, references to other objects and fields, and $(NAME) in between.

Rules: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from typing import Any

from minipdk.common.ports import HOST
from minipdk.common.quantities import quantity
from minipdk.controller.api import UNAVAILABLE, Api, describe
from minipdk.controller.errors import NotFoundError
from minipdk.controller.objects import CONFIG_MAPS, SECRETS, Object, Resource
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.resources import amount, whole
from minipdk.services.node.status import CONFIG_ERROR

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^()]*)\))")
_ENTRY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
KINDS: dict[Resource, str] = {SECRETS: "secret", CONFIG_MAPS: "configmap"}
KEY_SOURCES = {"secretKeyRef": SECRETS, "configMapKeyRef": CONFIG_MAPS}
WHOLE_SOURCES = {"secretRef": SECRETS, "configMapRef": CONFIG_MAPS}


async def environment(api: Api, pod: Object, container: Object) -> dict[str, str]:
    """The variables of ``container``, in its order. Raises ContainerError for a missing or unsupported source."""
    variables: dict[str, str] = {"HOSTNAME": pod["metadata"]["name"]}
    for source in container.get("envFrom") or ():
        variables |= await _all_of(api, pod["metadata"]["namespace"], source)
    for variable in container.get("env") or ():
        value = await _value(api, pod, container, variable)
        if value is not None:
            variables[variable["name"]] = expand(value, variables)
    return variables


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with each $(NAME) replaced by its value, or unchanged for an unknown name; $$ stands for a $."""

    def value(match: re.Match[str]) -> str:
        return "$" if match[1] else variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


async def read(api: Api, resource: Resource, namespace: str, reference: Object) -> dict[str, bytes] | None:
    """The content of the Secret or ConfigMap that ``reference`` names; None if it is optional and missing."""
    subject = f'{KINDS[resource]} "{reference["name"]}"'
    try:
        content = await api.get(resource, namespace, reference["name"])
    except NotFoundError:
        if reference.get("optional"):
            return None
        raise ContainerError(CONFIG_ERROR, f"{subject} not found") from None
    except UNAVAILABLE as error:
        raise ContainerError(CONFIG_ERROR, f"{subject} cannot be read: {describe(error)}") from error
    data, binary = content.get("data") or {}, content.get("binaryData") or {}
    if resource is SECRETS:
        data, binary = {}, data
    return {key: text.encode() for key, text in data.items()} | {key: base64.b64decode(code) for key, code in binary.items()}


async def _all_of(api: Api, namespace: str, source: Object) -> dict[str, str]:
    for kind, resource in WHOLE_SOURCES.items():
        if reference := source.get(kind):
            data = await read(api, resource, namespace, reference) or {}
            return {f"{source.get('prefix', '')}{key}": value.decode(errors="replace") for key, value in data.items()}
    return {}


async def _value(api: Api, pod: Object, container: Object, variable: Object) -> str | None:
    """A variable's value; None if its source is optional and missing."""
    source: Object = variable.get("valueFrom") or {}
    for kind, reference in source.items():
        if kind in KEY_SOURCES:
            return await _key(api, KEY_SOURCES[kind], pod["metadata"]["namespace"], reference)
        if kind == "fieldRef":
            return field(pod, reference["fieldPath"])
        if kind == "resourceFieldRef":
            return resource_field(container, reference)
        raise ContainerError(CONFIG_ERROR, f"env {variable['name']}: valueFrom.{kind} is not supported by minipdk")
    return str(variable.get("value", ""))


async def _key(api: Api, resource: Resource, namespace: str, reference: Object) -> str | None:
    data = await read(api, resource, namespace, reference)
    if data is None or (reference["key"] not in data and reference.get("optional")):
        return None
    if reference["key"] not in data:
        name = f"{namespace}/{reference['name']}"
        raise ContainerError(CONFIG_ERROR, f"couldn't find key {reference['key']} in {KINDS[resource].title()} {name}")
    return data[reference["key"]].decode(errors="replace")


def field(pod: Object, path: str) -> str:
    """The field of a Pod that ``path`` names. Raises ContainerError for an unsupported one."""
    metadata, spec = pod["metadata"], pod["spec"]
    fields: dict[str, Any] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        **dict.fromkeys(("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs"), HOST),
    }
    if path in fields:
        return str(fields[path])
    if entry := _ENTRY.fullmatch(path):
        return str((metadata.get(entry[1]) or {}).get(entry[2], ""))
    raise ContainerError(CONFIG_ERROR, f'fieldPath "{path}" is not supported by minipdk')


def resource_field(container: Object, reference: Object) -> str:
    """A resource of the container in units of the divisor. Without a limit, the machine's amount is the limit."""
    kind, _, resource = str(reference["resource"]).partition(".")
    machine = {"cpu": os.cpu_count() or 1, "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}
    if kind not in ("limits", "requests") or resource not in machine:
        raise ContainerError(CONFIG_ERROR, f'resourceFieldRef "{reference["resource"]}" is not supported by minipdk')
    size = amount(container, kind, resource)
    if not size and kind == "limits":
        size = quantity(machine[resource])
    divisor = quantity(reference.get("divisor") or 1) or quantity(1)
    return str(whole(size / divisor))
