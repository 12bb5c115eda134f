"""Watch pipelines, jobs and endpoints, and read the DAG back from the cluster, through the vendors' Python clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from course import readiness
from course.catch_up import PROJECT
from course.endpoint import EndpointError, failure, find
from course.progress import wait_for

if TYPE_CHECKING:
    from pachyderm_sdk.api import pps

    from course.draw import Node
    from course.profile import Profile

ENDED = {"JOB_SUCCESS", "JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE"}
LOG_TAIL = 15


class JobError(RuntimeError):
    """A job did not succeed; the message holds its reason and the last lines of its log."""


def create_service_account(profile: Profile, manifest: Path) -> str:
    """Create or update the Secret and the ServiceAccount of ``manifest`` in KSERVE_NAMESPACE; return the account's name.

    The S3 endpoint and the Pachyderm token of the profile are filled in.
    """
    namespace, name = profile["KSERVE_NAMESPACE"], ""
    token = profile.pachyderm_token or "none"
    endpoint, _, _ = profile.s3_endpoint.partition("://")[2].partition("/")
    for document in yaml.safe_load_all(manifest.read_text()):
        document["metadata"]["namespace"] = namespace
        document["metadata"]["annotations"]["serving.kserve.io/s3-endpoint"] = endpoint
        if document["kind"] == "Secret":
            document["stringData"] = {"AWS_ACCESS_KEY_ID": token, "AWS_SECRET_ACCESS_KEY": token}
            _apply(profile, "secret", document)
        else:
            _apply(profile, "service_account", document)
            name = document["metadata"]["name"]
    return name


def wait_for_latest_job(profile: Profile, pipeline: str, *, seconds: float = 900) -> pps.JobInfo:
    """Wait until the newest job of ``pipeline`` has succeeded, showing its state.

    Raises JobError with the reason and the log's last lines when it ends otherwise, or when the pipeline cannot run.
    """
    from pachyderm_sdk.api import pps

    name = pps.Pipeline(name=pipeline, project=_project())

    def look() -> tuple[bool, str, pps.JobInfo | None]:
        info = profile.pachyderm.pps.inspect_pipeline(pipeline=name)
        if (state := pps.PipelineState(info.state).name) in {"PIPELINE_CRASHING", "PIPELINE_FAILURE"}:
            raise JobError(f"the pipeline {pipeline} is {state}: {info.reason}")
        job = next(iter(profile.pachyderm.pps.list_job(pipeline=name)), None)
        if job is None:
            return False, "starting", None
        return state_of(job) in ENDED, state_of(job).removeprefix("JOB_").lower(), job

    job = wait_for(f"job of {pipeline}", look, seconds=seconds)
    assert job is not None
    if state_of(job) != "JOB_SUCCESS":
        tail = "\n".join(log_lines(profile, job)[-LOG_TAIL:])
        raise JobError(f"job {job.job.id} of {pipeline} is {state_of(job)}: {job.reason}\n{tail}")
    return job


def state_of(job: pps.JobInfo) -> str:
    """The name of the job's state, such as JOB_SUCCESS."""
    from pachyderm_sdk.api import pps

    return str(pps.JobState(job.state).name)


def log_lines(profile: Profile, job: pps.JobInfo) -> list[str]:
    """The lines that the job's containers printed."""
    return [line.message.rstrip() for line in profile.pachyderm.pps.get_logs(job=job.job) if line.user]


def read(profile: Profile, repo: str, path: str, commit: str = "master") -> str:
    """The text of a file in ``repo``."""
    from pachyderm_sdk.api import pfs

    with profile.pachyderm.pfs.pfs_file(file=pfs.File.from_uri(f"{PROJECT}/{repo}@{commit}:{path}")) as file:
        return str(file.read(), "utf-8")


def files(profile: Profile, repo: str, commit: str = "master") -> list[str]:
    """The paths of all files in ``repo``, without the directories."""
    from pachyderm_sdk.api import pfs

    infos = profile.pachyderm.pfs.walk_file(file=pfs.File.from_uri(f"{PROJECT}/{repo}@{commit}"))
    return [info.file.path for info in infos if info.file_type == pfs.FileType.FILE]


def wait_for_endpoint(profile: Profile, name: str, *, version: str = "", seconds: float = 300) -> dict[str, Any]:
    """Wait until the InferenceService ``name`` is ready and serves model ``version`` (any, if empty); return it.

    Raises EndpointError with the reason as soon as it cannot become ready, or if there is no such service.
    """
    namespace = profile["KSERVE_NAMESPACE"]

    def look() -> tuple[bool, str, dict[str, Any]]:
        service = find(profile, name)
        if service is None:
            raise EndpointError(f"there is no InferenceService {name} in the namespace {namespace}")
        status, ready = service.get("status", {}), readiness.conditions(service).get("Ready", {})
        fresh = status.get("observedGeneration") in (None, service["metadata"].get("generation"))
        serves = not version or service["metadata"].get("annotations", {}).get("pach_id") == version
        if serves and (reason := failure(service)):
            raise EndpointError(f"{name} cannot become ready: {reason} (more: kubectl describe isvc {name} -n {namespace})")
        done = ready.get("status") == "True" and fresh and serves
        return done, "" if done else readiness.reason(profile, service), service

    return wait_for(f"endpoint {name}", look, seconds=seconds)


def graph(profile: Profile, project: str, *, endpoint: str = "") -> tuple[list[Node], list[tuple[str, str]]]:
    """The project's DAG for `draw.dag`: pipelines, repositories and the endpoint, with an edge for every pipeline input."""
    from pachyderm_sdk.api import pfs

    nodes: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    infos = list(profile.pachyderm.pps.list_pipeline(projects=[pfs.Project(name=project)], details=True))
    for info in sorted(infos, key=lambda info: info.pipeline.name):
        for repo in _input_repos(info.details.input):
            nodes.setdefault(repo, "repo")
            edges.append((repo, info.pipeline.name))
        nodes[info.pipeline.name] = "pipeline"
    if endpoint and infos:
        last = next(name for name in reversed(list(nodes)) if name not in {start for start, _ in edges})
        nodes[service := f"{endpoint} endpoint"] = "endpoint"
        edges.append((last, service))
    return sorted(nodes.items(), key=lambda node: node[1] == "repo"), edges


def _input_repos(given: pps.Input) -> list[str]:
    if given.pfs and given.pfs.repo:
        return [given.pfs.repo]
    parts = (*given.cross, *given.join, *given.group, *given.union)
    return [repo for part in parts for repo in _input_repos(part)]


def _project() -> Any:
    from pachyderm_sdk.api import pfs

    return pfs.Project(name=PROJECT)


def _apply(profile: Profile, kind: str, document: dict[str, Any]) -> None:
    from kubernetes.client.exceptions import ApiException

    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    try:
        getattr(profile.kubernetes, f"create_namespaced_{kind}")(namespace, document)
    except ApiException as error:
        if error.status != 409:
            raise
        getattr(profile.kubernetes, f"patch_namespaced_{kind}")(name, namespace, document)
