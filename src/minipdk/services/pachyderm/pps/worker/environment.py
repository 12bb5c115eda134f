"""What user code finds in its environment: the job, the datum, its inputs, the cluster and the pipeline's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.services.pachyderm.pps.datums import Datum

NAMESPACE = "default"


@dataclass(frozen=True)
class Worker:
    """What stays the same for every datum of a job: the pipeline, its version and the job, which a spout has none of.

    ``token`` is what user code is known by as this pipeline's (see `callers`); empty where it calls as the user. With
    ``s3`` it is to read or write through S3.
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
    """How a container reaches the cluster. Kubernetes' variables come with the container itself."""
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
    """The variables that tell one datum of a job from another."""
    variables: dict[str, str] = {}
    for one in datum.inputs:
        variables[one.name] = f"/pfs/{one.name}{one.path}"
        variables[f"{one.name}_COMMIT"] = one.commit.id
        if one.join_on:
            variables[f"PACH_DATUM_{one.name}_JOIN_ON"] = one.join_on
        if one.group_by:
            variables[f"PACH_DATUM_{one.name}_GROUP_BY"] = one.group_by
    variables["PACH_DATUM_ID"] = datum.id
    return variables


def user_environment(home: Home, worker: Worker, datum: Datum | None) -> dict[str, str]:
    """The whole environment of user code, over the image's own ENV; ``datum`` None where it serves many of them.

    As on a real cluster, what the system sets for the datum wins over the spec's ``transform.env``.
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
    """Where a job's S3 buckets are, and the credentials that tell the gateway whose they are."""
    return {
        "S3_ENDPOINT": home.url("s3"),
        "AWS_ACCESS_KEY_ID": worker.token,
        "AWS_SECRET_ACCESS_KEY": worker.token,
    }


def dotenv(variables: Mapping[str, str]) -> str:
    """Variables as the lines of a .env file, quoted so that spaces, quotes and # come back as they were."""
    escaped = ((name, value.replace("\\", "\\\\").replace("'", "\\'")) for name, value in variables.items())
    return "".join(f"{name}='{value}'\n" for name, value in escaped)
