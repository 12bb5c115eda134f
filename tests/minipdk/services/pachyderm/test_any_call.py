"""No call, however wrong, is answered with an internal error, ends the server or changes data it does not name.

Every served call gets random messages: existing names in fields for names, hostile names, extreme numbers, missing parts.
``FUZZ_CALLS`` is their number (300), ``FUZZ_SEED`` the seed (0); a failure names the call, its message and the seed.
"""

from __future__ import annotations

import contextlib
import os
import re

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.conftest import at, put_paths, read
from tests.minipdk.services.pachyderm.made_up import Maker
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home
from minipdk.common.ports import HOST
from minipdk.services.pachyderm import wire

CALLS = int(os.environ.get("FUZZ_CALLS", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))

LEFT_OUT = {"/pfs_v2.API/DeleteAll", "/pps_v2.API/DeleteAll", "/transaction_v2.API/DeleteAll"}
"""The calls that delete everything by their nature."""

WAITING = re.compile(r"Subscribe|Inspect(Commit|Job)(Set)?$|GetLogs|PauseStatus|Watch")
"""The calls that may wait for something that never comes."""

PYTHON = re.compile(
    r"\b[A-Z]\w*(Error|Exception|Warning)\b|Traceback|NoneType|object at 0x|sqlite3|Exception calling|<class"
)
"""Words that only a fault in the server's code would produce."""


class Caller:
    """Makes any call with any messages, and judges the answers: ``faults`` are the forbidden answers, by their messages."""

    def __init__(self, home: Home, maker: Maker, untouchable: frozenset[str]) -> None:
        self.faults: dict[str, str] = {}
        self.untouchable = untouchable
        self.transaction = ""
        """The last transaction that was started: some calls are made in it."""
        self.channel = grpc.insecure_channel(f"{HOST}:{home.port('pachd')}")
        self.metadata = [("authn-token", home.session_token)]
        self.maker = maker

    def __call__(self, rpc: wire.Rpc, requests: list[wire.Message]) -> grpc.StatusCode:
        """Make the call, take its first answers, and return its code."""
        sides = ["stream" if streams else "unary" for streams in (rpc.client_streams, rpc.server_streams)]
        kind = wire.message_class(rpc.response)
        method = getattr(self.channel, "_".join(sides))(
            rpc.path, request_serializer=lambda message: message.SerializeToString(), response_deserializer=kind.FromString
        )
        inside = self.transaction if self.maker.random.random() < 0.3 else ""
        timeout = 0.3 if WAITING.search(rpc.method) else 60
        try:
            answer = method(
                iter(requests) if rpc.client_streams else requests[0],
                timeout=timeout,
                metadata=[*self.metadata, ("pach-transaction", inside)],
            )
            if rpc.server_streams:
                for message, _ in zip(answer, range(20), strict=False):
                    self._learn(message)
                answer.cancel()
            else:
                self._learn(answer)
        except grpc.RpcError as error:
            self._judge(rpc, requests, error)
            return error.code()
        return grpc.StatusCode.OK

    def _learn(self, message: wire.Message) -> None:
        """Use the ids in an answer in later messages, except the ids of untouchable data."""
        ids = re.findall(r'id: "([0-9a-f]{32})"', str(message))[:2]
        self.maker.ids += [id_ for id_ in ids if id_ not in self.untouchable]
        if isinstance(message, wire.transaction.Transaction):
            self.transaction = message.id

    def _judge(self, rpc: wire.Rpc, requests: list[wire.Message], error: grpc.RpcError) -> None:
        code, words = error.code(), error.details()
        waited = code is grpc.StatusCode.DEADLINE_EXCEEDED and WAITING.search(rpc.method)
        fault = code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE) and "not finished" not in words
        if (fault or code is grpc.StatusCode.DEADLINE_EXCEEDED or PYTHON.search(words) or not words) and not waited:
            self.faults.setdefault(f"{rpc.path} answered {code.name}: {words[:200]}", f"to {requests}")


class Kept:
    """Data that has no made-up name."""

    def __init__(self, client: Client) -> None:
        self.client = client
        project = pfs.Project(name="kept")
        client.pfs.create_project(project=project)
        self.branches = [pfs.Branch(repo=pfs.Repo(name=name, type="user", project=project), name="master") for name in "ab"]
        for branch in self.branches:
            client.pfs.create_repo(repo=branch.repo)
        client.pfs.create_branch(branch=self.branches[1], provenance=self.branches[:1])
        files = ({"/a": b"1", "/dir/b": b"2" * 50_000}, {"/a": b"3"})
        self.commits = [put_paths(client, self.branches[0], added) for added in files]

    def ids(self) -> frozenset[str]:
        commits = [info for branch in self.branches for info in self.client.pfs.list_commit(repo=branch.repo)]
        return frozenset(info.commit.id for info in commits)

    def everything(self) -> tuple[object, ...]:
        infos = [self.client.pfs.inspect_commit(commit=commit) for commit in self.commits]
        files = [read(self.client, commit, path) for commit in self.commits for path in ("/a", "/dir/b")]
        walked = [info.file.path for info in self.client.pfs.walk_file(file=at(self.commits[1]))]
        return infos, files, walked, [self.client.pfs.inspect_branch(branch=branch) for branch in self.branches]


def restore(bench: Workbench) -> None:
    """Make the objects with made-up names that do not exist."""
    for project in ("default", "fuzzed"):
        with contextlib.suppress(grpc.RpcError):
            bench.client.pfs.create_project(project=pfs.Project(name=project))
    names = [info.repo.name for info in bench.client.pfs.list_repo(type="user", projects=[pfs.Project(name="default")])]
    for name in ("alpha", "beta", "derived"):
        if name not in names:
            bench.client.pfs.create_repo(repo=pfs.Repo(name=name))
    for repo, branch in (("alpha", "master"), ("alpha", "staging"), ("beta", "master")):
        with contextlib.suppress(grpc.RpcError):
            bench.commit(repo, {"a": "1", "dir/b": "2"}, branch)
    derived, source = (pfs.Branch.from_uri(f"{name}@master") for name in ("derived", "beta"))
    with contextlib.suppress(grpc.RpcError):
        bench.client.pfs.create_branch(branch=derived, provenance=[source])
        bench.client.pfs.finish_commit(commit=pfs.Commit(repo=derived.repo, id="master"), force=True)
    with contextlib.suppress(grpc.RpcError):
        bench.pipeline("alpha", "true", pipeline=pps.Pipeline(name="p1"), transform=pps.Transform(image="no-such-image"))


def served(caller: Caller) -> list[wire.Rpc]:
    """The calls that are not refused by name."""

    def empty(rpc: wire.Rpc) -> list[wire.Message]:
        return [] if rpc.client_streams else [wire.message_class(rpc.request)()]

    calls = [rpc for rpc in wire.rpcs() if rpc.path not in LEFT_OUT]
    return [rpc for rpc in calls if caller(rpc, empty(rpc)) is not grpc.StatusCode.UNIMPLEMENTED]


@pytest.mark.timeout(300 + CALLS)
def test_any_call_is_answered_as_pachd_would_and_hurts_nothing_else(
    home: Home, pachd: ServiceProcess, client: Client, bench: Workbench
) -> None:
    kept = Kept(client)
    before = kept.everything()
    maker = Maker(SEED)
    caller = Caller(home, maker, kept.ids())
    calls = served(caller)
    assert len(calls) > 90
    for number in range(CALLS):
        if number % 150 == 0:
            restore(bench)
        rpc = calls[number % len(calls)]
        caller(rpc, maker.requests(rpc))
    faults = "\n\n".join(f"{answer}\n{request[:2000]}" for answer, request in caller.faults.items())
    assert not faults, f"FUZZ_SEED={SEED} FUZZ_CALLS={CALLS} finds\n{faults}"
    assert kept.everything() == before
    assert pachd.process is not None
    assert pachd.process.poll() is None
    assert "Traceback" not in pachd.log
