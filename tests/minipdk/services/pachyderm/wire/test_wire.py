"""The wire layer: messages built from the SDK, and the answers to unsupported calls."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable
from datetime import UTC, datetime

import betterproto
import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.conftest import connect, failures

from minipdk.common.home import Home
from minipdk.common.ports import PortError
from minipdk.services.pachyderm import rpc, wire
from minipdk.services.pachyderm.errors import CancelledError
from minipdk.services.pachyderm.pfs.api import modify_file


def test_every_call_of_the_sdk_is_known() -> None:
    calls = wire.rpcs()
    assert len(calls) == 197
    assert len({call.path for call in calls}) == len(calls)
    modify = next(call for call in calls if call.name == "modify_file")
    assert (modify.path, modify.client_streams, modify.server_streams) == ("/pfs_v2.API/ModifyFile", True, False)
    assert modify.request is pfs.ModifyFileRequest


def test_a_messages_class_stays_when_there_is_no_message_of_its_kind() -> None:
    known = weakref.ref(type(wire.pfs.CommitInfo().started))
    gc.collect()
    assert known() is not None


def test_empty_messages_of_every_call_round_trip_between_the_sdk_and_the_wire_layer() -> None:
    for kind in {kind for call in wire.rpcs() for kind in (call.request, call.response)}:
        wire_message = wire.message_class(kind).FromString(bytes(kind()))
        assert kind.FromString(wire_message.SerializeToString()) == kind(), kind


@given(pieces=st.lists(st.binary(max_size=200)), repeated=st.integers(1, 20_000))
@settings(max_examples=30, deadline=None)
def test_protobuf_reads_bytes_that_are_serialized_by_hand(pieces: list[bytes], repeated: int) -> None:
    whole = b"".join(pieces) * repeated
    assert wire.BytesValue.FromString(wire.bytes_value(*pieces * repeated)).value == whole


@pytest.mark.parametrize("size", [0, 5, modify_file.LARGE - 100, modify_file.LARGE, modify_file.LARGE + 1])
@pytest.mark.parametrize("fields", [{}, {"datum": "d"}, {"path": "/" + "p" * 300}])
def test_large_data_of_a_modification_is_found_where_protobuf_finds_it(size: int, fields: dict[str, str]) -> None:
    message = pfs.ModifyFileRequest(add_file=pfs.AddFile(**{"path": "/a", **fields}, raw=b"x" * size))
    parsed = modify_file.parse(bytes(message))
    assert isinstance(parsed, modify_file.LargeAddition) == (len(bytes(message)) >= modify_file.LARGE)
    data = parsed.data if isinstance(parsed, modify_file.LargeAddition) else parsed.add_file.raw.value
    assert (parsed.add_file.path, parsed.add_file.datum, bytes(data)) == (
        message.add_file.path,
        fields.get("datum", ""),
        b"x" * size,
    )


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data + b"\x12\x00", lambda data: b"\x12" + data])
def test_a_large_message_that_is_laid_out_otherwise_is_left_to_protobuf(spoil: Callable[[bytes], bytes]) -> None:
    data = spoil(bytes(pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=b"x" * modify_file.LARGE))))
    try:
        expected = wire.pfs.ModifyFileRequest.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            modify_file.parse(data)
    else:
        assert modify_file.parse(data) == expected


@settings(max_examples=50, deadline=None)
@given(
    name=st.text(),
    size=st.integers(-(2**63), 2**63 - 1),
    error=st.text(),
    metadata=st.dictionaries(st.text(min_size=1), st.text(min_size=1)),
    started=st.integers(1, 10**10).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    children=st.lists(st.text(min_size=1)),
)
def test_a_filled_message_means_the_same_on_both_sides(
    name: str, size: int, error: str, metadata: dict[str, str], started: datetime, children: list[str]
) -> None:
    sent = pfs.CommitInfo(
        commit=pfs.Commit(id=name),
        size_bytes_upper_bound=size,
        error=error,
        metadata=metadata,
        started=started,
        child_commits=[pfs.Commit(id=child) for child in children],
    )
    received = wire.pfs.CommitInfo.FromString(bytes(sent))
    assert (received.commit.id, received.size_bytes_upper_bound, received.error) == (name, size, error)
    assert dict(received.metadata) == metadata
    assert received.started.ToDatetime(tzinfo=UTC) == started
    assert pfs.CommitInfo.FromString(received.SerializeToString()).to_dict() == sent.to_dict()


def test_a_oneof_and_a_wrapped_value_survive() -> None:
    sent = pfs.ModifyFileRequest(add_file=pfs.AddFile(path="/a", raw=b""))
    received = wire.pfs.ModifyFileRequest.FromString(bytes(sent))
    assert received.WhichOneof("body") == "add_file"
    assert received.add_file.WhichOneof("source") == "raw"
    assert betterproto.which_one_of(pfs.ModifyFileRequest.FromString(received.SerializeToString()), "body")[0] == "add_file"


def test_enums_are_named_as_the_vendor_names_them() -> None:
    assert wire.pfs.CommitState.Value("FINISHED") == pfs.CommitState.FINISHED
    assert wire.pps.JobState.Name(pps.JobState.JOB_SUCCESS) == "JOB_SUCCESS"


@pytest.mark.parametrize("key", ["parallelismSpec", "parallelism_spec"])
def test_json_is_read_as_strictly_as_pachd_reads_it(key: str) -> None:
    spec = json_format.ParseDict({key: {"constant": "2"}}, wire.pps.CreatePipelineRequest())
    assert spec.parallelism_spec.constant == 2
    for bad in ({"unknown_field": 1}, {"job_timeout": "5m"}):
        with pytest.raises(json_format.ParseError):
            json_format.ParseDict(bad, wire.pps.CreatePipelineRequest())


def test_a_name_that_the_sdk_lacks_is_an_attribute_error() -> None:
    name = "Nothing"
    with pytest.raises(AttributeError, match="no message or enum Nothing"):
        getattr(wire.pfs, name)
    with pytest.raises(AttributeError, match="no package nothing"):
        getattr(wire, name.lower())


class TestServer:
    """The gRPC server around the calls: tokens, unsupported calls, its port."""

    def test_a_call_that_is_not_supported_says_so_by_name(self, client: Client) -> None:
        with pytest.raises(grpc.RpcError) as failure:
            client.pfs.egress(commit=pfs.Commit(id="x"))
        assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert failure.value.details() == "pfs_v2.API.Egress is not supported by minipdk"

    def test_a_streaming_call_that_is_not_supported_says_so_by_name(self, client: Client) -> None:
        with pytest.raises(grpc.RpcError, match=r"debug_v2\.Debug\.Binary is not supported by minipdk"):
            list(client.debug.binary())

    @pytest.mark.parametrize("package", ["debug", "identity", "logs", "pjs", "snapshot"])
    def test_every_call_of_a_service_that_is_left_out_says_so_by_name(
        self, home: Home, pachd: ServiceProcess, package: str
    ) -> None:
        for name, failure in failures(home, package).items():
            assert failure == (grpc.StatusCode.UNIMPLEMENTED, f"{name} is not supported by minipdk")

    def test_no_token_and_a_wrong_token_have_different_errors(self, home: Home, pachd: ServiceProcess) -> None:
        for token, words in (
            ("", "no authentication token (try logging in)"),
            ("wrong", "provided auth token is corrupted"),
        ):
            stranger = connect(home, token)
            with pytest.raises(grpc.RpcError) as failure:
                list(stranger.pfs.list_repo())
            assert failure.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert words in failure.value.details()

    def test_version_and_cluster_answer_before_login(self, home: Home, pachd: ServiceProcess) -> None:
        stranger = connect(home, "")
        version = stranger.get_version()
        assert (version.major, version.minor, version.micro, version.additional) == (2, 12, 2, "")
        cluster = stranger.admin.inspect_cluster()
        assert cluster.id == cluster.deployment_id == home.identity.cluster_id.replace("-", "")
        assert cluster.warnings_ok

    def test_a_client_with_the_token_is_root(self, client: Client) -> None:
        assert client.auth.who_am_i().username == "pach:root"

    def test_a_port_that_is_taken_is_a_clear_error(self) -> None:
        from minipdk.services.pachyderm import rpc

        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1:{port}"):
                rpc.Server(port, "token", {})


class Call:
    """gRPC's view of a call: whether its client is still there."""

    def __init__(self, active: bool) -> None:
        self.active = active

    def is_active(self) -> bool:
        return self.active


def test_a_stream_that_its_client_breaks_off_is_not_taken_for_a_whole_one() -> None:
    """gRPC may end the iterator of a cancelled call as if it were complete: a cancelled stream must not be committed."""
    assert list(rpc.whole(iter([1, 2]), Call(active=True))) == [1, 2]
    broken = rpc.whole(iter([1, 2]), Call(active=False))
    assert [next(broken), next(broken)] == [1, 2]
    with pytest.raises(CancelledError, match="context canceled"):
        next(broken)
