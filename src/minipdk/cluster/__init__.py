"""A cluster: a folder, the services that keep their state in it, and the processes that run them.

`services` lists the services, each declared in its ``service.py``; `home` creates a cluster's folder; `lifecycle` starts,
stops and inspects a cluster, whose processes the `supervisor` keeps running; `controllers` is the process that the
controllers share; `profile` holds the variables that clients read.
"""

from minipdk.cluster.home import Settings
from minipdk.cluster.lifecycle import ClusterError, ProcessStatus, Started, delete, is_running, reset, start, status, stop
from minipdk.cluster.profile import environment
from minipdk.cluster.services import IMAGES, PROCESSES, SERVICES
from minipdk.cluster.supervisor import supervisor_pid

__all__ = [
    "IMAGES",
    "PROCESSES",
    "SERVICES",
    "ClusterError",
    "ProcessStatus",
    "Settings",
    "Started",
    "delete",
    "environment",
    "is_running",
    "reset",
    "start",
    "status",
    "stop",
    "supervisor_pid",
]
