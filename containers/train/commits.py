"""Ask Pachyderm whether a commit has new files."""

from __future__ import annotations

import os

import grpc
from pachyderm_sdk import Client
from pachyderm_sdk.api.pfs import Commit, File, FileType
from training_errors import required


def connection() -> dict[str, str | None]:
    """Host, port and token of pachd, as Pachyderm and the pipeline's secret give them to the step."""
    return {
        "host": required("PACHD_PEER_SERVICE_HOST"),
        "port": required("PACHD_PEER_SERVICE_PORT"),
        "token": os.environ.get("PAC_TOKEN") or os.environ.get("PACH_TOKEN") or None,
    }


def brings_new_files(project: str, repo: str, commit: str, previous: str) -> bool:
    """Whether ``commit`` has files that are new or changed since ``previous``.

    False also if ``previous`` is gone, because then there is nothing to continue from.
    """
    address = connection()
    client = Client(host=address["host"], port=int(str(address["port"])), auth_token=address["token"])
    base = f"{project}/{repo}"
    try:
        client.pfs.inspect_commit(commit=Commit.from_uri(f"{base}@{previous}"))
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return False
    changes = client.pfs.diff_file(
        new_file=File.from_uri(f"{base}@{commit}:/"), old_file=File.from_uri(f"{base}@{previous}:/")
    )
    return any(change.new_file and change.new_file.file_type == FileType.FILE for change in changes)
