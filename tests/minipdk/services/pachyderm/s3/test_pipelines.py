"""Writing to buckets that pipelines read and write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.client import BaseClient
from pachyderm_sdk import Client
from tests.minipdk.services.pachyderm.pipelines import Workbench
from tests.minipdk.services.pachyderm.s3.test_gateway import connect, refused

from minipdk.common.home import Home


@pytest.fixture(scope="module")
def s3(home: Home, client: Client) -> BaseClient:
    return connect(home)


def test_a_put_starts_a_job_and_its_output_is_read_only(s3: BaseClient, client: Client, bench: Workbench) -> None:
    repo = bench.name("source")
    s3.create_bucket(Bucket=repo)
    s3.put_object(Bucket=repo, Key="a", Body=b"1")
    pipeline = bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/")
    bench.job(pipeline)
    commit = s3.put_object(Bucket=repo, Key="b", Body=b"2")["VersionId"]
    assert bench.job(pipeline).job.id == commit
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2"}

    output = pipeline.name
    calls: list[Callable[[], object]] = [
        lambda: s3.put_object(Bucket=output, Key="c", Body=b"3"),
        lambda: s3.copy_object(Bucket=output, Key="c", CopySource=f"{repo}/a"),
        lambda: s3.delete_object(Bucket=output, Key="a"),
        lambda: s3.delete_objects(Bucket=output, Delete={"Objects": [{"Key": "a"}]}),
        lambda: s3.create_multipart_upload(Bucket=output, Key="c"),
        lambda: s3.create_bucket(Bucket=f"dev.{output}"),
    ]
    for call in calls:
        with refused("WriteToOutputBranch", 400, "You cannot write to an output branch"):
            call()
    client.pps.stop_pipeline(pipeline=pipeline)
    with refused("WriteToOutputBranch", 400, "is a pipeline's"):
        calls[0]()
    assert bench.files(f"{output}@master") == {"/a": "1", "/b": "2"}


def test_the_bucket_of_a_pipeline_is_not_deleted(s3: BaseClient, client: Client, bench: Workbench) -> None:
    repo = bench.name("source")
    s3.create_bucket(Bucket=repo)
    pipeline = bench.pipeline(repo, "true")
    bench.job(pipeline)
    for bucket, words in ((repo, "direct provenance"), (pipeline.name, "pipeline")):
        with refused("InvalidRequest", 400, words):
            s3.delete_bucket(Bucket=bucket)
        s3.head_bucket(Bucket=bucket)
