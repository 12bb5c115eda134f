"""Run a command in an image: a private root with mounts, an environment, limits and captured output.

A container is a process in its own user, mount and PID namespaces. Its root holds the host's system folders and Python
environment and the image's layers, all under one private writable layer. Files that it writes outside its mounts stay in
the container and vanish with it; the host's home folders are not there at all. Killing the container kills everything
it started. Its network is the host's, where services are on loopback at the same addresses as outside, or a private one
(`network`), whose only connections to the outside go through relays.

This protects the host's files from accidents and gives each container the paths it would have on a real cluster. It is
no security boundary: the code runs as the user who started the cluster. There is one user inside, regardless of the number
that `id` prints: files that the container writes to a mount belong to the user who started the cluster.

`container.start` turns a specification (`spec`) into a `runtime_config` and starts `launcher` with it in a
`bare_interpreter`; the launcher builds the root (`rootfs`) and executes the command. `executor` runs a command in a running
container, `forwarder` and `relay` are the processes of a private network. `diagnosis` explains failures.

The interface that services use::

    spec = ContainerSpec(
        image=images.resolve("pdk-churn-train:1.0"),
        argv=["/bin/sh"],                       # empty: the image's ENTRYPOINT and CMD
        env={"PACH_JOB_ID": ...},               # over the image's ENV; nothing of the host's environment leaks in
        working_dir=None,                       # None: the image's WORKDIR
        user=None,                              # None: the image's USER; `id -u` prints it inside
        mounts=[Mount(source=folder, target="/pfs", read_only=False)],
        network=None,                           # create_network(home, ports, services) for a private one
    )
    container = start(home, spec, stdin=b"python train.py\n", stdout=log_file, stderr=STDOUT)
    code = container.wait(timeout=60)           # exit status; 128 + n when a signal ended it; TimeoutError
    container.run(["ls", "/pfs"], timeout=5)    # one more command inside: its exit status and output
    container.execute(["sh"], terminal=True)    # one more command inside, with streams or a terminal: a Command
    container.stop(grace=5)                     # SIGTERM, then SIGKILL to everything inside
    container.changed("/some/prefix")           # whether its private layer has changes below that path

    inside = enter(home, spec)                  # turn a freshly forked process into the container (for the trial zygote)
    inside.changed(sys.prefix)                  # as Container.changed

`sandbox.errors` has every way this can fail; `probe` finds out whether this machine can make containers.

Every container also finds the Kubernetes service account where a pod would:
/var/run/secrets/kubernetes.io/serviceaccount/{token,ca.crt,namespace} and KUBERNETES_SERVICE_HOST/PORT.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # importing typing would slow the launcher down
if TYPE_CHECKING:
    from subprocess import DEVNULL, PIPE, STDOUT

    from minipdk.sandbox.checks import probe
    from minipdk.sandbox.container import Command, Container, Inside, enter, start
    from minipdk.sandbox.folders import sweep
    from minipdk.sandbox.network import Network
    from minipdk.sandbox.network import create as create_network
    from minipdk.sandbox.spec import ContainerSpec, Mount

_EXPORTS = {
    "DEVNULL": "subprocess",
    "PIPE": "subprocess",
    "STDOUT": "subprocess",
    "Command": "minipdk.sandbox.container",
    "Container": "minipdk.sandbox.container",
    "ContainerSpec": "minipdk.sandbox.spec",
    "Inside": "minipdk.sandbox.container",
    "Mount": "minipdk.sandbox.spec",
    "Network": "minipdk.sandbox.network",
    "create_network": "minipdk.sandbox.network",
    "enter": "minipdk.sandbox.container",
    "probe": "minipdk.sandbox.checks",
    "start": "minipdk.sandbox.container",
    "sweep": "minipdk.sandbox.folders",
}

_RENAMED = {"create_network": "create"}

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "Command",
    "Container",
    "ContainerSpec",
    "Inside",
    "Mount",
    "Network",
    "create_network",
    "enter",
    "probe",
    "start",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Import on first use: the launcher is a module of this package and must start in milliseconds."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_EXPORTS[name]), _RENAMED.get(name, name))
    return value
