"""Every call of pps_v2.API that minipdk supports; `rpc` refuses the others by name."""

from __future__ import annotations

from minipdk.services.pachyderm.pps.api.datums import DatumCalls
from minipdk.services.pachyderm.pps.api.defaults import DefaultsCalls
from minipdk.services.pachyderm.pps.api.jobs import JobCalls
from minipdk.services.pachyderm.pps.api.kube_secrets import SecretCalls
from minipdk.services.pachyderm.pps.api.logs import LogCalls
from minipdk.services.pachyderm.pps.api.pipelines import PipelineCalls


class PpsServicer(PipelineCalls, DefaultsCalls, SecretCalls, JobCalls, DatumCalls, LogCalls):
    """pps_v2.API over `Pps`."""
