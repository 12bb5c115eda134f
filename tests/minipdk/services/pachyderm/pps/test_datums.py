"""The datums of an input, and their ids and hashes: laws for any input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs import FileInfo, Repo
from minipdk.services.pachyderm.pps.datums import Glob, enumerate_datums, expand
from minipdk.services.pachyderm.pps.model import Datum, DatumInput
from minipdk.services.pachyderm.pps.spec import inputs

PATHS = st.lists(st.sampled_from([f"/{letter}{number}" for letter in "abcd" for number in range(3)]), unique=True)
LAW = settings(deadline=None)  # a busy machine breaks no law
HASHES = st.binary(min_size=4, max_size=4)


def file(path: str, *, name: str = "in", content: bytes = b"x", **more: Any) -> DatumInput:
    info = FileInfo(Repo("default", name).commit("c" * 32), path, size=1, hash=content, committed=0)
    return DatumInput(name=name, branch="master", file=info, **more)


def pfs_input(name: str, *, outer_join: bool = False) -> wire.pps.Input:
    return wire.pps.Input(pfs=wire.pps.PfsInput(repo=name, name=name, glob="/*", outer_join=outer_join))


def globber(files: dict[str, list[str]]) -> Glob:
    """Files by repo; the join and group key of a file is its letter."""

    def glob(node: wire.pps.PfsInput) -> Iterator[DatumInput]:
        for path in files[node.repo]:
            yield file(path, name=node.name, join_on=path[1], group_by=path[1], outer_join=node.outer_join)

    return glob


def paths(datums: Iterator[Datum]) -> list[tuple[str, ...]]:
    return [tuple(file.path for file in datum.inputs) for datum in datums]


def cross(*members: wire.pps.Input) -> wire.pps.Input:
    return wire.pps.Input(cross=members)


@LAW
@given(PATHS, PATHS)
def test_a_cross_makes_a_datum_of_every_pair(left: list[str], right: list[str]) -> None:
    datums = paths(enumerate_datums(cross(pfs_input("a"), pfs_input("b")), globber({"a": left, "b": right})))
    assert datums == [(path, other) for path in left for other in right]


@LAW
@given(PATHS, PATHS)
def test_a_union_makes_a_datum_of_every_file_once(left: list[str], right: list[str]) -> None:
    node = wire.pps.Input(union=[pfs_input("a"), pfs_input("a"), pfs_input("b")])
    datums = list(enumerate_datums(node, globber({"a": left, "b": right})))
    assert len(datums) == len(left) + len(right)


@LAW
@given(PATHS, PATHS)
def test_a_join_pairs_files_with_the_same_key(left: list[str], right: list[str]) -> None:
    node = wire.pps.Input(join=[pfs_input("a"), pfs_input("b")])
    datums = paths(enumerate_datums(node, globber({"a": left, "b": right})))
    assert sorted(datums) == sorted((path, other) for path in left for other in right if path[1] == other[1])


@LAW
@given(PATHS, PATHS)
def test_an_outer_join_keeps_files_that_match_nothing(left: list[str], right: list[str]) -> None:
    node = wire.pps.Input(join=[pfs_input("a", outer_join=True), pfs_input("b")])
    datums = paths(enumerate_datums(node, globber({"a": left, "b": right})))
    assert {path[0] for path in datums} == set(left)


@LAW
@given(PATHS)
def test_a_group_gathers_all_files_of_a_key(files: list[str]) -> None:
    node = wire.pps.Input(group=[pfs_input("a")])
    datums = paths(enumerate_datums(node, globber({"a": files})))
    assert len(datums) == len({path[1] for path in files})
    assert sorted(path for group in datums for path in group) == sorted(files)


@LAW
@given(PATHS, PATHS)
def test_the_order_of_a_crosss_members_does_not_change_its_datums(left: list[str], right: list[str]) -> None:
    files = {"a": left, "b": right}
    forward, backward = (cross(*members) for members in ([pfs_input("a"), pfs_input("b")], [pfs_input("b"), pfs_input("a")]))
    for node in (forward, backward):
        inputs.set_defaults(node, pipeline="p", project="default", now=lambda _: None)
    ids = [[datum.id for datum in enumerate_datums(node, globber(files))] for node in (forward, backward)]
    assert ids[0] == ids[1]


@LAW
@given(HASHES, HASHES)
def test_content_changes_the_hash_and_not_the_id(old: bytes, new: bytes) -> None:
    before, after = (Datum((file("/a", content=content),)) for content in (old, new))
    assert before.id == after.id
    assert (before.hash("salt") == after.hash("salt")) == (old == new)


@LAW
@given(st.text(max_size=8), st.text(max_size=8))
def test_the_salt_changes_the_hash(salt: str, other: str) -> None:
    datum = Datum((file("/a"),))
    assert (datum.hash(salt) == datum.hash(other)) == (salt == other)


def test_a_reference_input_does_not_change_the_hash() -> None:
    old, new = (Datum((file("/a", content=content, reference=True),)) for content in (b"old", b"new"))
    assert old.hash("") == new.hash("")


def test_capture_groups_are_put_into_keys() -> None:
    assert expand("$1-${2}", ["x", "y"]) == "x-y"
    assert expand("$3", ["x", "y"]) == ""
