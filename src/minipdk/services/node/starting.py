"""What a container of a Pod becomes: the sandbox's specification, with everything that its Pod refers to looked up."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.controller.api import Api, Object
from minipdk.services.node import probes
from minipdk.services.node.environment import environment, expand
from minipdk.services.node.errors import ContainerError
from minipdk.services.node.quantities import amount, whole
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
"""What a Pod may say in one way alone, which is how it is."""
REFUSED_FOR_PODS_SECURITY = ("sysctls", "windowsOptions")
REFUSED_IN_CONTAINER = ("lifecycle", "stdin", "tty", "volumeDevices", "restartPolicy")
REFUSED_FOR_SECURITY = ("privileged", "readOnlyRootFilesystem", "procMount", "windowsOptions")
ECHOED = (
    *("affinity", "topologySpreadConstraints", "tolerations", "priorityClassName", "imagePullSecrets", "imagePullPolicy"),
    *("dnsPolicy", "enableServiceLinks", "schedulerName", "automountServiceAccountToken", "resources.requests.cpu"),
    *("runAsNonRoot", "allowPrivilegeEscalation", "capabilities.drop", "seccompProfile", "fsGroup", "supplementalGroups"),
    *("seLinuxOptions", "appArmorProfile", "fsGroupChangePolicy", "supplementalGroupsPolicy"),
    *("priority", "preemptionPolicy", "resizePolicy", "stdinOnce"),
    *("emptyDir.medium", "emptyDir.sizeLimit", "terminationMessagePolicy"),
)
"""What a Pod may say and has no meaning here; the documentation says why."""


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
    """The specification of ``container``, with the variables ``extra`` below its own; it says in ``message`` why it ends.

    Raises ContainerError for what is not there or not supported.
    """
    from minipdk.sandbox import ContainerSpec, Mount

    if refused := next(_refused(pod["spec"], container), None):
        raise ContainerError(CONFIG_ERROR, f"{refused} is not supported by minipdk")
    probes.read_all(container)
    variables = extra | await environment(api, pod, container)
    command, args = ([expand(one, variables) for one in container.get(key) or ()] for key in ("command", "args"))
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
    """The fields that ask for what there is not."""
    yield from (f"spec.{name}" for name in REFUSED_IN_POD if spec.get(name))
    yield from (f"spec.{name}" for name, harmless in REFUSED_UNLESS.items() if spec.get(name, harmless) != harmless)
    whole = spec.get("securityContext") or {}
    yield from (f"spec.securityContext.{name}" for name in REFUSED_FOR_PODS_SECURITY if whole.get(name))
    security = container.get("securityContext") or {}
    fields = [name for name in REFUSED_IN_CONTAINER if container.get(name)]
    fields += [
        f"securityContext.{name}" for name in REFUSED_FOR_SECURITY if security.get(name) not in (None, False, "Default")
    ]
    if (container.get("resources") or {}).get("claims"):
        fields.append("resources.claims")
    if (security.get("capabilities") or {}).get("add"):
        fields.append("securityContext.capabilities.add")
    if not spec.get("hostNetwork") and any(one.get("hostPort") for one in container.get("ports") or ()):
        fields.append("ports.hostPort")
    if any(one.get("mountPropagation") not in (None, "None") for one in container.get("volumeMounts") or ()):
        fields.append("volumeMounts.mountPropagation")
    yield from (f"{field} of container {container['name']}" for field in fields)


def _user(pod: Object, container: Object) -> str | None:
    """The user that the container's, else the Pod's security context names; None for the image's."""
    security = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if user is None and group is None:
        return None
    return f"{user or 0}:{group}" if group is not None else str(user)


def _cpus(container: Object) -> list[int]:
    """Which CPUs the container's processes may run on: as many as its limit, rounded up; empty for all."""
    ours = sorted(os.sched_getaffinity(0))
    limit = whole(amount(container, "limits", "cpu"))
    return sorted(random.sample(ours, limit)) if 0 < limit < len(ours) else []
