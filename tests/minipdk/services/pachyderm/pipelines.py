"""Short ways to make repos, commits and pipelines through the vendor's client, and to wait for their jobs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for

IMAGE = "python:3.11"


def mounted(folder: Path, target: str = "/gate") -> str:
    """A pod_patch that lets a pipeline's code see a folder of the host, to meet the test there."""
    volume = {"name": "v", "hostPath": {"path": str(folder)}}
    mount = {"name": "v", "mountPath": target}
    places = {"/volumes/-": volume, "/containers/0/volumeMounts/-": mount}
    return json.dumps([{"op": "add", "path": path, "value": value} for path, value in places.items()])


class Workbench:
    """A client with names that no other test uses."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @staticmethod
    def name(prefix: str) -> str:
        return f"{prefix}-{uuid.uuid4().hex[:8]}"

    def repo(self, prefix: str = "repo", **files: str) -> str:
        """A new repo; with ``files`` (by name) a first commit on master."""
        name = self.name(prefix)
        self.client.pfs.create_repo(repo=pfs.Repo(name=name))
        if files:
            self.commit(name, files)
        return name

    def commit(self, repo: str, files: Mapping[str, str | None], branch: str = "master") -> str:
        """One commit that writes files, or deletes files whose content is None; its id."""
        with self.client.pfs.commit(branch=pfs.Branch.from_uri(f"{repo}@{branch}")) as commit:
            for path, content in files.items():
                if content is None:
                    commit.delete_file(path=f"/{path}")
                else:
                    commit.put_file_from_bytes(path=f"/{path}", data=content.encode())
        return str(commit.id)

    def pipeline(
        self, source: pps.Input | str | None, *script: str, prefix: str = "pipeline", **fields: Any
    ) -> pps.Pipeline:
        """A pipeline that runs a shell script; ``source`` is an Input, or the name of a repo whose files are the datums."""
        transform = fields.pop("transform", None) or pps.Transform(image=IMAGE, cmd=["sh", "-e"], stdin=list(script))
        pipeline = fields.pop("pipeline", None) or pps.Pipeline(name=self.name(prefix))
        self.client.pps.create_pipeline(
            pipeline=pipeline,
            transform=transform,
            input=pps.Input(pfs=pps.PfsInput(repo=source, glob="/*")) if isinstance(source, str) else source,
            **fields,
        )
        return pipeline

    def job(self, pipeline: pps.Pipeline) -> pps.JobInfo:
        """The pipeline's newest job, once it has ended."""
        newest = next(iter(self.client.pps.list_job(pipeline=pipeline)))
        return self.client.pps.inspect_job(job=newest.job, wait=True, details=True)

    def crash_reason(self, pipeline: pps.Pipeline) -> str:
        """Why the pipeline is CRASHING, once it is."""

        def look() -> str:
            info = self.client.pps.inspect_pipeline(pipeline=pipeline)
            return str(info.reason) if info.state == pps.PipelineState.PIPELINE_CRASHING else ""

        return str(wait_for(look, seconds=60, what=f"{pipeline.name} to crash"))

    def files(self, uri: str) -> dict[str, str]:
        """The contents of every file of a commit or branch."""
        branch = pfs.Branch.from_uri(uri)
        commit = pfs.Commit(repo=branch.repo, id=branch.name)
        walked = self.client.pfs.walk_file(file=pfs.File(commit=commit, path="/"))
        files = [info.file.path for info in walked if info.file_type == pfs.FileType.FILE]
        return {path: self.read(commit, path) for path in files}

    def read(self, commit: pfs.Commit, path: str) -> str:
        with self.client.pfs.pfs_file(file=pfs.File(commit=commit, path=path)) as file:
            content: bytes = file.read()
            return content.decode()

    def log(self, **filters: Any) -> list[str]:
        """The lines that user code wrote."""
        return [line.message for line in self.client.pps.get_logs(**filters) if line.user]
