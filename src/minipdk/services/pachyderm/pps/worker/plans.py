"""Plans for running a pipeline's containers: image, secrets, mounts and GPUs, and whether all of them exist now.

If one is missing, the pipeline is CRASHING with the reason until it exists, as on a real cluster.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minipdk.common.home import Home, write_private
from minipdk.common.ports import is_free
from minipdk.sandbox import Mount
from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.errors import NotReadyError
from minipdk.services.pachyderm.pps.kube_secrets import Secrets
from minipdk.services.pachyderm.pps.spec import inputs, pod_patch
from minipdk.services.pachyderm.pps.worker.environment import Worker
from minipdk.services.pachyderm.pps.worker.folders import pfs_folder

if TYPE_CHECKING:
    from minipdk.images import Image

NVIDIA_DEVICES = "nvidia[0-9]*"


class Gpus:
    """The machine's GPUs, lent by number to datums whose pipelines limit themselves to some."""

    def __init__(self, count: int | None = None) -> None:
        self.count = len(list(Path("/dev").glob(NVIDIA_DEVICES))) if count is None else count
        self._free = list(range(self.count))
        self._returned = threading.Condition()

    @contextmanager
    def take(self, number: int) -> Iterator[tuple[int, ...]]:
        """Borrow ``number`` GPUs, at most ``count``, once they are free; the numbers are for CUDA_VISIBLE_DEVICES."""
        if not number:
            yield ()
            return
        with self._returned:
            self._returned.wait_for(lambda: len(self._free) >= number)
            taken = tuple(self._free[:number])
            del self._free[:number]
        try:
            yield taken
        finally:
            with self._returned:
                self._free = sorted([*self._free, *taken])
                self._returned.notify_all()


@dataclass(frozen=True)
class Plan:
    """How to make the containers of one job: everything except the datum. Timeouts are in seconds."""

    home: Home
    gpus: Gpus
    gpu_count: int
    image: Image
    transform: wire.pps.Transform
    worker: Worker
    mounts: tuple[Mount, ...]
    tries: int
    timeout: float | None
    keeps_output: bool = True
    """Whether the files that user code leaves in /pfs/out are the job's output."""
    s3_out: bool = False
    """Whether user code writes its output through S3: there is no /pfs/out then."""

    def take_gpus(self) -> AbstractContextManager[tuple[int, ...]]:
        """The numbers of the GPUs of one worker, borrowed until the ``with`` block ends."""
        return self.gpus.take(self.gpu_count)


class Planner:
    """Makes the plans by which the containers of jobs are run."""

    def __init__(self, home: Home, secrets: Secrets, gpus: Gpus) -> None:
        self._home, self._secrets, self._gpus = home, secrets, gpus

    def check(self, pipeline: wire.pps.PipelineInfo) -> Image:
        """The pipeline's image. Raises NotReadyError when a worker could not start."""
        details = pipeline.details
        from minipdk.images import ImageStore
        from minipdk.images.errors import ImageError

        try:
            image = ImageStore(self._home).resolve(details.transform.image)
        except ImageError as error:
            raise NotReadyError(str(error)) from error
        number = details.resource_limits.gpu.number
        if number > self._gpus.count:
            raise NotReadyError(
                f"resource_limits.gpu asks for {number} GPUs and this machine has {self._gpus.count}: lower it and update "
                "the pipeline"
            )
        self._host_mounts(details.pod_patch)
        service = messages.service_of(details)
        if service is not None and not is_free(service.external_port):
            raise NotReadyError(
                f"the service's external_port {service.external_port} is taken: end what listens there, or change it and "
                "update the pipeline"
            )
        return image

    def make(self, pipeline: wire.pps.PipelineInfo, job: str = "") -> tuple[Plan, Path]:
        """The plan for a job or a spout, and the folder of its secrets' files, for the caller to remove. NotReadyError."""
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
            home=self._home,
            gpus=self._gpus,
            gpu_count=details.resource_limits.gpu.number,
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

    def _token(self, pipeline: wire.pps.PipelineInfo, job: str) -> str:
        """The token of user code that may do more than the cluster's user; "" for other user code."""
        if pipeline.type != messages.SPOUT and not inputs.uses_s3(pipeline.details):
            return ""
        key = pipeline.pipeline
        return callers.issue(self._home.token, callers.Caller(key.project.name, key.name, job))

    def _secret_values(self, secrets: Iterable[wire.pps.SecretMount], folder: Path) -> tuple[dict[str, str], list[Mount]]:
        environment: dict[str, str] = {}
        mounts: list[Mount] = []
        for index, secret in enumerate(secrets):
            try:
                values = self._secrets.values(secret.name)
                if secret.env_var:
                    environment[secret.env_var] = values[secret.key].decode()
            except (PachydermError, KeyError, UnicodeDecodeError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                missing = f"Kubernetes secret {secret.name} missing key {secret.key}"
                raise NotReadyError(missing if isinstance(error, KeyError) else str(error)) from error
            if secret.mount_path:
                place = folder / str(index)
                place.mkdir(parents=True, mode=0o700)
                for key, value in values.items():
                    write_private(place / key, value)
                mounts.append(Mount(source=place, target=secret.mount_path, read_only=True))
        return environment, mounts

    @staticmethod
    def _host_mounts(patch: str) -> list[Mount]:
        mounts = []
        for mount in pod_patch.parse(patch):
            if mount.create:
                mount.source.mkdir(parents=True, exist_ok=True)
            if not mount.source.exists():
                raise NotReadyError(f"pod_patch: hostPath {mount.source} is not there: make it, or change the path")
            mounts.append(Mount(source=mount.source, target=mount.target, read_only=mount.read_only))
        return mounts
