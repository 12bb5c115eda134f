"""Secrets are the Kubernetes API's; a pipeline finds them in its environment or below a path."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import pytest
from pachyderm_sdk.api import pps
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

from minipdk.common.home import Home

SUCCESS = pps.JobState.JOB_SUCCESS


@pytest.fixture(scope="module", autouse=True)
def kubernetes(home: Home, run_service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return run_service(home, "kubernetes", "kubernetes")


def secret(bench: Workbench, **data: str) -> str:
    name = bench.name("secret")
    bench.client.pps.create_secret(name=name, data=data)
    return name


def test_a_secret_can_be_made_inspected_and_deleted(bench: Workbench) -> None:
    name = secret(bench, password="p")
    info = bench.client.pps.inspect_secret(secret=pps.Secret(name=name))
    assert (info.secret.name, info.type) == (name, "Opaque")
    assert info.creation_timestamp.year > 2000
    assert name in [info.secret.name for info in bench.client.pps.list_secret().secret_info]
    bench.client.pps.delete_secret(secret=pps.Secret(name=name))
    with pytest.raises(grpc.RpcError, match="not found"):
        bench.client.pps.inspect_secret(secret=pps.Secret(name=name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".", "[may not be '.']"),
        ("..", "[may not be '..']"),
        ("../secrets", "[may not contain '/']"),
        ("../../../../apis", "[may not contain '/']"),
        ("%2e", "[may not contain '%']"),
        ("a/%", "[may not contain '/' may not contain '%']"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_no_secret_is_lost(bench: Workbench, name: str, reason: str) -> None:
    kept = secret(bench, password="p")
    for call, doing in ((bench.client.pps.delete_secret, "delete"), (bench.client.pps.inspect_secret, "get")):
        with pytest.raises(grpc.RpcError) as refused:
            call(secret=pps.Secret(name=name))
        assert refused.value.details() == f'failed to {doing} secret: invalid resource name "{name}": {reason}'
    assert bench.client.pps.inspect_secret(secret=pps.Secret(name=kept)).secret.name == kept


def test_a_secret_is_in_the_environment_and_below_a_path(bench: Workbench) -> None:
    """As in the churn course: the same secret may be given both ways."""
    name = secret(bench, user="determined", password="p w")
    secrets = [
        pps.SecretMount(name=name, key="password", env_var="PASSWORD"),
        pps.SecretMount(name=name, mount_path="/etc/secrets"),
    ]
    transform = pps.Transform(
        image=IMAGE, cmd=["sh", "-e"], stdin=['echo "$PASSWORD"', "cat /etc/secrets/user"], secrets=secrets
    )
    pipeline = bench.pipeline(bench.repo(a="1"), transform=transform)
    assert bench.job(pipeline).state == SUCCESS
    assert bench.log(pipeline=pipeline) == ["p w", "determined"]


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (pps.SecretMount(name="nowhere", mount_path="/s"), "missing Kubernetes secret nowhere"),
        (pps.SecretMount(name="..", mount_path="/s"), "missing Kubernetes secret ..: invalid resource name"),
        (pps.SecretMount(name="THERE", key="other", env_var="E"), "missing key other"),
    ],
)
def test_a_pipeline_with_a_missing_secret_is_refused(bench: Workbench, mount: pps.SecretMount, words: str) -> None:
    mount.name = mount.name.replace("THERE", secret(bench, key="1"))
    transform = pps.Transform(image=IMAGE, cmd=["true"], secrets=[mount])
    with pytest.raises(grpc.RpcError, match=words) as refused:
        bench.pipeline(bench.repo(), transform=transform)
    assert refused.value.code() == grpc.StatusCode.UNKNOWN


def test_a_pipeline_whose_secret_is_deleted_crashes_until_it_is_back(bench: Workbench) -> None:
    name, repo = secret(bench, key="1"), bench.repo()
    transform = pps.Transform(image=IMAGE, cmd=["true"], secrets=[pps.SecretMount(name=name, key="key", env_var="KEY")])
    pipeline = bench.pipeline(repo, transform=transform)
    bench.job(pipeline)
    bench.client.pps.delete_secret(secret=pps.Secret(name=name))
    bench.commit(repo, {"a": "1"})
    assert name in bench.crash_reason(pipeline)
    bench.client.pps.create_secret(name=name, data={"key": "2"})
    assert bench.job(pipeline).state == SUCCESS


@pytest.mark.parametrize("file", [b"{", b"[]", b"{}", json.dumps({"metadata": {"name": "a b"}}).encode()])
def test_a_malformed_secret_is_refused(bench: Workbench, file: bytes) -> None:
    from pachyderm_sdk.api.pps import ApiStub

    with pytest.raises(grpc.RpcError, match=r"failed to (unmarshal|create) secret"):
        super(type(bench.client.pps), bench.client.pps).create_secret(file=file)
    assert issubclass(type(bench.client.pps), ApiStub)
