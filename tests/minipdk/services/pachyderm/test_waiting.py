"""Calls that wait, and calls whose client keeps silent, leave pachd answering."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from tests.conftest import ServiceProcess, wait_for

from minipdk.common.home import Home
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import TooManyCallsError
from minipdk.services.pachyderm.waiting import Signal, Steps, WaitingCalls, until

MANY = 600


@contextmanager
def channel(home: Home) -> Iterator[grpc.Channel]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{home.port('pachd')}", options=options) as opened:
        yield opened


def call(opened: grpc.Channel, path: str, kind: str) -> Any:
    rpc = next(rpc for rpc in wire.rpcs() if rpc.path == path)
    parse = wire.message_class(rpc.response).FromString
    return getattr(opened, kind)(path, lambda message: message.SerializeToString(), parse)


def is_answered(client: Client) -> bool:
    return bool(client.admin.inspect_cluster().id) and list(client.pfs.list_project()) != []


def test_calls_that_wait_leave_pachd_answering(home: Home, pachd: ServiceProcess, client: Client) -> None:
    repo = pfs.Repo(name="waited-for", type="user", project=pfs.Project(name="default"))
    client.pfs.create_repo(repo=repo)
    named = wire.pfs.Repo(name="waited-for", type="user", project=wire.pfs.Project(name="default"))
    request = wire.pfs.SubscribeCommitRequest(repo=named, branch="master")
    with channel(home) as opened:
        subscribe = call(opened, "/pfs_v2.API/SubscribeCommit", "unary_stream")
        waiting = [subscribe(request, metadata=[("authn-token", home.token)]) for _ in range(MANY)]
        assert is_answered(client)
        with client.pfs.commit(branch=pfs.Branch(repo=repo, name="master")) as commit:
            wait = call(opened, "/pfs_v2.API/InspectCommit", "unary_unary").future(
                wire.pfs.InspectCommitRequest(
                    commit=wire.pfs.Commit(id=commit.id, repo=named), wait=wire.pfs.CommitState.Value("FINISHED")
                ),
                metadata=[("authn-token", home.token)],
            )
            assert {next(subscribed).commit.id for subscribed in waiting} == {commit.id}
            assert not wait.done()
        assert wait.result(60).HasField("finished")
        assert is_answered(client)


def test_a_call_without_a_token_is_refused_before_its_message(home: Home, pachd: ServiceProcess) -> None:
    silence = threading.Event()

    def silent() -> Iterator[Any]:
        silence.wait()
        yield from ()

    with channel(home) as opened:
        for path in ("/pfs_v2.API/InspectRepo", "/pfs_v2.API/ModifyFile"):
            refused = call(opened, path, "stream_unary").future(silent(), timeout=60)
            assert refused.code() == grpc.StatusCode.UNAUTHENTICATED
    silence.set()


def test_silent_strangers_keep_no_client_waiting(home: Home, pachd: ServiceProcess, client: Client) -> None:
    """A call that is open to all and whose message never comes; one that a client sends whole is answered in its turn."""
    silence = threading.Event()

    def silent() -> Iterator[Any]:
        silence.wait()
        yield from ()

    with ExitStack() as stack:
        stack.callback(silence.set)
        for _ in range(4):
            version = call(stack.enter_context(channel(home)), "/versionpb_v2.API/GetVersion", "stream_unary")
            calls = [version.future(silent()) for _ in range(16)]
        assert is_answered(client)
        wait_for(lambda: calls[0].done(), seconds=60, what="the first silent call to be ended")
        assert calls[0].code() == grpc.StatusCode.CANCELLED


class Answers:
    """The responses of a call, and its end."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.ended = threading.Event()
        self.error: Exception | None = None

    def send(self, response: Any) -> None:
        self.sent.append(response)

    def end(self, error: Exception | None) -> None:
        self.error = error
        self.ended.set()


def stays(_: Callable[[], None]) -> bool:
    """A client that does not go away."""
    return True


def test_every_signal_reaches_a_call_even_while_it_is_busy() -> None:
    signal, calls, numbers = Signal(), WaitingCalls(), list[int]()

    def counting(last: int) -> Steps[int]:
        for wanted in range(last):
            yield (yield from until(signal, lambda: numbers[wanted : wanted + 1]))[0]  # noqa: B023

    answers = [Answers() for _ in range(20)]
    for each_one in answers:
        calls.start(counting(500), each_one, stays)
    for number in range(500):
        numbers.append(number)
        signal.give()
    for each_one in answers:
        assert each_one.ended.wait(60)
        assert each_one.sent == list(range(500))


def test_more_calls_than_may_wait_are_refused() -> None:
    signal, calls, done = Signal(), WaitingCalls(most=2), list[bool]()
    answers = [Answers() for _ in range(3)]
    for each_one in answers:
        calls.start(until(signal, lambda: done), each_one, stays)
    assert isinstance(answers[2].error, TooManyCallsError)
    done.append(True)
    signal.give()
    assert all(each_one.ended.wait(60) for each_one in answers)
    again = Answers()
    done.clear()
    calls.start(until(signal, lambda: done), again, stays)
    assert not again.ended.is_set()


def test_a_call_ends_with_its_client() -> None:
    signal, calls, answers, closed = Signal(), WaitingCalls(), Answers(), threading.Event()
    gone: list[Callable[[], None]] = []

    def waiting() -> Steps[int]:
        try:
            yield signal
        finally:
            closed.set()

    def remember(callback: Callable[[], None]) -> bool:
        gone.append(callback)
        return True

    calls.start(waiting(), answers, remember)
    gone[0]()
    assert closed.wait(60)
    assert answers.ended.wait(60)
    signal.give()  # no call listens


def test_a_failure_while_a_call_waits_is_its_status() -> None:
    signal, calls, answers, wrong = Signal(), WaitingCalls(), Answers(), list[int]()

    def waiting() -> Steps[int]:
        yield from until(signal, lambda: 1 // len(wrong) if wrong else 0)
        raise ZeroDivisionError

    calls.start(waiting(), answers, stays)
    wrong.append(1)
    signal.give()
    assert answers.ended.wait(60)
    assert isinstance(answers.error, ZeroDivisionError)
