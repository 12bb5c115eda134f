"""kill -9 of every process while the course's pipelines run: nothing acknowledged is lost, and the work completes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import requests
from determined.common.api.errors import MasterNotFoundException
from urllib3.exceptions import HTTPError

from course import endpoint, load, pipelines
from course.catch_up import catch_up
from course.profile import REQUIRED, Profile
from minipdk import cluster
from minipdk.common import home as homes
from tests.conftest import wait_for
from tests.notebooks.conftest import ROOT, CourseCluster

SPECS = ROOT / "pipelines" / "churn"
PROJECT = "pdk-customer-churn"
DOWN = (grpc.RpcError, ConnectionError, requests.RequestException, HTTPError, MasterNotFoundException)
NOT_YET = (RuntimeError, LookupError)


def patiently(look: Callable[[], Any]) -> Callable[[], Any]:
    """``look`` for a client that tries again: None while a service is down or the object does not exist yet."""

    def try_it() -> Any:
        try:
            return look()
        except DOWN + NOT_YET:
            return None

    return try_it


def kill(course: CourseCluster, name: str) -> None:
    """Kill the cluster's process ``name``."""
    home = homes.load(course.home)
    pid = next(status.pid for status in cluster.status(home) if status.process.name == name)
    os.kill(pid, signal.SIGKILL)


def create_pipelines(profile: Profile) -> None:
    values = {"det_master": "DET_MASTER", "det_user": "DET_USER", "det_password": "DET_PASS"}
    values |= {"kserve_namespace": "KSERVE_NAMESPACE", "git_url": "COURSE_GIT_URL"}
    data = {key: profile[name] for key, name in values.items()} | {"pac_token": profile.pachyderm_token}
    profile.pachyderm.pps.create_secret(name="pipeline-secret", data=data)
    pipelines.create_service_account(profile, ROOT / "containers" / "deploy" / "deploy_sa.yaml")
    for name in ("training", "deployment"):
        spec = json.loads((SPECS / f"_on_prem_{name}-pipeline.json").read_text())
        spec.pop("pod_patch")
        profile.pachyderm.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(spec))


def job_is_running(profile: Profile) -> bool:
    from pachyderm_sdk.api import pfs, pps

    name = pps.Pipeline(name="customer-churn-train", project=pfs.Project(name=PROJECT))
    return any(job.state == pps.JobState.JOB_RUNNING for job in profile.pachyderm.pps.list_job(pipeline=name))


def validations(profile: Profile) -> list[int]:
    """After how many batches the pipeline's trial has validated so far."""
    experiment = profile.determined.list_experiments(name="customer-churn-training")[0]
    return [report.steps_completed for report in experiment.list_trials()[0].iter_metrics("validation")]


def endpoint_is_coming(profile: Profile) -> bool:
    status = profile.kserve.get(endpoint.SERVICE, namespace=profile["KSERVE_NAMESPACE"]).get("status", {})
    return any(condition["type"] == "Ready" and condition["status"] != "True" for condition in status.get("conditions", []))


@pytest.mark.timeout(600)
def test_the_endpoint_answers_although_each_process_is_killed_in_between(
    course_cluster: CourseCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in REQUIRED:
        monkeypatch.setenv(name, "")  # restored afterwards: loading the profile sets them
    course_cluster.reset()
    monkeypatch.chdir(course_cluster.prepared)
    catch_up(str(course_cluster.profile), before=4)
    profile = load(str(course_cluster.profile))
    create_pipelines(profile)

    wait_for(patiently(lambda: job_is_running(profile)), seconds=60, what="the training job to run")
    kill(course_cluster, "pachyderm")
    kill(course_cluster, "kubernetes")
    acknowledged = wait_for(patiently(lambda: validations(profile)), seconds=120, what="the trial to validate")
    kill(course_cluster, "determined")
    wait_for(patiently(lambda: endpoint_is_coming(profile)), seconds=180, what="the InferenceService to be made")
    kill(course_cluster, "serving")
    sample = json.loads((ROOT / "sample-data" / "customer_churn_sample.json").read_text())
    predictions = wait_for(patiently(lambda: endpoint.predict(profile, sample)), seconds=180, what="the endpoint to answer")

    assert isinstance(predictions, list)
    assert isinstance(acknowledged, list)
    assert len(predictions) == 10
    assert len(profile.determined.list_experiments(name="customer-churn-training")) == 1
    assert validations(profile)[: len(acknowledged)] == acknowledged
    assert validations(profile) == list(range(100, 1100, 100))
    [model] = profile.determined.list_models(name=endpoint.MODEL)
    assert len(model.list_versions()) == 1
    assert pipelines.state_of(pipelines.wait_for_latest_job(profile, "customer-churn-deploy")) == "JOB_SUCCESS"
