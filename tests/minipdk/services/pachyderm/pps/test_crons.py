"""Cron inputs: each tick is a commit in a separate repo; no tick is lost or fires twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import paths, wait_until_it_answers
from tests.minipdk.services.pachyderm.pipelines import Workbench

HOUR = timedelta(hours=1)


def every_hour(name: str = "tick", *, hours_ago: int = 0, overwrite: bool = False) -> pps.Input:
    """An hourly cron input of which as many ticks are due as hours have passed since its start."""
    start = datetime.now(UTC).replace(microsecond=0) - hours_ago * HOUR - timedelta(minutes=30)
    return pps.Input(cron=pps.CronInput(name=name, spec="@every 1h", start=start, overwrite=overwrite))


def ticks(bench: Workbench, pipeline: pps.Pipeline, name: str = "tick") -> list[datetime]:
    """The times of the files in the cron repo, in order."""
    head = pfs.Commit.from_uri(f"{pipeline.name}_{name}@master")
    files = paths(bench.client.pfs.list_file(file=pfs.File(commit=head, path="/")))
    return [datetime.strptime(path, "/%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for path in files]


def commits(bench: Workbench, pipeline: pps.Pipeline, name: str = "tick") -> int:
    return len(list(bench.client.pfs.list_commit(repo=pfs.Repo(name=f"{pipeline.name}_{name}", type="user"))))


def test_due_ticks_are_made_up_for_in_order_and_each_is_a_datum(bench: Workbench) -> None:
    source = every_hour(hours_ago=3)
    pipeline = bench.pipeline(source, "cp /pfs/tick/* /pfs/out/")
    wait_for(lambda: len(ticks(bench, pipeline)) == 3, what="the ticks that were due")
    assert ticks(bench, pipeline) == [source.cron.start + number * HOUR for number in (1, 2, 3)]
    assert bench.job(pipeline).data_total == 3
    assert set(bench.files(f"{pipeline.name}@master")) == {f"/{at:%Y-%m-%dT%H:%M:%SZ}" for at in ticks(bench, pipeline)}
    described = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True).details.input.cron
    assert (described.repo, described.spec, described.start) == (f"{pipeline.name}_tick", "@every 1h", source.cron.start)


def test_ticks_come_by_themselves_a_second_apart(bench: Workbench) -> None:
    source = pps.Input(cron=pps.CronInput(name="tick", spec="@every 1s"))
    pipeline = bench.pipeline(source, "true")
    wait_for(lambda: len(ticks(bench, pipeline)) >= 2, what="two ticks")
    bench.client.pps.stop_pipeline(pipeline=pipeline)
    times = ticks(bench, pipeline)
    assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))]
    bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_with_overwrite_the_repo_holds_only_the_last_tick(bench: Workbench) -> None:
    source = every_hour(hours_ago=2, overwrite=True)
    pipeline = bench.pipeline(source, "cp /pfs/tick/* /pfs/out/")
    last = source.cron.start + 2 * HOUR
    wait_for(lambda: ticks(bench, pipeline) == [last], what="the last tick")
    assert commits(bench, pipeline) == 3  # the empty one that the repo began with, and one for each tick
    assert bench.job(pipeline).data_total == 1
    assert set(bench.files(f"{pipeline.name}@master")) == {f"/{last:%Y-%m-%dT%H:%M:%SZ}"}


def test_after_kill_9_no_tick_fires_twice_and_a_run_now_adds_one(bench: Workbench, pachd: ServiceProcess) -> None:
    pipeline = bench.pipeline(every_hour(hours_ago=2), "true")
    wait_for(lambda: len(ticks(bench, pipeline)) == 2, what="the ticks that were due")
    pachd.kill()
    pachd.start()
    wait_until_it_answers(bench.client)
    bench.client.pps.run_cron(pipeline=pipeline)
    bench.job(pipeline)
    times = ticks(bench, pipeline)
    assert len(times) == 3
    assert datetime.now(UTC) - times[-1] < timedelta(minutes=10)
    assert commits(bench, pipeline) == 4


def test_every_cron_input_of_a_cross_ticks_when_run_now(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    source = pps.Input(cross=[every_hour("first"), every_hour("second"), pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*"))])
    pipeline = bench.pipeline(source, "true")
    bench.client.pps.run_cron(pipeline=pipeline)
    assert ticks(bench, pipeline, "first") == ticks(bench, pipeline, "second")
    assert bench.job(pipeline).data_total == 1
    (leaf, *_) = bench.job(pipeline).details.input.cross
    assert leaf.cron.commit == bench.job(pipeline).job.id


def test_a_pipeline_without_cron_inputs_is_not_run_now(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(), "true")
    with pytest.raises(grpc.RpcError, match="pipeline doesn't have a cron input"):
        bench.client.pps.run_cron(pipeline=pipeline)


def test_a_schedule_that_cannot_be_read_is_refused(bench: Workbench) -> None:
    with pytest.raises(grpc.RpcError, match="error parsing cron-spec: "):
        bench.pipeline(pps.Input(cron=pps.CronInput(name="tick", spec="at noon")), "true")


@pytest.mark.parametrize("keep_repo", [False, True])
def test_the_repo_of_ticks_goes_with_its_pipeline(bench: Workbench, keep_repo: bool) -> None:
    pipeline = bench.pipeline(every_hour(), "true")
    ticking = pfs.Repo(name=f"{pipeline.name}_tick", type="user")
    assert "Cron tick repo" in bench.client.pfs.inspect_repo(repo=ticking).description
    bench.client.pps.delete_pipeline(pipeline=pipeline, keep_repo=keep_repo)
    assert not bench.client.pfs.repo_exists(ticking)
    assert bench.client.pfs.repo_exists(pfs.Repo(name=pipeline.name, type="user")) == keep_repo
