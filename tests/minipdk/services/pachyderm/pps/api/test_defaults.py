"""The defaults that a new cluster has, and their effect on its pipelines."""

from __future__ import annotations

import json

from pachyderm_sdk.api import pps
from tests.minipdk.services.pachyderm.pipelines import Workbench

REQUESTS = {"cpu": 1, "memory": "256Mi", "disk": "1Gi"}


def effective(bench: Workbench) -> dict[str, object]:
    name = bench.name("pipeline")
    spec = {
        "pipeline": {"name": name},
        "transform": {"image": "none", "cmd": ["true"]},
        "input": {"pfs": {"repo": bench.repo(), "glob": "/"}},
    }
    answer = bench.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))
    kept = bench.client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=name))
    made: dict[str, object] = json.loads(answer.effective_create_pipeline_request_json)
    assert made.get("resourceRequests") == json.loads(kept.effective_spec_json).get("resourceRequests")
    return made


def test_a_worker_of_a_new_cluster_asks_for_a_quarter_of_a_gibibyte(bench: Workbench) -> None:
    """Until someone sets defaults, even empty ones."""
    defaults = json.loads(bench.client.pps.get_cluster_defaults().cluster_defaults_json)
    assert defaults == {"createPipelineRequest": {"resourceRequests": REQUESTS, "sidecarResourceRequests": REQUESTS}}
    assert effective(bench)["resourceRequests"] == REQUESTS
    bench.client.pps.set_cluster_defaults(cluster_defaults_json="{}")
    assert bench.client.pps.get_cluster_defaults().cluster_defaults_json == "{}"
    assert "resourceRequests" not in effective(bench)
