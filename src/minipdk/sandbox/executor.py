"""Run one more command in a running container. Stand-alone, in a bare interpreter, like `launcher`."""

from __future__ import annotations

import marshal
import os

from minipdk.common.processes import die_with_parent
from minipdk.sandbox import privileges, rootfs, syscalls
from minipdk.sandbox.launcher import OUTSIDE, become, begin_session, execute, read_config, report

NAMESPACES = ("user", "ipc", "pid", "mnt")
"""In the order of entering, after the network's namespaces: the first gives the right to enter the others."""


def main() -> None:
    """Run the command of the configuration on descriptor argv[1] (see `Container.execute`); report failures on argv[2]."""
    config, status = read_config()
    try:
        with rootfs.stage("namespaces"):
            if config["cpus"]:
                os.sched_setaffinity(0, config["cpus"])
            for descriptor in config["namespaces"]:
                syscalls.join(descriptor)
                os.close(descriptor)
        child = os.fork()  # only a child is in the PID namespace
        if child:
            os.close(status)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            os._exit(code if code >= 0 else 128 - code)
        with rootfs.stage("user"):
            privileges.restrict()
            if config["terminal"] is not None:
                begin_session(config["terminal"])
        os.umask(rootfs.UMASK)
        become(config)
        die_with_parent(OUTSIDE)
    except rootfs.SetupError as failure:
        os.write(status, marshal.dumps(report(failure)))
        os._exit(1)
    execute(config["argv"])
