"""What the parts of PPS share: the cluster's folder, PFS, and where pipelines, log lines and GPUs are kept."""

from __future__ import annotations

from dataclasses import dataclass

from minipdk.common.home import Home
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.store import Store
from minipdk.services.pachyderm.pps.worker.gpus import Gpus


@dataclass(frozen=True)
class Parts:
    home: Home
    pfs: Pfs
    store: Store
    logs: Logs
    gpus: Gpus
