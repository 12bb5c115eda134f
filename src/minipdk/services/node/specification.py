"""A container's specification for its sandbox, and the fields of a Pod that are refused or have no effect.

It looks up all objects that the Pod refers to.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.controller.api import Api
from minipdk.controller.objects import Object
from minipdk.services.node import probes
from minipdk.services.node.environment import environment, expand
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.resources import amount, whole
from minipdk.services.node.status import CONFIG_ERROR
from minipdk.services.node.volumes import Volumes

if TYPE_CHECKING:
    from minipdk.images import Image
    from minipdk.sandbox import ContainerSpec, Network

TERMINATION_MESSAGE = "/dev/termination-log"
REFUSED_IN_POD = (
    *(
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "hostAliases",
        "hostname",
        "subdomain",
        "setHostnameAsFQDN",
        "dnsConfig",
    ),
    *("activeDeadlineSeconds", "readinessGates", "runtimeClassName", "schedulingGates", "resourceClaims", "overhead"),
)
REFUSED_UNLESS = {"hostUsers": True, "os": {"name": "linux"}}
"""Fields of a Pod that are refused unless they have this value, which describes minipdk."""
REFUSED_FOR_PODS_SECURITY = ("sysctls", "windowsOptions")
REFUSED_IN_CONTAINER = ("lifecycle", "volumeDevices", "restartPolicy")
REFUSED_FOR_SECURITY = ("privileged", "readOnlyRootFilesystem", "procMount", "windowsOptions")
ECHOED = (
    *("affinity", "topologySpreadConstraints", "tolerations", "priorityClassName", "imagePullSecrets", "imagePullPolicy"),
    *("dnsPolicy", "enableServiceLinks", "schedulerName", "automountServiceAccountToken", "resources.requests.cpu"),
    *("runAsNonRoot", "allowPrivilegeEscalation", "capabilities.drop", "seccompProfile", "fsGroup", "supplementalGroups"),
    *("seLinuxOptions", "appArmorProfile", "fsGroupChangePolicy", "supplementalGroupsPolicy"),
    *("priority", "preemptionPolicy", "resizePolicy"),
    *("emptyDir.medium", "emptyDir.sizeLimit", "terminationMessagePolicy"),
)
"""Fields that a Pod may have and that have no effect here; the documentation gives the reasons."""


async def prepare(
    api: Api,
    pod: Object,
    container: Object,
    volumes: Volumes,
    image: Image,
    *,
    extra: dict[str, str],
    message: Path,
    network: Network | None,
) -> ContainerSpec:
    """The specification of ``container``. Its own variables override ``extra``; ``message`` is its termination log.

    Raises ContainerError for a missing object or an unsupported field.
    """
    from minipdk.sandbox import ContainerSpec, Mount

    if refused := next(_refused(pod["spec"], container), None):
        raise ContainerError(CONFIG_ERROR, f"{refused} is not supported by minipdk")
    probes.read_all(container)
    variables = extra | await environment(api, pod, container)
    command, args = ([expand(word, variables) for word in container.get(key) or ()] for key in ("command", "args"))
    return ContainerSpec(
        image=image,
        argv=[*(command or image.config.entrypoint), *args] if command or args else [],
        env=variables,
        working_dir=container.get("workingDir") or None,
        user=_user(pod, container),
        mounts=[
            Mount(message, container.get("terminationMessagePath") or TERMINATION_MESSAGE),
            *await volumes.mounts(container, variables),
        ],
        namespace=pod["metadata"]["namespace"],
        network=network,
        cpus=_cpus(container),
    )


def _refused(spec: Object, container: Object) -> Iterator[str]:
    """The fields that request an unsupported feature."""
    yield from (f"spec.{name}" for name in REFUSED_IN_POD if spec.get(name))
    yield from (f"spec.{name}" for name, harmless in REFUSED_UNLESS.items() if spec.get(name, harmless) != harmless)
    pod_security = spec.get("securityContext") or {}
    yield from (f"spec.securityContext.{name}" for name in REFUSED_FOR_PODS_SECURITY if pod_security.get(name))
    security = container.get("securityContext") or {}
    fields = [name for name in REFUSED_IN_CONTAINER if container.get(name)]
    fields += [
        f"securityContext.{name}" for name in REFUSED_FOR_SECURITY if security.get(name) not in (None, False, "Default")
    ]
    if (container.get("resources") or {}).get("claims"):
        fields.append("resources.claims")
    if (security.get("capabilities") or {}).get("add"):
        fields.append("securityContext.capabilities.add")
    if not spec.get("hostNetwork") and any(port.get("hostPort") for port in container.get("ports") or ()):
        fields.append("ports.hostPort")
    if any(mount.get("mountPropagation") not in (None, "None") for mount in container.get("volumeMounts") or ()):
        fields.append("volumeMounts.mountPropagation")
    yield from (f"{field} of container {container['name']}" for field in fields)


def _user(pod: Object, container: Object) -> str | None:
    """The user of the container's security context, else of the Pod's; None for the image's user."""
    security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if user is None and group is None:
        return None
    return f"{user or 0}:{group}" if group is not None else str(user)


def _cpus(container: Object) -> list[int]:
    """The CPUs on which the container's processes may run: its limit, rounded up; empty for all CPUs."""
    available = sorted(os.sched_getaffinity(0))
    limit = whole(amount(container, "limits", "cpu"))
    return sorted(random.sample(available, limit)) if 0 < limit < len(available) else []
