"""No call, however wrong, is answered with an internal error, ends the server or touches data it does not name.

Every call that is served gets random messages: names that exist where names belong, hostile ones, extreme numbers, missing
parts. ``FUZZ_CALLS`` says how many (300), ``FUZZ_SEED`` which (0); a failure names the call, its message and the seed.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess
from tests.minipdk.pachyderm.pipelines import Workbench

from minipdk.home import HOST, Home
from minipdk.pachyderm import wire

from .conftest import at, put_paths, read

CALLS = int(os.environ.get("FUZZ_CALLS", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))

LEFT_OUT = {"/pfs_v2.API/DeleteAll", "/pps_v2.API/DeleteAll", "/transaction_v2.API/DeleteAll"}
"""The calls that delete everything by their nature."""

WAITING = re.compile(r"Subscribe|Inspect(Commit|Job)(Set)?$|GetLogs|PauseStatus|Watch")
"""The calls that may wait for something that never comes."""

PYTHON = re.compile(
    r"\b[A-Z]\w*(Error|Exception|Warning)\b|Traceback|NoneType|object at 0x|sqlite3|Exception calling|<class"
)
"""What only a fault of the server's own code would say."""

HOSTILE = [
    *(
        "",
        " ",
        "\0",
        "\n",
        "..",
        "../../etc/passwd",
        "/",
        "//",
        "a" * 5000,
        "ü",
        "\u202e",
        "%s%n",
        "{0}",
        "'; DROP TABLE commits; --",
    ),
    *(
        "master^99999999999999999999",
        "master.0",
        "master~",
        "^",
        ".",
        "@",
        "a@b@c",
        "-1",
        "1e999",
        "null",
        "[",
        "{a,",
        "*(",
        "(?",
    ),
    *(
        "\\",
        "**",
        "a/../b",
        "0" * 32,
        "0" * 12 + "4" + "0" * 19,
        "file:///etc/passwd",
        "gs://x/y",
        "default",
        "user",
        "out",
        ".env",
    ),
]
NUMBERS = [0, 1, 2, 3, -1, 10, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1]
WORDS = {
    "project": ["default", "fuzzed", "nowhere"],
    "repo": ["alpha", "beta", "derived", "p1", "alpha", "__filesets__", "nowhere"],
    "branch": ["master", "master", "staging", "p1-trigger-1", "nowhere"],
    "pipeline": ["p1", "p1", "p2", "nowhere"],
    "type": ["", "user", "user", "user", "spec", "meta", "other"],
    "expression": ["master", "master^", "staging", "master.1", "master~2", "nowhere"],
    "path": ["/", "/a", "a", "/dir/", "/dir/b", "/*", "/**", "/nowhere", "//a//", "/dir"],
    "spec": ["* * * * *", "@daily", "@every 1h", "@never", "1K", "10MB", "often"],
    "json": [
        "{}",
        "[]",
        "null",
        "{",
        '{"createPipelineRequest": {}}',
        '{"pipeline": {"name": "p1"}}',
        '{"nope": 1}',
        '"x"',
        "\0",
    ],
    "image": ["no-such-image"],
}
KINDS = {
    **dict.fromkeys(["Project", "ProjectPicker"], "project"),
    **dict.fromkeys(["Repo", "RepoPickerRepoName"], "repo"),
    **dict.fromkeys(["Branch", "BranchPickerBranchName"], "branch"),
    **dict.fromkeys(["Pipeline", "PipelinePickerPipelineName"], "pipeline"),
}
"""Which words the names in these messages are."""
FIELDS = {
    **dict.fromkeys(["path", "file_path", "glob", "pattern", "dst", "pagination_marker"], "path"),
    **dict.fromkeys(["cron_spec", "rate_limit_spec", "size", "spec"], "spec"),
    **dict.fromkeys(["id", "commit", "file_set_id"], "id"),
    **{name: name for name in ("type", "repo", "branch", "project", "image")},
    "output_branch": "branch",
}
"""Which words these fields are."""

HANDLES = {
    "Project": {"name": "project"},
    "Repo": {"name": "repo", "type": "type"},
    "Branch": {"repo": "", "name": "branch"},
    "Commit": {"repo": "", "id": "expression"},
    "CommitSet": {"id": "id"},
    "File": {"commit": "", "path": "path"},
    "Pipeline": {"name": "pipeline"},
    "Job": {"pipeline": "", "id": "id"},
    "JobSet": {"id": "id"},
    "Transaction": {"id": "id"},
    "ProjectPicker": {"name": "project"},
    "RepoPicker": {"name": ""},
    "RepoPickerRepoName": {"name": "repo", "type": "type"},
    "BranchPicker": {"name": ""},
    "BranchPickerBranchName": {"repo": "", "name": "branch"},
    "CommitPicker": {"branch_head": ""},
    "PipelinePicker": {"name": ""},
    "PipelinePickerPipelineName": {"name": "pipeline"},
    "Input": {"pfs": ""},
    "Duration": {"seconds": "seconds"},
    "Timestamp": {"seconds": "seconds"},
    "PfsInput": {"repo": "repo", "branch": "branch", "glob": "path"},
}
"""Messages that name things: their fields, and which words are in those; without words, the message that is there."""

RARE = {"URL", "path_range", "shallow", "jq_filter", "datum", "trigger", "force", "dry_run", "tf_job", "egress"}
RARE |= {"pod_spec", "pod_patch", "spec_commit", "dockerfile", "reprocess_spec", "secrets"}
"""Fields that are refused whatever else there is, or that keep the rest from being looked at."""
FIRST = {"ModifyFile": "set_commit", "CreateDatum": "start"}
"""What a stream of messages begins with."""


class Maker:
    """Makes random messages from a seed; ``ids`` are commits' and jobs' that exist or did."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = ["0" * 12 + "4" + "0" * 19]

    def requests(self, rpc: wire.Rpc) -> list[Any]:
        """What a client could send: one message, or a stream of which the first is mostly of the right sort."""
        kind = wire.message_class(rpc.request)
        if not rpc.client_streams:
            return [self.message(kind)]
        first = FIRST.get(rpc.method, "") if self.random.random() < 0.8 else ""
        return [self.message(kind, chosen=first), *(self.message(kind) for _ in range(self.random.randrange(4)))]

    def message(self, kind: Any, depth: int = 0, chosen: str = "") -> Any:
        """Often a handle of something that exists, where the message is one; otherwise whatever its fields can hold."""
        name = kind.DESCRIPTOR.name
        if name in HANDLES and self.random.random() < 0.8:
            return kind(**{field: self._part(kind, field, what) for field, what in HANDLES[name].items()})
        made = kind()
        groups = [[field.name for field in group.fields] for group in kind.DESCRIPTOR.oneofs]
        left_out = {name for group in groups for name in group} - {self.random.choice(group) for group in groups}
        for field in kind.DESCRIPTOR.fields:
            usual = 0.03 if field.name in RARE else 0.7
            likely = usual if depth < 3 else usual / 2 if depth < 6 else 0
            if field.name == chosen or (not chosen and field.name not in left_out and self.random.random() < likely):
                self._fill(made, field, depth)
        return made

    def _part(self, kind: Any, field: str, what: str) -> Any:
        if what == "id":
            return self.random.choice(self.ids[-20:])
        if what == "seconds":
            return self.random.choice([0, 1, 60, 1_700_000_000])
        if what:
            return self.random.choice(WORDS[what][:-1])
        return self.message(getattr(kind(), field).__class__, 1)

    def _fill(self, made: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for _ in range(self.random.randrange(3)):
                self._put_into_map(getattr(made, field.name), field.message_type, depth)
        elif field.label == field.LABEL_REPEATED:
            many = getattr(made, field.name)
            for _ in range(self.random.randrange(3)):
                if field.message_type is not None:
                    one = many.add()
                    one.CopyFrom(self.message(one.__class__, depth + 1))
                else:
                    many.append(self._value(field, made.DESCRIPTOR))
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(self.message(getattr(made, field.name).__class__, depth + 1))
        elif field.name != "all":  # which would be everything, the kept data too
            setattr(made, field.name, self._value(field, made.DESCRIPTOR))

    def _put_into_map(self, mapping: Any, entry: Descriptor, depth: int) -> None:
        key = self._value(entry.fields_by_name["key"], entry)
        value = entry.fields_by_name["value"]
        if value.message_type is not None:
            mapping[key].CopyFrom(self.message(mapping[key].__class__, depth + 1))
        else:
            mapping[key] = self._value(value, entry)

    def _value(self, field: FieldDescriptor, holder: Descriptor) -> Any:
        if field.cpp_type == field.CPPTYPE_STRING:
            if field.type == field.TYPE_BYTES:
                return self.random.randbytes(self.random.choice([0, 1, 100]))
            return self._text(field.name, holder.name)
        if field.cpp_type == field.CPPTYPE_BOOL:
            return self.random.random() < 0.3
        if field.cpp_type == field.CPPTYPE_ENUM:
            return self.random.choice([0, 1, 2, 3, 4, 99, -1])
        if field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
            return self.random.choice([0.0, -1.0, 1.5, float("nan"), float("inf"), 1e38])
        low, high = {
            field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
            field.CPPTYPE_UINT32: (0, 2**32 - 1),
            field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
            field.CPPTYPE_UINT64: (0, 2**64 - 1),
        }[field.cpp_type]
        return max(low, min(high, self.random.choice(NUMBERS)))

    def _text(self, name: str, holder: str) -> str:
        if self.random.random() < 0.15:
            return self.random.choice(HOSTILE)
        kind = KINDS.get(holder) if name == "name" else FIELDS.get(name)
        if kind == "id":
            return self.random.choice([*self.ids[-20:], *WORDS["expression"]])
        if kind is None:
            kind = "json" if "json" in name else self.random.choice(list(WORDS))
        return self.random.choice(WORDS[kind])


class Caller:
    """Makes any call with any messages, and judges the answers: ``faults`` are those that must not be, by what they say."""

    def __init__(self, home: Home, maker: Maker, untouchable: frozenset[str]) -> None:
        self.faults: dict[str, str] = {}
        self.untouchable = untouchable
        self.channel = grpc.insecure_channel(f"{HOST}:{home.port('pachd')}")
        self.metadata = [("authn-token", home.session_token)]
        self.maker = maker

    def __call__(self, rpc: wire.Rpc, requests: list[Any]) -> grpc.StatusCode:
        """Make the call, take its first answers, and return its code."""
        sides = ["stream" if one else "unary" for one in (rpc.client_streams, rpc.server_streams)]
        kind = wire.message_class(rpc.response)
        method = getattr(self.channel, "_".join(sides))(
            rpc.path, request_serializer=lambda one: one.SerializeToString(), response_deserializer=kind.FromString
        )
        timeout = 0.3 if WAITING.search(rpc.method) else 60
        try:
            answer = method(iter(requests) if rpc.client_streams else requests[0], timeout=timeout, metadata=self.metadata)
            if rpc.server_streams:
                for one, _ in zip(answer, range(20), strict=False):
                    self._learn(one)
                answer.cancel()
            else:
                self._learn(answer)
        except grpc.RpcError as error:
            self._judge(rpc, requests, error)
            return error.code()
        return grpc.StatusCode.OK

    def _learn(self, message: Any) -> None:
        """Ids that the server gave are used in later messages, but for those of the data that is kept."""
        found = re.findall(r'id: "([0-9a-f]{32})"', str(message))[:2]
        self.maker.ids += [one for one in found if one not in self.untouchable]

    def _judge(self, rpc: wire.Rpc, requests: list[Any], error: Any) -> None:
        code, words = error.code(), error.details()
        waited = code is grpc.StatusCode.DEADLINE_EXCEEDED and WAITING.search(rpc.method)
        fault = code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE) and "not finished" not in words
        if (fault or code is grpc.StatusCode.DEADLINE_EXCEEDED or PYTHON.search(words) or not words) and not waited:
            self.faults.setdefault(f"{rpc.path} answered {code.name}: {words[:200]}", f"to {requests}")


class Kept:
    """Data that no made-up name names."""

    def __init__(self, client: Client) -> None:
        self.client = client
        project = pfs.Project(name="kept")
        client.pfs.create_project(project=project)
        self.branches = [pfs.Branch(repo=pfs.Repo(name=name, type="user", project=project), name="master") for name in "ab"]
        for branch in self.branches:
            client.pfs.create_repo(repo=branch.repo)
        client.pfs.create_branch(branch=self.branches[1], provenance=self.branches[:1])
        files = ({"/a": b"1", "/dir/b": b"2" * 50_000}, {"/a": b"3"})
        self.commits = [put_paths(client, self.branches[0], one) for one in files]

    def ids(self) -> frozenset[str]:
        commits = [one for branch in self.branches for one in self.client.pfs.list_commit(repo=branch.repo)]
        return frozenset(info.commit.id for info in commits)

    def everything(self) -> Any:
        infos = [self.client.pfs.inspect_commit(commit=commit) for commit in self.commits]
        files = [read(self.client, commit, path) for commit in self.commits for path in ("/a", "/dir/b")]
        walked = [info.file.path for info in self.client.pfs.walk_file(file=at(self.commits[1]))]
        return infos, files, walked, [self.client.pfs.inspect_branch(branch=branch) for branch in self.branches]


def restore(bench: Workbench) -> None:
    """Make what the made-up names name, or what is left to make of it."""
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

    def empty(rpc: wire.Rpc) -> list[Any]:
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
