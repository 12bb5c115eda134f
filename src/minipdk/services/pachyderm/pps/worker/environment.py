"""The environment of user code: the job, the datum, its inputs, the cluster and the pipeline's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.services.pachyderm.pps.kube_secrets import NAMESPACE
from minipdk.services.pachyderm.pps.model import Datum


@dataclass(frozen=True)
class Worker:
    """The same for every datum of a job: the pipeline, its version and the job, which a spout has not.

    By ``token`` pachd knows user code as this pipeline's (see `callers`); it is empty if user code calls as the user. With
    ``s3`` user code reads or writes through S3.
    """

    project: str
    pipeline: str
    spec_commit: str
    job: str
    transform_env: Mapping[str, str]
    secret_env: Mapping[str, str]
    token: str = ""
    s3: bool = False


def cluster_environment(home: Home) -> dict[str, str]:
    """The variables by which a container reaches the cluster. The container itself adds Kubernetes' variables."""
    return {
        "PACH_IN_WORKER": "true",
        "PACH_NAMESPACE": NAMESPACE,
        **({"PACH_TOKEN": home.session_token} if home.session_token else {}),
        "PACHD_PEER_SERVICE_HOST": HOST,
        "PACHD_PEER_SERVICE_PORT": str(home.port("pachd")),
        "PEER_PORT": str(home.port("pachd")),
        "PACHD_SERVICE_HOST": HOST,
        "PACHD_SERVICE_PORT": str(home.port("pachd")),
        "S3GATEWAY_PORT": str(home.port("s3")),
    }


def datum_variables(datum: Datum) -> dict[str, str]:
    """The variables of one datum."""
    variables: dict[str, str] = {}
    for file in datum.inputs:
        variables[file.name] = f"/pfs/{file.name}{file.path}"
        variables[f"{file.name}_COMMIT"] = file.commit.id
        if file.join_on:
            variables[f"PACH_DATUM_{file.name}_JOIN_ON"] = file.join_on
        if file.group_by:
            variables[f"PACH_DATUM_{file.name}_GROUP_BY"] = file.group_by
    variables["PACH_DATUM_ID"] = datum.id
    return variables


def user_environment(home: Home, worker: Worker, datum: Datum | None) -> dict[str, str]:
    """The whole environment of user code, over the image's own ENV; ``datum`` is None if the code processes many datums.

    As on a real cluster, the system's variables win over the spec's ``transform.env``.
    """
    return {
        **worker.transform_env,
        **worker.secret_env,
        **cluster_environment(home),
        **(datum_variables(datum) if datum else {}),
        **({"PACH_JOB_ID": worker.job, "PACH_OUTPUT_COMMIT_ID": worker.job} if worker.job else {}),
        **({"PACH_TOKEN": worker.token} if worker.token else {}),
        **(s3_variables(home, worker) if worker.s3 else {}),
        "PPS_PIPELINE_NAME": worker.pipeline,
        "PPS_PROJECT_NAME": worker.project,
        "PPS_SPEC_COMMIT": worker.spec_commit,
    }


def s3_variables(home: Home, worker: Worker) -> dict[str, str]:
    """The address of a job's S3 buckets, and the credentials by which the gateway knows the job."""
    return {
        "S3_ENDPOINT": home.url("s3"),
        "AWS_ACCESS_KEY_ID": worker.token,
        "AWS_SECRET_ACCESS_KEY": worker.token,
    }


def dotenv(variables: Mapping[str, str]) -> str:
    """Variables as the lines of a .env file, quoted so that spaces, quotes and # are read back unchanged."""
    escaped = ((name, value.replace("\\", "\\\\").replace("'", "\\'")) for name, value in variables.items())
    return "".join(f"{name}='{value}'\n" for name, value in escaped)
