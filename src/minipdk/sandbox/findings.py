"""Find out whether this machine can make containers, by making one."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass

from minipdk.home import Home
from minipdk.images.image import Image
from minipdk.sandbox import diagnosis, network
from minipdk.sandbox.container import start
from minipdk.sandbox.errors import SandboxError
from minipdk.sandbox.spec import ContainerSpec

OLDEST_KERNEL = (5, 12)  # overlayfs in user namespaces (5.11) and mount_setattr (5.12)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``mend`` says what to do where it is not ``ok``, ``needed`` if nothing runs without."""

    what: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def probe(home: Home) -> list[Finding]:
    """Whether the kernel is new enough, a container with a layer in ``home`` runs, and one can have a network of its own."""
    return [_kernel(), _container(home), _network(home)]


def _kernel() -> Finding:
    release = platform.release()
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    is_new_enough = platform.system() == "Linux" and version >= OLDEST_KERNEL
    return Finding("Linux kernel", is_new_enough, f"{platform.system()} {release}", "containers need Linux 5.12 or newer")


def _container(home: Home) -> Finding:
    layer = f"private layers in {home.path} on {diagnosis.filesystem(home.path)}"
    image = Image("the host's system", "")
    try:
        container = start(home, ContainerSpec(image, ["/bin/sh", "-c", "touch /usr/probe"]), stderr=subprocess.PIPE)
        _, complaint = container.communicate(timeout=30)
        status = container.wait()
    except SandboxError as error:
        reason, _, mend = str(error).rpartition(": ")
        return Finding("containers", False, reason, mend)
    except TimeoutError:
        container.kill()
        container.communicate()
        return Finding("containers", False, "a container hangs", "look at the kernel's log (dmesg)")
    if status != 0:
        return Finding("containers", False, complaint.decode(errors="replace").strip(), diagnosis.overlay_mend(home))
    return Finding("containers", True, layer)


def _network(home: Home) -> Finding:
    what = "networks of containers"
    try:
        network.create(home, (), ()).close()
    except SandboxError as error:
        reason, _, mend = str(error).rpartition(": ")
        return Finding(what, False, f"only Pods with hostNetwork run: {reason}", mend, needed=False)
    return Finding(what, True, "a Pod can have its own")
