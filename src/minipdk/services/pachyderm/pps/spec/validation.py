"""The rules of a pipeline spec, and the fields that minipdk only echoes or refuses.

`ACCEPTED_AND_ECHOED` and `REFUSED` are the one list of deviations from a real cluster; every other field of a spec works as
Pachyderm's documentation of the pipeline specification says.
"""

from __future__ import annotations

import re
from typing import Literal

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pps.messages import service_of
from minipdk.services.pachyderm.pps.spec import inputs, pod_patch

ACCEPTED_AND_ECHOED = {
    "autoscaling": "workers start with each datum, so there is nothing to scale; an idle pipeline shows as STANDBY",
    "determined": "its workspaces; a pipeline reaches Determined with the credentials in its own secrets",
    "input.pfs.lazy": "files are there before user code starts, as if it were false",
    "metadata": "labels and annotations of pods; there are no pods",
    "resource_limits.cpu, .disk, .memory": "this machine is shared by every container",
    "resource_requests": "there is nothing to schedule on",
    "scheduling_spec": "there is one node",
    "sidecar_resource_limits": "there is no sidecar",
    "sidecar_resource_requests": "there is no sidecar",
    "tolerations": "there is one node, without taints",
    "transform.debug": "worker lines are always logged",
    "transform.image_pull_secrets": "images are local",
    "transform.memory_volume": "/pfs is on disk",
}

REFUSED = (
    "tf_job",
    "egress",
    "pod_spec",
    "spec_commit",
    "transform.dockerfile",
)
"""Refused with UNIMPLEMENTED and the field's name when a spec sets them."""

MAX_NAME, MAX_KUBERNETES_NAME = 51, 63
NAME = re.compile(r"[a-zA-Z0-9_-]+")
MAX_PORT = (1 << 16) - 1
SERVICE_TYPES = ("ClusterIP", "LoadBalancer", "NodePort")
TIMEOUTS: tuple[Literal["datum_timeout", "job_timeout"], ...] = ("datum_timeout", "job_timeout")
UNTIL_SUCCESS, EVERY_JOB = "until_success", "every_job"


def validate_request(request: wire.pps.CreatePipelineRequest) -> None:
    """Refuse a CreatePipelineRequest that no cluster could run."""
    _refuse_unsupported(request)
    _validate_name(request.pipeline)
    if not request.HasField("transform"):
        raise PachydermError("pipeline must specify a transform")
    if request.reprocess_spec not in ("", UNTIL_SUCCESS, EVERY_JOB):
        raise InvalidRequestError(f"invalid pipeline spec: ReprocessSpec must be one of '{UNTIL_SUCCESS}' or '{EVERY_JOB}'")
    if request.s3_out and (request.HasField("service") or request.HasField("spout")):
        raise PachydermError("s3 output is not supported in spouts or services")
    if request.HasField("spout") and request.autoscaling:
        raise PachydermError("autoscaling can't be used with spouts (spouts aren't triggered externally)")
    if request.transform.datum_batching and (request.HasField("service") or request.HasField("spout")):
        raise PachydermError("invalid pipeline spec: transform.datum_batching is not for services and spouts")
    if request.datum_tries < 0:
        raise PachydermError(f"invalid pipeline spec: datum_tries must not be negative, not {request.datum_tries}")
    for name in TIMEOUTS:
        if request.HasField(name) and getattr(request, name).ToNanoseconds() <= 0:
            raise PachydermError(f'invalid pipeline spec: {name} must be longer than 0, such as "300s"')
    _validate_datum_sets(request.datum_set_spec)
    _validate_transform(request.transform)
    pod_patch.parse(request.pod_patch)


def validate_info(details: wire.pps.PipelineInfoDetails) -> None:
    """Refuse a PipelineInfo's details, with the defaults filled in, that could not run."""
    if details.HasField("spout"):
        if inputs.kinds(details.input):
            _refuse_input_of_spout(details.spout)
    elif not inputs.kinds(details.input):
        raise PachydermError("no input set")
    else:
        inputs.validate(details.input)
    _validate_service(details)
    if not NAME.fullmatch(details.output_branch):
        raise PachydermError(
            f"invalid output_branch: name ({details.output_branch}) invalid: only alphanumeric characters, underscores, "
            "and dashes are allowed"
        )


def _refuse_unsupported(request: wire.pps.CreatePipelineRequest) -> None:
    for path in REFUSED:
        holder, _, name = path.rpartition(".")
        owner: wire.Message = getattr(request, holder) if holder else request
        field = owner.DESCRIPTOR.fields_by_name[name]
        if owner.HasField(name) if field.message_type else getattr(owner, name):
            raise UnsupportedError(path)


def _validate_name(pipeline: wire.pps.Pipeline) -> None:
    name, project = pipeline.name, pipeline.project.name
    if not name:
        raise PachydermError("invalid pipeline spec: request.Pipeline.Name cannot be empty")
    if not NAME.fullmatch(name):
        raise PachydermError(
            f"invalid pipeline name: name ({name}) invalid: only alphanumeric characters, underscores, and dashes are "
            "allowed"
        )
    if not name[0].isalnum():
        raise PachydermError("pipeline names must start with an alphanumeric character")
    if len(name) > MAX_NAME:
        raise PachydermError(f'pipeline name "{name}" is {len(name) - MAX_NAME} characters longer than the {MAX_NAME} max')
    kubernetes_name = f"{project}-{name}-v99"
    if len(kubernetes_name) > MAX_KUBERNETES_NAME:
        raise PachydermError(
            f'Kubernetes name "{kubernetes_name}" is {len(kubernetes_name) - MAX_KUBERNETES_NAME} characters longer than '
            f"the {MAX_KUBERNETES_NAME} max"
        )


def _refuse_input_of_spout(spout: wire.pps.Spout) -> None:
    if not spout.HasField("service"):
        raise PachydermError("spout pipelines (without a service) must not have an input")
    raise UnsupportedError("input of a spout")


def _validate_service(details: wire.pps.PipelineInfoDetails) -> None:
    if (service := service_of(details)) is None:
        return
    if details.HasField("service"):
        if details.HasField("spout"):
            raise PachydermError("only one of pipeline.service or pipeline.spout can be set")
        if details.HasField("parallelism_spec") and details.parallelism_spec.constant != 1:
            raise PachydermError("services can only be run with a constant parallelism of 1")
    if service.type not in SERVICE_TYPES:
        raise InvalidRequestError(f"the following service type {service.type} is not allowed")
    if not 0 < service.internal_port <= MAX_PORT:
        raise PachydermError(
            f"invalid pipeline spec: service.internal_port must be the port that user code listens on, not "
            f"{service.internal_port}"
        )
    if not 0 <= service.external_port <= MAX_PORT:
        raise PachydermError(
            f"invalid pipeline spec: service.external_port must be at most {MAX_PORT}, or 0 for a free one, "
            f"not {service.external_port}"
        )


def _validate_datum_sets(spec: wire.pps.DatumSetSpec) -> None:
    if spec.per_worker and (spec.number or spec.size_bytes):
        raise PachydermError("invalid pipeline spec: datum_set_spec.per_worker cannot be set with number or size_bytes")
    if min(spec.number, spec.size_bytes, spec.per_worker) < 0:
        raise PachydermError("invalid pipeline spec: the numbers of datum_set_spec must not be negative")


def _validate_transform(transform: wire.pps.Transform) -> None:
    for secret in transform.secrets:
        if not secret.name:
            raise PachydermError("invalid transform: every one of transform.secrets needs a name")
        if secret.env_var and not secret.key:
            raise PachydermError(f"secret {secret.name} has env_var set but is missing key")
        if not secret.env_var and not secret.mount_path:
            raise PachydermError(f"secret {secret.name} needs an env_var with a key, or a mount_path")
        if secret.mount_path and (not secret.mount_path.startswith("/") or ".." in secret.mount_path.split("/")):
            raise PachydermError(f'secret {secret.name}: mount_path must be an absolute path, not "{secret.mount_path}"')
    if transform.err_stdin and not transform.err_cmd:
        raise PachydermError("invalid transform: err_stdin is set without an err_cmd to read it")
    if transform.working_dir and not transform.working_dir.startswith("/"):
        raise PachydermError(f'invalid transform: working_dir must be an absolute path, not "{transform.working_dir}"')
