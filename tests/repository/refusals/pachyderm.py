"""Refusals of docs/pachyderm.md: gRPC calls as bytes, and requests to the S3 gateway."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from typing import Any

import grpc
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from pachyderm_sdk import api
from pachyderm_sdk.api import pfs, pps
from tests.repository.refusals.cluster import Answer, Check, Cluster

REPO = pfs.Repo.from_uri("default/refused")
BRANCH = pfs.Branch(repo=REPO, name="master")
FILE = pfs.File(commit=pfs.Commit(branch=BRANCH), path="/a")
BUCKET = "master.refused"
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED.name
DESTRUCTIVE = {"DeleteAll", "Deactivate"}
"""Calls that succeed without arguments and would take the other checks' cluster away."""


def _ensure_repo(cluster: Cluster) -> None:
    if not cluster.pachyderm.pfs.repo_exists(REPO):
        cluster.pachyderm.pfs.create_repo(repo=REPO)
        with cluster.pachyderm.pfs.commit(branch=BRANCH) as commit:
            commit.put_file_from_bytes(path="/a", data=b"a")
        commit.wait()


def _call(cluster: Cluster, path: str, request: bytes, timeout: float = 60) -> tuple[str, str]:
    """The status and message of a call. To gRPC a call without streams is a stream of one message."""
    with closing(grpc.insecure_channel(cluster.profile["PACHD_ADDRESS"].removeprefix("grpc://"))) as channel:
        metadata = [("authn-token", cluster.home.token)]
        try:
            responses = channel.stream_stream(path)(iter([request]), metadata=metadata, timeout=timeout)
            next(iter(responses), None)
            responses.cancel()
        except grpc.RpcError as error:
            return _status(error)
        return "OK", ""


def _status(error: Any) -> tuple[str, str]:
    return str(error.code().name), str(error.details() or "")


def _code(cluster: Cluster, path: str, request: Any) -> str:
    return _call(cluster, path, bytes(request))[0]


class _Recorder:
    """In place of a channel: keeps the path of each call that a stub of the SDK makes ready."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __getattr__(self, _kind: str) -> Any:
        return lambda path, **_serializers: self.paths.append(path)


def sdk_calls() -> list[str]:
    """The path of every call that the SDK has, such as ``/pfs_v2.API/GetFile``."""
    recorder = _Recorder()
    for info in pkgutil.iter_modules(api.__path__, f"{api.__name__}."):  # not their _additions, which break a message
        module = import_module(info.name)
        for name, stub in inspect.getmembers(module, inspect.isclass):
            if name.endswith("Stub") and stub.__module__ == module.__name__:
                api_stub = stub if stub.__bases__ == (object,) else stub.__bases__[0]
                api_stub(recorder)
    return sorted(set(recorder.paths))


def unsupported_calls(cluster: Cluster) -> set[str]:
    """The calls that pachd says minipdk does not support, as ``service.method``. A call that waits is supported."""
    paths = [path for path in sdk_calls() if path.rpartition("/")[2] not in DESTRUCTIVE]
    answers = {path.strip("/").replace("/", "."): _call(cluster, path, b"", timeout=2) for path in paths}
    return {name for name, (code, text) in answers.items() if code == UNIMPLEMENTED and "not supported" in text}


def calls(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    service, *methods = names
    yield from ((method, _call(cluster, f"/{service}/{method}", b"")[0]) for method in methods)


def _pipeline(**fields: Any) -> pps.CreatePipelineRequest:
    given: dict[str, Any] = {
        "pipeline": pps.Pipeline(project=REPO.project, name="refused-pipeline"),
        "transform": pps.Transform(cmd=["true"]),
        "input": pps.Input(pfs=pps.PfsInput(repo="refused", glob="/")),
        **fields,
    }
    return pps.CreatePipelineRequest(**given)


def _create(cluster: Cluster, **fields: Any) -> str:
    _ensure_repo(cluster)
    return _code(cluster, "/pps_v2.API/CreatePipeline", _pipeline(**fields))


def pipeline_fields(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    values: dict[str, dict[str, Any]] = {
        "tf_job": {"tf_job": pps.TfJob(tf_job="{}")},
        "egress": {"egress": pps.Egress(url="s3://bucket")},
        "pod_spec": {"pod_spec": "{}"},
        "spec_commit": {"spec_commit": FILE.commit},
        "transform.dockerfile": {"transform": pps.Transform(cmd=["true"], dockerfile="FROM a")},
    }
    yield from ((name, _create(cluster, **values[name])) for name in names)


def pod_patches(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    for patch in (
        '[{"op": "add", "path": "/hostNetwork", "value": {}}]',
        '[{"op": "remove", "path": "/volumes/0"}]',
        '[{"op": "add", "path": "/volumes/-", "value": {"name": "a", "nfs": {}}}]',
    ):
        yield patch, _create(cluster, pod_patch=patch)


def spout_inputs(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    spout = pps.Spout(service=pps.Service(internal_port=8000, type="NodePort"))
    yield "spout", _create(cluster, spout=spout)


def jq_filters(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "ListPipeline", _code(cluster, "/pps_v2.API/ListPipeline", pps.ListPipelineRequest(jq_filter="."))
    yield "ListJob", _code(cluster, "/pps_v2.API/ListJob", pps.ListJobRequest(jq_filter="."))


def own_log(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "GetLogs", _code(cluster, "/pps_v2.API/GetLogs", pps.GetLogsRequest(follow=True))


def get_file(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    for method in ("GetFile", "GetFileTAR"):
        yield method, _code(cluster, f"/pfs_v2.API/{method}", pfs.GetFileRequest(file=FILE, url="s3://bucket"))


def diff_file(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    yield "DiffFile", _code(cluster, "/pfs_v2.API/DiffFile", pfs.DiffFileRequest(new_file=FILE, shallow=True))


def _put(cluster: Cluster, **fields: Any) -> str:
    """The answer to adding a file to a new commit, which is dropped again."""
    _ensure_repo(cluster)
    commit = cluster.pachyderm.pfs.start_commit(branch=BRANCH)
    try:
        messages = [
            pfs.ModifyFileRequest(set_commit=commit),
            pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/b", **fields)),
        ]
        cluster.pachyderm.pfs.modify_file(iter(messages))
    except grpc.RpcError as error:
        return _status(error)[0]
    finally:
        cluster.pachyderm.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit.id))
    return "OK"


def url_schemes(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    for scheme in ("s3", "gs", "file"):
        assert scheme not in names
        yield scheme, _put(cluster, url=pfs.AddFileUrlSource(url=f"{scheme}://bucket/a"))


def recursive_urls(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "http", _put(cluster, url=pfs.AddFileUrlSource(url="http://127.0.0.1/a", recursive=True))


def datum_names(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    yield "writing", _put(cluster, datum="a", raw=b"a")
    file = pfs.File(commit=FILE.commit, path="/a", datum="a")
    yield "reading", _code(cluster, "/pfs_v2.API/GetFile", pfs.GetFileRequest(file=file))


def _signed(cluster: Cluster, method: str, path: str) -> requests.Response:
    url = f"{cluster.profile['PACH_S3_ENDPOINT']}/{path}"
    request = AWSRequest(method, url)
    S3SigV4Auth(Credentials(cluster.home.token, cluster.home.token), "s3", "us-east-1").add_auth(request)
    return requests.request(method, url, headers=dict(request.headers), timeout=10)


def _error(response: requests.Response) -> str:
    return response.text.partition("<Code>")[2].partition("</Code>")[0] or str(response.status_code)


def subresources(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    for name in names:
        method = "POST" if name in ("restore", "select") else "GET"
        yield name, _error(_signed(cluster, method, f"{BUCKET}/a?{name}="))


def _answer(call: Any, **arguments: Any) -> str:
    try:
        call(Bucket=BUCKET, **arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


def checksums(cluster: Cluster, names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    for name in names:
        checksum = {f"Checksum{name}": "AAAAAAAAAAA="}
        yield name, _answer(cluster.s3.put_object, Key="b", Body=b"", **checksum)


def suspended_versions(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    yield "suspended", _answer(cluster.s3.put_bucket_versioning, VersioningConfiguration={"Status": "Suspended"})


def deleted_versions(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    _ensure_repo(cluster)
    yield "delete", _answer(cluster.s3.delete_object, Key="a", VersionId="a")


def signatures(cluster: Cluster, _names: list[str]) -> Iterator[Answer]:
    header = "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/aws4_request, SignedHeaders=host, Signature=ab"
    url = f"{cluster.profile['PACH_S3_ENDPOINT']}/{BUCKET}/a"
    yield "4a", _error(requests.get(url, headers={"Authorization": header}, timeout=10))


CHECKS: dict[str, Check] = {
    "*: *": calls,
    "a pipeline with *": pipeline_fields,
    "a pipeline with *, except adding * volumes and their mounts": pod_patches,
    "a spout with a service and an input": spout_inputs,
    "* of a list": jq_filters,
    "following pachd's own log": own_log,
    "* to a URL": get_file,
    "* with *": diff_file,
    "putting a file from a URL that is not *": url_schemes,
    "putting files from a URL recursively": recursive_urls,
    "reading or writing a file under a datum's name": datum_names,
    "the subresources *": subresources,
    "the checksum *": checksums,
    "suspended versioning of a bucket": suspended_versions,
    "deleting a version of an object": deleted_versions,
    "a signature of another version than 2 and 4": signatures,
}
