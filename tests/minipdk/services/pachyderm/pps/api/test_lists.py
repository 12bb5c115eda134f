"""Looking at pipelines, jobs and datums: by version, by commit, by state, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pps.datums import datum_sets

Chain = tuple[str, pps.Pipeline, pps.Pipeline, list[str]]
SUCCESS, FAILURE = pps.JobState.JOB_SUCCESS, pps.JobState.JOB_FAILURE


def refusal(call: Callable[[], Iterable[Any]]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        list(call())
    return refused.value.code(), refused.value.details()


@pytest.fixture(scope="module")
def chain(bench: Workbench) -> Chain:
    """A repo, a pipeline of two versions, one downstream of it, and the commits between: the second file fails the first."""
    repo = bench.repo()
    first = bench.pipeline(repo, f"test ! -e /pfs/{repo}/b; cp /pfs/{repo}/* /pfs/out/", datum_tries=1)
    second = bench.pipeline(first.name, "true")
    ids = [bench.commit(repo, {"a": "1"}), bench.commit(repo, {"b": "2"})]
    assert bench.job(second).state == pps.JobState.JOB_UNRUNNABLE
    bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/", pipeline=first, update=True, description="fixed")
    assert bench.job(second).state == SUCCESS
    return repo, first, second, ids


def test_a_name_with_an_ancestor_is_an_older_version(bench: Workbench, chain: Chain) -> None:
    _, first, _, _ = chain

    def inspected(name: str) -> pps.PipelineInfo:
        return bench.client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=name), details=True)

    versions = [inspected(first.name + suffix) for suffix in ("", "^0", "^", "~1")]
    assert [(info.version, info.details.description) for info in versions] == [(2, "fixed")] * 2 + [(1, "")] * 2
    for suffix, words in {
        "^2": f'pipeline "default/{first.name}" has only 2 versions, not enough to find ancestor 2',
        ".3": "cannot inspect future pipelines",
        "^x": "invalid ancestry syntax",
    }.items():
        assert words in refusal(partial(inspected, first.name + suffix))[1]


def test_pipelines_can_be_listed_as_they_were_in_a_commit_set(bench: Workbench, chain: Chain) -> None:
    _, first, second, ids = chain
    listed = {
        info.pipeline.name: (info.version, info.last_job_state)
        for info in bench.client.pps.list_pipeline(commit_set=pfs.CommitSet(id=ids[1]))
    }
    assert listed == {first.name: (1, FAILURE), second.name: (1, SUCCESS)}


def test_pipelines_can_be_listed_in_pages(bench: Workbench, chain: Chain) -> None:
    whole = [info.pipeline.name for info in bench.client.pps.list_pipeline()]
    pages = [bench.client.pps.list_pipeline(page=pps.PipelinePage(page_size=1, page_index=number)) for number in range(3)]
    assert [info.pipeline.name for page in pages for info in page] == whole[:3]


def test_jobs_can_be_listed_by_an_input_of_their_commit_set(bench: Workbench, chain: Chain) -> None:
    """Jobs further downstream are of the same set."""
    repo, first, second, ids = chain
    commit = pfs.Commit(repo=pfs.Repo(name=repo), id=ids[0])
    jobs = bench.client.pps.list_job(input_commit=[commit], history=-1)
    assert {(info.job.pipeline.name, info.job.id) for info in jobs} == {
        (pipeline.name, ids[0]) for pipeline in (first, second)
    }


def test_jobs_of_older_versions_are_listed_when_asked_for(bench: Workbench, chain: Chain) -> None:
    _, first, _, ids = chain
    assert not set(ids) & {info.job.id for info in bench.client.pps.list_job(pipeline=first)}
    assert set(ids) < {info.job.id for info in bench.client.pps.list_job(pipeline=first, history=-1)}


def test_job_sets_hold_the_jobs_of_a_commit_with_their_details(bench: Workbench, chain: Chain) -> None:
    _, first, second, ids = chain
    jobs = list(bench.client.pps.inspect_job_set(job_set=pps.JobSet(id=ids[0]), wait=True, details=True))
    assert [info.job.pipeline.name for info in jobs] == [first.name, second.name]
    assert [info.details.input.pfs.commit for info in jobs] == [ids[0]] * 2
    sets = {info.job_set.id: len(info.jobs) for info in bench.client.pps.list_job_set(details=True)}
    assert [sets[id_] for id_ in ids] == [2, 2]
    assert list(bench.client.pps.inspect_job_set(job_set=pps.JobSet(id="0" * 12 + "4" + "0" * 19))) == []


def test_datums_can_be_listed_by_state_and_in_pages(bench: Workbench, chain: Chain) -> None:
    _, first, _, ids = chain
    failed = pps.Job(pipeline=first, id=ids[1])

    def states(**filters: object) -> list[pps.DatumState]:
        return [info.state for info in bench.client.pps.list_datum(job=failed, **filters)]

    assert sorted(states()) == sorted([pps.DatumState.SKIPPED, pps.DatumState.FAILED])
    failed_only = pps.ListDatumRequestFilter(state=[pps.DatumState.FAILED])
    assert states(filter=failed_only) == [pps.DatumState.FAILED]
    ids = [info.datum.id for info in bench.client.pps.list_datum(job=failed)]
    page = bench.client.pps.list_datum(job=failed, number=1, pagination_marker=ids[0])
    assert [info.datum.id for info in page] == ids[1:]
    back = bench.client.pps.list_datum(job=failed, number=2, reverse=True)
    assert [info.datum.id for info in back] == ids[::-1]
    code, words = refusal(lambda: bench.client.pps.list_datum(job=failed, reverse=True))
    assert (code, words) == (grpc.StatusCode.UNKNOWN, "number must be > 0 when reverse is set")
    assert [info.datum.id for info in bench.client.pps.list_datum(job=failed, number=-1)] == ids
    with pytest.raises(grpc.RpcError, match=f"datum {'0' * 64} not found in job"):
        bench.client.pps.inspect_datum(datum=pps.Datum(job=failed, id="0" * 64))


def test_a_pipeline_that_is_up_for_longer_than_expected_raises_an_alert(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(), "true", maximum_expected_uptime=timedelta(milliseconds=1))
    bench.job(pipeline)

    def alerts() -> dict[str, list[str]]:
        return {answer.pipeline.name: answer.alerts for answer in bench.client.pps.check_status(all=True)}

    wait_for(lambda: pipeline.name in alerts(), what="the alert")
    assert f"default/{pipeline.name}: Started running at" in alerts()[pipeline.name][0]
    assert list(alerts()) == [pipeline.name], "others have no expectation"


@pytest.mark.parametrize("call", ["list_job", "list_pipeline", "list_job_set"])
def test_jq_filters_are_refused_by_name(bench: Workbench, call: str) -> None:
    code, words = refusal(lambda: getattr(bench.client.pps, call)(jq_filter=".state"))
    assert (code, words) == (grpc.StatusCode.UNIMPLEMENTED, "jq_filter is not supported by minipdk")


SPECS: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.builds(dict, number=st.integers(1, 9)),
    st.builds(dict, size_bytes=st.integers(1, 50)),
    st.builds(dict, per_worker=st.integers(1, 9)),
    st.just({}),
)


@given(st.lists(st.integers(0, 20), min_size=1), SPECS, st.integers(1, 4))
def test_datum_sets_hold_every_datum_once_and_no_more_than_the_spec_says(
    sizes: list[int], spec: dict[str, int], workers: int
) -> None:
    sets = datum_sets(sizes, wire.pps.DatumSetSpec(**spec), workers, lambda size: size)
    assert [size for some in sets for size in some] == sizes
    assert all(len(some) for some in sets)
    if "number" in spec:
        assert all(len(some) == spec["number"] for some in sets[:-1])
    elif "size_bytes" in spec:
        assert all(sum(some[:-1]) < spec["size_bytes"] <= sum(some) for some in sets[:-1])
    else:
        assert len(sets) >= min(len(sizes), workers * spec.get("per_worker", 4))
