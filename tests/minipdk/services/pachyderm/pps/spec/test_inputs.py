"""Joins, groups, unions and crosses of them as jobs: the /pfs and the environment of each datum's code."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.minipdk.services.pachyderm.pipelines import Workbench

SHOW = """
cd /pfs
find . -type f ! -path './out/*' ! -name .env -size +0 | sort > "/pfs/out/$PACH_DATUM_ID"
find . -type f ! -path './out/*' -empty | sed 's/$/ is empty/' >> "/pfs/out/$PACH_DATUM_ID"
env | grep -E '^PACH_DATUM_.*_(JOIN_ON|GROUP_BY)=' | sort >> "/pfs/out/$PACH_DATUM_ID"
"""


@pytest.fixture(scope="module")
def readings(bench: Workbench) -> str:
    """A repo of one file a sensor and day, as Pachyderm's own examples of joins and groups have them."""
    return bench.repo("readings", **{f"{sensor}-{day}.csv": sensor + day for sensor in "ab" for day in ("mon", "tue")})


@pytest.fixture(scope="module")
def places(bench: Workbench) -> str:
    """Where sensors are: of a and c, not of b."""
    return bench.repo("places", **{"a.json": "attic", "c.json": "cellar"})


def pfs_input(repo: str, **fields: Any) -> pps.Input:
    return pps.Input(pfs=pps.PfsInput(repo=repo, **fields))


def shown(bench: Workbench, node: pps.Input) -> list[list[str]]:
    """The files and variables of each datum, in order; the job's datums must be the datums listed for the input."""
    pipeline = bench.pipeline(node, SHOW)
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (pps.JobState.JOB_SUCCESS, "")
    files = bench.files(f"{pipeline.name}@master")
    listed = {info.datum.id: info for info in bench.client.pps.list_datum(input=node)}
    assert {path.strip("/") for path in files} == set(listed)
    ran = {info.datum.id: info for info in bench.client.pps.list_datum(job=job.job)}
    assert {id_: files_of(info) for id_, info in ran.items()} == {id_: files_of(info) for id_, info in listed.items()}
    return sorted(written.splitlines() for written in files.values())


def files_of(info: pps.DatumInfo) -> list[tuple[str, str]]:
    return [(file.file.commit.repo.name, file.file.path) for file in info.data]


def test_datums_of_an_input_alone_need_no_glob_and_no_separate_names(bench: Workbench, readings: str) -> None:
    """As JupyterLab's extension asks for them: no pipeline could have this input."""

    def datums(node: pps.Input) -> list[list[tuple[str, str]]]:
        return sorted(files_of(info) for info in bench.client.pps.list_datum(input=node))

    assert datums(pfs_input(readings)) == [[(readings, "/")]]
    assert len(datums(pfs_input(readings, glob="/a*", name="out"))) == 2
    twice = [pfs_input(readings, glob="/a*"), pfs_input(readings, glob="/a*")]
    assert len(datums(pps.Input(cross=twice))) == 4
    repo = bench.repo(a="1")
    first = bench.client.pfs.inspect_branch(branch=pfs.Branch.from_uri(f"{repo}@master")).head.id
    bench.commit(repo, {"b": "2"})
    assert len(datums(pfs_input(repo, glob="/*", commit=first))) == 1
    with pytest.raises(grpc.RpcError, match="repo default/nope not found") as refused:
        datums(pfs_input("nope", glob="/*"))
    assert refused.value.code() == grpc.StatusCode.UNKNOWN


def test_a_join_pairs_files_by_the_captures_of_their_globs(bench: Workbench, readings: str, places: str) -> None:
    left, right = (
        pfs_input(readings, name="readings", glob="/(*)-*.csv", join_on="$1"),
        pfs_input(places, name="places", glob="/(*).json", join_on="$1"),
    )
    keys = [f"PACH_DATUM_{name}_JOIN_ON=a" for name in ("places", "readings")]
    datums = shown(bench, pps.Input(join=[left, right]))
    assert datums == [["./places/a.json", f"./readings/a-{day}.csv", *keys] for day in ("mon", "tue")]


def test_an_outer_join_has_a_datum_for_files_without_a_match(bench: Workbench, readings: str, places: str) -> None:
    left = pfs_input(readings, name="readings", glob="/(*)-mon.csv", join_on="$1", outer_join=True)
    right = pfs_input(places, name="places", glob="/(*).json", join_on="$1")
    datums = shown(bench, pps.Input(join=[left, right]))
    assert ["./readings/b-mon.csv", "PACH_DATUM_readings_JOIN_ON=b"] in datums
    assert len(datums) == 2


def test_a_group_has_all_files_of_a_key_in_one_datum(bench: Workbench, readings: str) -> None:
    datums = shown(bench, pps.Input(group=[pfs_input(readings, name="readings", glob="/*-(*).csv", group_by="$1")]))
    assert datums == [
        [f"./readings/a-{day}.csv", f"./readings/b-{day}.csv", f"PACH_DATUM_readings_GROUP_BY={day}"]
        for day in ("mon", "tue")
    ]


def test_a_union_runs_each_file_under_its_members_name(bench: Workbench, readings: str, places: str) -> None:
    node = pps.Input(union=[pfs_input(readings, name="data", glob="/a-*"), pfs_input(places, name="data", glob="/*")])
    names = ["a-mon.csv", "a-tue.csv", "a.json", "c.json"]
    assert shown(bench, node) == [[f"./data/{name}"] for name in names]


def test_inputs_may_be_nested_and_hold_names_only(bench: Workbench, readings: str, places: str) -> None:
    """A cross of a group and a union, one member of which comes without contents."""
    group = pps.Input(group=[pfs_input(readings, name="readings", glob="/(*)-*.csv", group_by="$1")])
    union = pps.Input(
        union=[
            pfs_input(places, name="places", glob="/a.json"),
            pfs_input(places, name="names", glob="/c.json", empty_files=True),
        ]
    )
    datums = shown(bench, pps.Input(cross=[group, union]))
    csv = {sensor: [f"./readings/{sensor}-{day}.csv" for day in ("mon", "tue")] for sensor in "ab"}
    by = {sensor: f"PACH_DATUM_readings_GROUP_BY={sensor}" for sensor in "ab"}
    assert datums == [
        *(["./places/a.json", *csv[key], by[key]] for key in "ab"),
        *([*csv[key], "./names/c.json is empty", by[key]] for key in "ab"),
    ]


def test_a_changed_file_runs_only_the_datums_that_it_is_in(bench: Workbench, places: str) -> None:
    repo = bench.repo("changing", **{"a-1": "1", "a-2": "1", "b-1": "1"})
    left, right = (
        pfs_input(repo, glob="/(*)-*", join_on="$1"),
        pfs_input(places, name="places", glob="/(*).json", join_on="$1"),
    )
    join = bench.pipeline(pps.Input(join=[left, right]), "true")
    group = bench.pipeline(pps.Input(group=[pfs_input(repo, glob="/(*)-*", group_by="$1")]), "true")
    assert [bench.job(pipeline).data_processed for pipeline in (join, group)] == [2, 2]
    bench.commit(repo, {"a-2": "2", "b-1": None})
    jobs = [bench.job(pipeline) for pipeline in (join, group)]
    assert [(job.data_processed, job.data_skipped, job.data_total) for job in jobs] == [(1, 1, 2), (1, 0, 1)]
