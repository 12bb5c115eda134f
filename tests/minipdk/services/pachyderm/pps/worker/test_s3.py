"""Pipelines that read their inputs and write their output through S3: boto3 in user code is the judge."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import wait_until_it_answers
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench, mounted

from minipdk.common.home import Home
from minipdk.services.pachyderm.callers import Caller, issue

CONNECT = """
import io, os, time, boto3
from botocore.exceptions import ClientError
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"])
def keys(bucket):
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
"""


def s3_input(repo: str, name: str = "source", **fields: Any) -> pps.Input:
    return pps.Input(pfs=pps.PfsInput(repo=repo, name=name, glob="/", s3=True, **fields))


def s3_pipeline(bench: Workbench, source: pps.Input | str, script: str, **fields: Any) -> pps.Pipeline:
    """A pipeline that runs Python with an S3 client for its own job."""
    transform = pps.Transform(image=IMAGE, cmd=["python3", "-u", "-"], stdin=(CONNECT + script).splitlines())
    return bench.pipeline(source, transform=transform, **fields)


def succeeded(bench: Workbench, pipeline: pps.Pipeline) -> pps.JobInfo:
    job = bench.job(pipeline)
    assert job.state == pps.JobState.JOB_SUCCESS, (job.reason, bench.log(pipeline=pipeline))
    return job


COPY = """
for key in keys("source"):
    body = s3.get_object(Bucket="source", Key=key)["Body"].read()
    s3.put_object(Bucket="out", Key="copy/" + key, Body=body.upper())
s3.upload_fileobj(io.BytesIO(bytes(9 << 20)), "out", "large")  # in parts
s3.put_object(Bucket="out", Key="gone", Body=b"1")
s3.delete_object(Bucket="out", Key="gone")
names = sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])
print(names, sorted(os.listdir("/pfs")), os.listdir("/pfs/source"))
print(keys("out"), refused(s3.get_object, Bucket="out", Key="large"), refused(s3.delete_object, Bucket="source", Key="a"))
print(refused(s3.list_objects_v2, Bucket="elsewhere"), refused(s3.create_bucket, Bucket="new"))
print(s3.get_bucket_versioning(Bucket="source").get("Status"), os.environ["AWS_ACCESS_KEY_ID"] == os.environ["PACH_TOKEN"])
"""


def test_a_job_reads_its_inputs_and_writes_its_output_through_s3(bench: Workbench) -> None:
    repo = bench.repo(a="one", b="two")
    pipeline = s3_pipeline(bench, s3_input(repo), COPY, s3_out=True)
    first = succeeded(bench, pipeline)
    assert (first.data_total, first.data_processed) == (1, 1)
    files = bench.files(f"{pipeline.name}@master")
    assert {path: len(content) for path, content in files.items()} == {"/copy/a": 3, "/copy/b": 3, "/large": 9 << 20}
    assert files["/copy/a"] == "ONE"
    assert bench.log(pipeline=pipeline) == [
        "['out', 'source'] ['.env', 'source'] []",
        "[] NoSuchKey NotImplemented",
        "NoSuchBucket NotImplemented",
        "None True",
    ]
    bench.commit(repo, {"a": None, "c": "three"})
    assert succeeded(bench, pipeline).data_processed == 1
    assert {"/copy/b", "/copy/c", "/large"} == set(bench.files(f"{pipeline.name}@master"))


def test_with_s3_out_no_datum_is_skipped_and_several_write_one_commit(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    script = f'name = os.listdir("/pfs/{repo}")[0]\ns3.upload_file(f"/pfs/{repo}/{{name}}", "out", name)'
    pipeline = s3_pipeline(bench, repo, script, s3_out=True, parallelism_spec=pps.ParallelismSpec(constant=2))
    succeeded(bench, pipeline)
    bench.commit(repo, {"b": "2"})
    job = succeeded(bench, pipeline)
    assert (job.data_total, job.data_processed, job.data_skipped) == (2, 2, 0)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2"}

    bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/", pipeline=pipeline, update=True)
    assert succeeded(bench, pipeline).data_processed == 2
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2"}


def test_an_s3_input_crossed_with_files_is_read_at_the_jobs_commit_and_skipped_if_unchanged(bench: Workbench) -> None:
    table, repo = bench.repo(table="1"), bench.repo(a="x")
    source = pps.Input(cross=[s3_input(table, "table"), pps.Input(pfs=pps.PfsInput(repo=repo, name="rows", glob="/*"))])
    script = """
name = os.listdir("/pfs/rows")[0]
with open(f"/pfs/out/{name}", "w") as file:
    file.write(s3.get_object(Bucket="table", Key="table")["Body"].read().decode() + os.environ["table_COMMIT"])
"""
    pipeline = s3_pipeline(bench, source, script)
    succeeded(bench, pipeline)
    bench.commit(repo, {"b": "y"})
    job = succeeded(bench, pipeline)
    assert (job.data_total, job.data_skipped, job.data_processed) == (2, 1, 1)
    of_table = next(iter(bench.client.pfs.list_commit(repo=pfs.Repo(name=table, type="user")))).commit.id
    assert bench.files(f"{pipeline.name}@master") == {"/a": f"1{of_table}", "/b": f"1{of_table}"}


def test_after_kill_9_a_job_writes_its_output_anew(bench: Workbench, pachd: ServiceProcess, home: Home) -> None:
    gate = home.folder("shared_fs") / "open"
    script = """
s3.put_object(Bucket="out", Key=os.environ["PACH_DATUM_ID"] + str(os.path.exists("/gate/open")), Body=b"1")
print("put")
while not os.path.exists("/gate/open"):
    time.sleep(0.05)
"""
    pipeline = s3_pipeline(bench, s3_input(bench.repo(a="1")), script, s3_out=True, pod_patch=mounted(gate.parent))
    wait_for(lambda: bench.log(pipeline=pipeline) == ["put"], what="the first object")
    pachd.kill()
    gate.touch()
    pachd.start()
    wait_until_it_answers(bench.client)
    job = succeeded(bench, pipeline)
    (datum,) = bench.client.pps.list_datum(job=job.job)
    assert set(bench.files(f"{pipeline.name}@master")) == {f"/{datum.datum.id}True"}


def test_a_token_opens_its_jobs_buckets_while_it_runs_and_a_pipelines_the_clusters(bench: Workbench, home: Home) -> None:
    def connect(token: str) -> Any:
        return boto3.client("s3", endpoint_url=home.url("s3"), aws_access_key_id=token, aws_secret_access_key=token)

    repo = bench.repo(a="1")
    pipeline = s3_pipeline(bench, s3_input(repo), 'print(os.environ["AWS_ACCESS_KEY_ID"])')
    succeeded(bench, pipeline)
    (token,) = bench.log(pipeline=pipeline)
    assert connect(token).list_buckets()["Buckets"] == []
    with pytest.raises(ClientError, match="NoSuchBucket"):
        connect(token).get_object(Bucket="source", Key="a")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        connect(token[:-1] + ("0" if token[-1] != "0" else "1")).list_buckets()
    pipelines = issue(home.token, Caller("default", pipeline.name))
    assert connect(pipelines).get_object(Bucket=repo, Key="a")["Body"].read() == b"1"
