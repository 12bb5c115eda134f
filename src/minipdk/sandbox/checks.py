"""Find out whether this machine can make containers, by making one."""

from __future__ import annotations

import platform
import subprocess

from minipdk.common.home import Home
from minipdk.common.service import Check
from minipdk.images.image import Image
from minipdk.sandbox import diagnosis, network
from minipdk.sandbox.container import start
from minipdk.sandbox.errors import SandboxError
from minipdk.sandbox.spec import ContainerSpec

OLDEST_KERNEL = (5, 12)  # overlayfs in user namespaces (5.11) and mount_setattr (5.12)


def probe(home: Home) -> list[Check]:
    """Whether the kernel is new enough, a container with a layer in ``home`` runs, and it can have a private network."""
    return [_kernel(), _container(home), _network(home)]


def _kernel() -> Check:
    release = platform.release()
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    is_new_enough = platform.system() == "Linux" and version >= OLDEST_KERNEL
    return Check("Linux kernel", is_new_enough, f"{platform.system()} {release}", "containers need Linux 5.12 or newer")


def _container(home: Home) -> Check:
    layer = f"private layers in {home.path} on {diagnosis.filesystem(home.path)}"
    image = Image("the host's system", "")
    try:
        container = start(home, ContainerSpec(image, ["/bin/sh", "-c", "touch /usr/probe"]), stderr=subprocess.PIPE)
        _, complaint = container.communicate(timeout=30)
        status = container.wait()
    except SandboxError as error:
        reason, _, remedy = str(error).rpartition(": ")
        return Check("containers", False, reason, remedy)
    except TimeoutError:
        container.kill()
        container.communicate()
        return Check("containers", False, "a container hangs", "look at the kernel's log (dmesg)")
    if status != 0:
        return Check("containers", False, complaint.decode(errors="replace").strip(), diagnosis.overlay_remedy(home))
    return Check("containers", True, layer)


def _network(home: Home) -> Check:
    subject = "networks of containers"
    try:
        network.create(home, (), ()).close()
    except SandboxError as error:
        reason, _, remedy = str(error).rpartition(": ")
        return Check(subject, False, f"only Pods with hostNetwork run: {reason}", remedy, needed=False)
    return Check(subject, True, "a Pod can have its own")
