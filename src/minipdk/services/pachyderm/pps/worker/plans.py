"""Whether a pipeline's workers could start now, and how: image, secrets, mounts and GPUs.

What is missing makes the pipeline CRASHING with the reason, as it does on a real cluster, until it is there.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

from minipdk.common.home import Home, write_private
from minipdk.common.ports import is_free
from minipdk.sandbox import Mount
from minipdk.services.pachyderm import callers
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.kube_secrets import Secrets
from minipdk.services.pachyderm.pps.spec import inputs, pod_patch
from minipdk.services.pachyderm.pps.worker import service_ports
from minipdk.services.pachyderm.pps.worker.environment import Worker
from minipdk.services.pachyderm.pps.worker.gpus import Gpus
from minipdk.services.pachyderm.pps.worker.user_code import Plan, pfs_folder


class NotReadyError(Exception):
    """The pipeline's workers cannot start, for the reason given."""


class Planner:
    """Makes the plans by which the containers of jobs are run."""

    def __init__(self, home: Home, secrets: Secrets, gpus: Gpus) -> None:
        self._home, self._secrets, self._gpus = home, secrets, gpus

    def check(self, pipeline: Any) -> Any:
        """The pipeline's image. Raises NotReadyError when a worker could not start."""
        details = pipeline.details
        from minipdk.images import ImageStore
        from minipdk.images.errors import ImageError

        try:
            image = ImageStore(self._home).resolve(details.transform.image)
        except ImageError as error:
            raise NotReadyError(str(error)) from error
        wanted = details.resource_limits.gpu.number
        if wanted > self._gpus.count:
            raise NotReadyError(
                f"resource_limits.gpu asks for {wanted} GPUs and this machine has {self._gpus.count}: lower it and update "
                "the pipeline"
            )
        self._host_mounts(details.pod_patch)
        service = service_ports.service_of(details)
        if service is not None and not is_free(service.external_port):
            raise NotReadyError(
                f"the service's external_port {service.external_port} is taken: end what listens there, or change it and "
                "update the pipeline"
            )
        return image

    def make(self, pipeline: Any, job: str = "") -> tuple[Plan, Path]:
        """The plan for a job or a spout, and the folder with its secrets' files, to be removed afterwards. NotReadyError."""
        details = pipeline.details
        image = self.check(pipeline)
        folder = pfs_folder(self._home) / f"secrets-{uuid.uuid4().hex}"
        secret_env, secret_mounts = self._secret_values(details.transform.secrets, folder)
        worker = Worker(
            project=pipeline.pipeline.project.name,
            pipeline=pipeline.pipeline.name,
            spec_commit=pipeline.spec_commit.id,
            job=job,
            transform_env=dict(details.transform.env),
            secret_env=secret_env,
            token=self._token(pipeline, job),
            s3=inputs.uses_s3(details),
        )
        plan = Plan(
            image=image,
            transform=details.transform,
            worker=worker,
            mounts=(*self._host_mounts(details.pod_patch), *secret_mounts),
            tries=max(1, details.datum_tries),
            timeout=messages.nanoseconds(details.datum_timeout) / 1e9 if details.HasField("datum_timeout") else None,
            keeps_output=pipeline.type == messages.TRANSFORM and not details.s3_out,
            s3_out=details.s3_out,
        )
        return plan, folder

    def _token(self, pipeline: Any, job: str) -> str:
        """What user code is known by where it may do what the cluster's user may not."""
        if pipeline.type != messages.SPOUT and not inputs.uses_s3(pipeline.details):
            return ""
        key = pipeline.pipeline
        return callers.issue(self._home.token, callers.Caller(key.project.name, key.name, job))

    def _secret_values(self, wanted: Any, folder: Path) -> tuple[dict[str, str], list[Mount]]:
        environment: dict[str, str] = {}
        mounts: list[Mount] = []
        for index, one in enumerate(wanted):
            try:
                values = self._secrets.values(one.name)
                if one.env_var:
                    environment[one.env_var] = values[one.key].decode()
            except (PachydermError, KeyError, UnicodeDecodeError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                missing = f"Kubernetes secret {one.name} missing key {one.key}"
                raise NotReadyError(missing if isinstance(error, KeyError) else str(error)) from error
            if one.mount_path:
                place = folder / str(index)
                place.mkdir(parents=True, mode=0o700)
                for key, value in values.items():
                    write_private(place / key, value)
                mounts.append(Mount(source=place, target=one.mount_path, read_only=True))
        return environment, mounts

    @staticmethod
    def _host_mounts(patch: str) -> list[Mount]:
        mounts = []
        for one in pod_patch.parse(patch):
            if one.create:
                one.source.mkdir(parents=True, exist_ok=True)
            if not one.source.exists():
                raise NotReadyError(f"pod_patch: hostPath {one.source} is not there: make it, or change the path")
            mounts.append(Mount(source=one.source, target=one.target, read_only=one.read_only))
        return mounts
