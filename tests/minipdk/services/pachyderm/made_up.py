"""Made-up messages: existing names in fields for names, hostile names, extreme numbers, and missing parts."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from minipdk.services.pachyderm import wire

HOSTILE_WORDS = r"""
.. ../../etc/passwd / // a/../b %s%n {0} \ ** [ {a, *( (? file:///etc/passwd gs://x/y
master^99999999999999999999 master.0 master~ ^ . @ a@b@c -1 1e999 null default user out .env
"""
HOSTILE = [
    *("", " ", "\0", "\n", "a" * 5000, "ü", "\u202e", "0" * 32, "0" * 12 + "4" + "0" * 19, "'; DROP TABLE commits; --"),
    *HOSTILE_WORDS.split(),
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
    "json": ["{}", "[]", "null", "{", '"x"', '{"nope": 1}', '{"createPipelineRequest": {}}', '{"pipeline": {"name": "p1"}}'],
    "image": ["no-such-image"],
}
KINDS = {
    **dict.fromkeys(["Project", "ProjectPicker"], "project"),
    **dict.fromkeys(["Repo", "RepoPickerRepoName"], "repo"),
    **dict.fromkeys(["Branch", "BranchPickerBranchName"], "branch"),
    **dict.fromkeys(["Pipeline", "PipelinePickerPipelineName"], "pipeline"),
}
"""The words for the names in these messages."""
FIELDS = {
    **dict.fromkeys(["path", "file_path", "glob", "pattern", "dst", "pagination_marker"], "path"),
    **dict.fromkeys(["cron_spec", "rate_limit_spec", "size", "spec"], "spec"),
    **dict.fromkeys(["id", "commit", "file_set_id"], "id"),
    **{name: name for name in ("type", "repo", "branch", "project", "image")},
    "output_branch": "branch",
}
"""The words for these fields."""

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
"""Messages that name things: their fields and the words for them; without words, the message in the field."""

RARE = {"URL", "path_range", "shallow", "jq_filter", "datum", "trigger", "force", "dry_run", "tf_job", "egress"}
RARE |= {"pod_spec", "pod_patch", "spec_commit", "dockerfile", "reprocess_spec", "secrets"}
"""Fields that are always refused, or that keep the server from reading the rest."""
FIRST = {"ModifyFile": "set_commit", "CreateDatum": "start"}
"""The first message of a stream."""


class Maker:
    """Makes random messages from a seed; ``ids`` are commits' and jobs' that exist or did."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = ["0" * 12 + "4" + "0" * 19]

    def requests(self, rpc: wire.Rpc) -> list[wire.Message]:
        """One message, or a stream whose first message is mostly of the right sort."""
        kind = wire.message_class(rpc.request)
        if not rpc.client_streams:
            return [self.message(kind)]
        first = FIRST.get(rpc.method, "") if self.random.random() < 0.8 else ""
        return [self.message(kind, chosen=first), *(self.message(kind) for _ in range(self.random.randrange(4)))]

    def message(self, kind: type[wire.Message], depth: int = 0, chosen: str = "") -> wire.Message:
        """Often a handle of something that exists, if the message is one; otherwise random values in its fields."""
        name = kind.DESCRIPTOR.name
        if name in HANDLES and self.random.random() < 0.8:
            return kind(**{field: self._part(kind, field, words) for field, words in HANDLES[name].items()})
        made = kind()
        groups = [[field.name for field in group.fields] for group in kind.DESCRIPTOR.oneofs]
        left_out = {name for group in groups for name in group} - {self.random.choice(group) for group in groups}
        for field in kind.DESCRIPTOR.fields:
            usual = 0.03 if field.name in RARE else 0.7
            likely = usual if depth < 3 else usual / 2 if depth < 6 else 0
            if field.name == chosen or (not chosen and field.name not in left_out and self.random.random() < likely):
                self._fill(made, field, depth)
        return made

    def _part(self, kind: type[wire.Message], field: str, words: str) -> object:
        if words == "id":
            return self.random.choice(self.ids[-20:])
        if words == "seconds":
            return self.random.choice([0, 1, 60, 1_700_000_000])
        if words:
            return self.random.choice(WORDS[words][:-1])
        return self.message(getattr(kind(), field).__class__, 1)

    def _fill(self, made: wire.Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for _ in range(self.random.randrange(3)):
                self._put_into_map(getattr(made, field.name), field.message_type, depth)
        elif field.label == field.LABEL_REPEATED:
            many = getattr(made, field.name)
            for _ in range(self.random.randrange(3)):
                if field.message_type is not None:
                    added = many.add()
                    added.CopyFrom(self.message(added.__class__, depth + 1))
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

    def _value(self, field: FieldDescriptor, holder: Descriptor) -> object:
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
