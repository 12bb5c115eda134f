"""Run one more command in a container that runs. Stand-alone, in a bare interpreter, like `launcher`."""

from __future__ import annotations

import marshal
import os
import signal

from minipdk.sandbox import rootfs, syscalls
from minipdk.sandbox.launcher import become, described, execute, report

NAMESPACES = ("user", "ipc", "pid", "mnt")
"""In the order in which they are entered, after those of a network: the first gives the right to enter the others."""


def main() -> None:
    """Run what descriptor argv[1] describes (see `Container.run`); report on descriptor argv[2] why it cannot be run."""
    plan, status = described()
    try:
        with rootfs.stage("namespaces"):
            for descriptor in plan["namespaces"]:
                syscalls.join(descriptor)
                os.close(descriptor)
        child = os.fork()  # only a child is in the PID namespace
        if child:
            os.close(status)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            os._exit(code if code >= 0 else 128 - code)
        become(plan)
        syscalls.die_with_parent(signal.SIGKILL)
    except rootfs.Stage as failure:
        os.write(status, marshal.dumps(report(failure)))
        os._exit(1)
    execute(plan["argv"])
