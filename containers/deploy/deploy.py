"""Deploy a registered model to KServe: the step of the deployment pipeline.

Reads the training step's model-info.yaml, loads that version's checkpoint from Determined, packs it for TorchServe, stores
the archive and creates the InferenceService, or replaces it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import model_archive
import model_store
import requests
import yaml
from deployment_errors import DeploymentError, required
from determined.common.api.errors import BadRequestException, NotFoundException
from determined.experimental import Determined
from determined.experimental.client import Checkpoint

MODEL_INFO = Path("/pfs/data/model-info.yaml")


@dataclass(frozen=True)
class ModelInfo:
    """Which version of which model to deploy."""

    name: str
    version: str


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--deployment-name", required=True, help="name of the InferenceService")
    parser.add_argument("--service-account-name", help="ServiceAccount with the credentials of Pachyderm's S3 gateway")
    parser.add_argument("--tolerations", type=pairs, help="taints the predictor tolerates: key=value,...")
    parser.add_argument("--resource-requests", type=pairs, help="for example cpu=2,memory=4Gi")
    parser.add_argument("--resource-limits", type=pairs, help="for example cpu=10,memory=8Gi")
    parser.add_argument("--cloud-model-host", choices=model_store.HOSTS, help="store the model in a bucket of this cloud")
    parser.add_argument("--cloud-model-bucket", help="that bucket's name")
    parser.add_argument("--google-application-credentials", help="file with the credentials for gcp")
    parser.add_argument("--k8s-config-file", help="kubeconfig to use instead of the pod's own service account")
    parser.add_argument("--wait", action="store_true", help="wait until the service is ready; for models in a bucket only")
    parsed = parser.parse_args(arguments)
    if bool(parsed.cloud_model_host) != bool(parsed.cloud_model_bucket):
        parser.error("--cloud-model-host and --cloud-model-bucket belong together")
    if parsed.wait and not parsed.cloud_model_host:
        parser.error("--wait needs --cloud-model-host: a model in Pachyderm can be read only after this job has ended")
    return parsed


def pairs(text: str) -> dict[str, str]:
    """``cpu=2,memory=4Gi`` as a dictionary, for argparse."""
    entries = [entry.partition("=") for entry in text.split(",") if entry]
    for key, equals, value in entries:
        if not (key and equals and value):
            raise argparse.ArgumentTypeError(f"{key + equals + value!r} is not of the form key=value")
    return {key: value for key, _, value in entries}


def main() -> None:
    arguments = parse_arguments()

    # Imported only now, because it takes seconds that a wrong flag should not cost, and kserve reads the command line too.
    import inference_service

    namespace = required("KSERVE_NAMESPACE")
    host, bucket = arguments.cloud_model_host, arguments.cloud_model_bucket
    if arguments.google_application_credentials:
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = arguments.google_application_credentials
    info = read_model_info(MODEL_INFO)
    print(f"Deploying version {info.version} of {info.name} as {arguments.deployment_name}")

    with tempfile.TemporaryDirectory() as folder:
        model_store.store(info.name, pack(info, host, Path(folder)), host, bucket)
    client = inference_service.connect(arguments.k8s_config_file)
    service = inference_service.build(
        arguments.deployment_name,
        namespace,
        version=info.version,
        storage_uri=model_store.storage_uri(info.name, host, bucket, "" if host else output_bucket()),
        service_account=arguments.service_account_name,
        arguments=["--model-store=/mnt/models"] if host == "aws" else None,
        tolerations=arguments.tolerations,
        requests=arguments.resource_requests,
        limits=arguments.resource_limits,
    )
    inference_service.create_or_replace(client, service)
    if arguments.wait:
        inference_service.wait_until_ready(client, arguments.deployment_name, namespace)


def read_model_info(path: Path) -> ModelInfo:
    """The training step's model-info.yaml. Raises DeploymentError if it is missing or incomplete."""
    try:
        info = yaml.safe_load(path.read_text())
        return ModelInfo(name=str(info["name"]), version=str(info["version"]))
    except FileNotFoundError:
        raise DeploymentError(f"{path} is not there: the training pipeline has not trained a model yet") from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DeploymentError(f"{path} does not name a model's name and version: {error}") from error


def pack(info: ModelInfo, host: str | None, folder: Path) -> dict[str, Path]:
    """Make the archive and its configuration in ``folder``; return them by the folder of the store they belong to."""
    checkpoint = Path(registered_checkpoint(info).download(str(folder / "checkpoint")))
    script_module = model_archive.create_script_module(checkpoint, folder)
    # The storage initializer leaves an archive from a bucket of aws at the top.
    model_folder = "/mnt/models" if host == "aws" else "/mnt/models/model-store"
    return {
        "config": model_archive.create_properties(info.name, info.version, model_folder, folder),
        "model-store": model_archive.create_archive(info.name, info.version, script_module, checkpoint, folder),
    }


def registered_checkpoint(info: ModelInfo) -> Checkpoint:
    """The checkpoint that Determined's registry has for the version."""
    master = required("DET_MASTER")
    try:
        client = Determined(master=master, user=required("DET_USER"), password=required("DET_PASSWORD"))
    except BadRequestException as error:
        raise DeploymentError(
            f"cannot log in to Determined at {master}: {error}. "
            "Check det_master, det_user and det_password in the secret pipeline-secret."
        ) from error
    try:
        versions = client.get_model(info.name).list_versions()
    except NotFoundException:
        raise DeploymentError(f"Determined has no model {info.name}") from None
    for version in versions:
        if version.name == info.version and version.checkpoint:
            return version.checkpoint
    raise DeploymentError(f"the model {info.name} has no version named {info.version}")


def output_bucket() -> str:
    """This job's output as a bucket of Pachyderm's S3 gateway: <commit>.<branch>.<repo>.<project>."""
    repo, project = required("PPS_PIPELINE_NAME"), required("PPS_PROJECT_NAME")
    return f"{required('PACH_JOB_ID')}.master.{repo}.{project}"


if __name__ == "__main__":
    try:
        main()
    except DeploymentError as error:
        sys.exit(f"error: {error}")
    except (BadRequestException, requests.RequestException) as error:
        sys.exit(f"error: Determined: {error}")
