"""Put the archive and its configuration where the predictor finds them.

All stores have the same layout: <model>/config/config.properties and <model>/model-store/<model>.mar.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deployment_errors import DeploymentError

OUTPUT = Path("/pfs/out")
HOSTS = ("aws", "gcp")


def store(model: str, files: dict[str, Path], host: str | None, bucket: str | None) -> None:
    """Store ``files`` (folder -> file) below ``model``: in /pfs/out, or in ``bucket`` of the cloud ``host``."""
    keys = {f"{model}/{folder}/{path.name}": path for folder, path in files.items()}
    if host is None:
        _to_pfs(keys)
    elif bucket is None:
        raise DeploymentError(f"--cloud-model-host {host} needs --cloud-model-bucket")
    elif host == "aws":
        _to_s3(keys, bucket)
    else:
        _to_gcs(keys, bucket)
    for key in keys:
        print(f"Stored {key}")


def storage_uri(model: str, host: str | None, bucket: str | None, output_bucket: str) -> str:
    """Where the predictor reads the model: ``output_bucket`` is the job's output in Pachyderm's S3 gateway."""
    if host is None:
        return f"s3://{output_bucket}/{model}"
    return f"{'s3' if host == 'aws' else 'gs'}://{bucket}/{model}"


def _to_pfs(keys: dict[str, Path]) -> None:
    for key, path in keys.items():
        target = OUTPUT / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _to_s3(keys: dict[str, Path], bucket: str) -> None:
    try:
        import boto3
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise DeploymentError("--cloud-model-host aws needs boto3: add it to the image's requirements.txt") from None
    try:
        client = boto3.client("s3")
        for key, path in keys.items():
            client.upload_file(str(path), bucket, key)
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise DeploymentError(f"cannot store the model in s3://{bucket}: {error}") from error


def _to_gcs(keys: dict[str, Path], bucket: str) -> None:
    try:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage
    except ImportError:
        raise DeploymentError(
            "--cloud-model-host gcp needs google-cloud-storage: add it to the image's requirements.txt"
        ) from None
    try:
        target = storage.Client().bucket(bucket)
        for key, path in keys.items():
            target.blob(key).upload_from_filename(str(path))
    except (GoogleAPIError, GoogleAuthError) as error:
        raise DeploymentError(f"cannot store the model in gs://{bucket}: {error}") from error
