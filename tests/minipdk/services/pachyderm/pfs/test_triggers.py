"""Triggers and deferred processing: branches that follow others when enough has happened or a time has come."""

from __future__ import annotations

import sqlite3
import time

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import connect, head, put
from tests.minipdk.services.pachyderm.pfs.test_branches import finish, new_branch, refused
from tests.minipdk.services.pachyderm.pipelines import Workbench

from minipdk.common.home import Home
from minipdk.services.pachyderm import cron
from minipdk.services.pachyderm.pfs import triggers


def branch(repo: pfs.Repo, name: str) -> pfs.Branch:
    return pfs.Branch(repo=repo, name=name)


def id_of(client: Client, at: pfs.Branch) -> str:
    return str(client.pfs.inspect_commit(commit=head(at)).commit.id)


@pytest.fixture
def staging(client: Client, repo: pfs.Repo) -> pfs.Branch:
    """The branch that commits are made on; the repo's master follows it."""
    source = branch(repo, "staging")
    client.pfs.create_branch(branch=source)
    return source


class TestConditions:
    def test_after_so_many_commits(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", commits=3))
        before = id_of(client, master)
        made = [put(client, staging, **{f"f{number}": b"1"}).id for number in range(2)]
        assert id_of(client, master) == before
        made += [put(client, staging, f2=b"1").id for _ in range(2)]
        assert id_of(client, master) == made[2]

    def test_after_so_much_new_data(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", size="1K"))
        before = id_of(client, master)
        put(client, staging, a=b"x" * 999)
        assert id_of(client, master) == before
        enough = put(client, staging, b=b"x").id
        assert id_of(client, master) == enough
        put(client, staging, c=b"x" * 999)
        assert id_of(client, master) == enough

    def test_after_so_much_time(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", rate_limit_spec="@every 1h"))
        before = id_of(client, master)
        put(client, staging, a=b"1")
        assert id_of(client, master) == before
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", rate_limit_spec="@every 1s"))
        wait_for(lambda: put(client, staging, a=b"1").id == id_of(client, master), seconds=60, what="a second to pass")

    def test_any_condition_is_enough_unless_all_are_required(self, client: Client, staging: pfs.Branch) -> None:
        either, both = branch(staging.repo, "either"), branch(staging.repo, "both")
        for target, all_ in ((either, False), (both, True)):
            client.pfs.create_branch(branch=target, trigger=pfs.Trigger(branch="staging", size="1K", commits=1, all=all_))
        small = put(client, staging, a=b"1").id
        assert id_of(client, either) == small
        assert id_of(client, both) != small
        large = put(client, staging, b=b"x" * 1000).id
        assert id_of(client, both) == large

    def test_without_a_condition_it_never_fires_or_with_all_always(self, client: Client, staging: pfs.Branch) -> None:
        never, always = branch(staging.repo, "never"), branch(staging.repo, "always")
        client.pfs.create_branch(branch=never, trigger=pfs.Trigger(branch="staging"))
        client.pfs.create_branch(branch=always, trigger=pfs.Trigger(branch="staging", all=True))
        commit = put(client, staging, a=b"1").id
        assert id_of(client, always) == commit
        assert id_of(client, never) != commit

    def test_a_commit_that_failed_sets_nothing_off(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", commits=1))
        before = id_of(client, master)
        client.pfs.finish_commit(commit=client.pfs.start_commit(branch=staging), error="broken")
        assert id_of(client, master) == before

    @pytest.mark.parametrize(
        ("text", "size"),
        [("10", 10), ("1b", 1), ("1k", 1000), ("1.5 KB", 1500), ("2MiB", 2_000_000), (".5G", 500_000_000), ("1T", 10**12)],
    )
    def test_sizes_as_people_write_them(self, text: str, size: int) -> None:
        assert triggers.human_size(text) == size


class TestWhatFires:
    def test_the_head_moves_in_a_separate_commit_set(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="staging", commits=1))
        derived = new_branch(client, master)
        commit = put(client, staging, a=b"1").id
        info = client.pfs.inspect_commit(commit=head(derived))
        assert info.commit.id != commit
        assert [above.id for above in info.direct_provenance] == [commit]

    def test_triggers_form_chains(self, client: Client, repo: pfs.Repo) -> None:
        a, b, c = (branch(repo, name) for name in "abc")
        client.pfs.create_branch(branch=a)
        client.pfs.create_branch(branch=b, trigger=pfs.Trigger(branch="a", commits=1))
        client.pfs.create_branch(branch=c, trigger=pfs.Trigger(branch="b", commits=2))
        start = id_of(client, c)
        put(client, a, a=b"1")
        assert id_of(client, c) == start
        second = put(client, a, b=b"1").id
        assert [id_of(client, branch) for branch in (b, c)] == [second, second]

    def test_an_output_branch_triggers_once_its_commit_is_finished(self, client: Client, master: pfs.Branch) -> None:
        put(client, master, a=b"1")
        derived = new_branch(client, master)
        finish(client, derived)
        release = branch(derived.repo, "release")
        client.pfs.create_branch(branch=release, trigger=pfs.Trigger(branch="master", commits=1))
        opened = put(client, master, b=b"1").id
        assert id_of(client, release) != opened
        finish(client, derived)
        assert id_of(client, release) == opened

    def test_two_branches_that_lead_to_one_repo_fire_one_by_one(self, client: Client, staging: pfs.Branch) -> None:
        """One commit set could not hold both commits of the repo downstream."""
        left, right = branch(staging.repo, "left"), branch(staging.repo, "right")
        for target in (left, right):
            client.pfs.create_branch(branch=target, trigger=pfs.Trigger(branch="staging", commits=1))
        below = new_branch(client, left)
        beside = branch(below.repo, "beside")
        client.pfs.create_branch(branch=beside, provenance=[right])
        commit = put(client, staging, a=b"1").id
        assert id_of(client, left) == id_of(client, right) == commit
        for target in (below, beside):
            provenance = client.pfs.inspect_commit(commit=head(target)).direct_provenance
            assert [upstream.id for upstream in provenance] == [commit]

    def test_deferred_processing_by_moving_the_head(self, client: Client, staging: pfs.Branch, master: pfs.Branch) -> None:
        client.pfs.create_branch(branch=master)
        derived = new_branch(client, master)
        before = id_of(client, derived)
        commit = put(client, staging, a=b"1")
        assert id_of(client, derived) == before
        client.pfs.create_branch(branch=master, head=head(staging))
        (origin,) = client.pfs.inspect_commit(commit=head(derived)).direct_provenance
        assert (origin.id, origin.repo, origin.branch) == (commit.id, commit.repo, staging)


class TestCron:
    def test_ticks_move_the_head_also_across_kill_9(self, home: Home, client: Client, pachd: ServiceProcess) -> None:
        repo = pfs.Repo(name="ticking", type="user", project=pfs.Project(name="default"))
        client.pfs.create_repo(repo=repo)
        source, ticked = branch(repo, "staging"), branch(repo, "master")
        first = put(client, source, a=b"1").id
        client.pfs.create_branch(branch=ticked, trigger=pfs.Trigger(branch="staging", cron_spec="@every 1s"))
        wait_for(lambda: id_of(client, ticked) == first, seconds=60, what="the first tick")
        pachd.kill()
        pachd.start()
        after = connect(home)
        second = put(after, source, a=b"2").id
        wait_for(lambda: id_of(after, ticked) == second, seconds=60, what="a tick after the restart")
        after.pfs.create_branch(branch=ticked, trigger=pfs.Trigger(branch="staging", cron_spec="@never"))

    def test_missed_ticks_are_made_up_for_once(self, home: Home, client: Client, pachd: ServiceProcess) -> None:
        """However many ticks came while pachd was down: the branch below gets one commit for all of them.

        So is a commit that had been finished, and not looked at yet, when pachd was killed.
        """
        client = connect(home)
        repo = pfs.Repo(name="missed", type="user", project=pfs.Project(name="default"))
        client.pfs.create_repo(repo=repo)
        source, ticked = branch(repo, "staging"), branch(repo, "master")
        finished = put(client, source, a=b"1").id
        client.pfs.create_branch(branch=ticked, trigger=pfs.Trigger(branch="staging", cron_spec="@every 20m"))
        derived = new_branch(client, ticked)
        late = branch(repo, "late")
        client.pfs.create_branch(branch=late, trigger=pfs.Trigger(branch="staging", commits=1))
        assert id_of(client, late) != finished
        pachd.kill()
        database = sqlite3.connect(home.database("pachyderm"))
        hours_ago = (int(time.time()) - 3 * 3600) * cron.SECOND
        database.execute("UPDATE branch_triggers SET next_tick = ? WHERE cron_spec = '@every 20m'", (hours_ago,))
        database.execute("INSERT INTO trigger_checks SELECT id FROM commits WHERE commit_set = ?", (finished,))
        database.commit()
        pachd.start()
        client = connect(home)
        assert id_of(client, late) == finished
        wait_for(lambda: id_of(client, ticked) == id_of(client, source), seconds=60, what="the tick")
        assert len(list(client.pfs.list_commit(repo=derived.repo))) == 2
        (next_tick,) = database.execute("SELECT next_tick FROM branch_triggers WHERE cron_spec = '@every 20m'").fetchone()
        assert (next_tick - hours_ago) % (20 * 60 * cron.SECOND) == 0
        assert next_tick > time.time_ns()
        database.close()

    def test_a_commit_does_not_fire_a_trigger_that_waits_for_a_time(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        repo = pfs.Repo(name="waiting", type="user", project=pfs.Project(name="default"))
        client.pfs.create_repo(repo=repo)
        source, ticked = branch(repo, "staging"), branch(repo, "master")
        client.pfs.create_branch(branch=source)
        trigger = pfs.Trigger(branch="staging", cron_spec="@yearly", commits=1)
        client.pfs.create_branch(branch=ticked, trigger=trigger)
        before = id_of(client, ticked)
        put(client, source, a=b"1")
        assert id_of(client, ticked) == before


class TestRules:
    def test_invalid_triggers_are_refused(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        repo = pfs.Repo(name="rules", type="user", project=pfs.Project(name="default"))
        client.pfs.create_repo(repo=repo)
        master = branch(repo, "master")
        client.pfs.create_branch(branch=branch(repo, "staging"))
        for trigger, words in (
            (pfs.Trigger(commits=1), "triggers must specify a branch to trigger on"),
            (pfs.Trigger(branch="not.a.name"), "name (not.a.name) invalid"),
            (pfs.Trigger(branch="staging", rate_limit_spec="often"), "invalid trigger rate limit spec: Expected exactly 5"),
            (pfs.Trigger(branch="staging", size="big"), "invalid trigger size"),
            (pfs.Trigger(branch="staging", size="9" * 400), "invalid trigger size"),
            (pfs.Trigger(branch="staging", commits=-1), "can't trigger on a negative number of commits"),
            (pfs.Trigger(branch="staging", cron_spec="@noon"), "invalid trigger cron spec: Unrecognized descriptor: @noon"),
            (pfs.Trigger(branch="master"), "triggers cannot form a loop"),
        ):
            with refused(words):
                client.pfs.create_branch(branch=master, trigger=trigger)
        with refused('branch "gone" not found in repo default/rules', grpc.StatusCode.NOT_FOUND):
            client.pfs.create_branch(branch=master, trigger=pfs.Trigger(branch="gone", commits=1))
        assert not client.pfs.branch_exists(branch=master)

    def test_a_loop_over_other_branches_is_refused(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        repo = pfs.Repo(name="loops", type="user", project=pfs.Project(name="default"))
        client.pfs.create_repo(repo=repo)
        a, b = branch(repo, "a"), branch(repo, "b")
        client.pfs.create_branch(branch=a)
        client.pfs.create_branch(branch=b, trigger=pfs.Trigger(branch="a", commits=1))
        with refused("triggers cannot form a loop"):
            client.pfs.create_branch(branch=a, trigger=pfs.Trigger(branch="b", commits=1))

    def test_a_trigger_is_shown_kept_and_excludes_provenance(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        source = new_branch(client)
        moved = branch(source.repo, "moved")
        trigger = pfs.Trigger(branch="master", all=True, size="1K", commits=2, rate_limit_spec="@daily")
        client.pfs.create_branch(branch=moved, trigger=trigger)
        client.pfs.create_branch(branch=moved, head=head(source))
        assert client.pfs.inspect_branch(branch=moved).trigger == trigger
        with refused("a branch cannot have both provenance and a trigger"):
            client.pfs.create_branch(branch=moved, trigger=trigger, provenance=[new_branch(client)])

    def test_triggers_tie_branches_together_unless_forced(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        source = new_branch(client)
        moved = branch(source.repo, "moved")
        client.pfs.create_branch(branch=moved, trigger=pfs.Trigger(branch="master", commits=1))
        name = f"default/{source.repo.name}"
        with refused(f'branch "{name}@master" cannot be deleted because it is triggered by branches [{name}@moved]'):
            client.pfs.delete_branch(branch=source)
        with refused(f'branch "{name}@moved" cannot be deleted because it triggers branches [{name}@master]'):
            client.pfs.delete_branch(branch=moved)
        client.pfs.delete_branch(branch=source, force=True)
        assert not client.pfs.inspect_branch(branch=moved).trigger.branch
        client.pfs.delete_branch(branch=moved)


class TestPropagationSpecs:
    def test_new_heads_of_a_branch_marked_never_start_nothing(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        data, lookup = new_branch(client), new_branch(client)
        derived = pfs.Branch(repo=new_branch(client).repo, name="derived")
        never = pfs.BranchPropagationSpec(branch=lookup, propagation_spec=pfs.PropagationSpec(never=True))
        client.pfs.create_branch(branch=derived, provenance=[data, lookup], branch_propagation_specs=[never])
        last = new_branch(client, derived)
        assert client.pfs.inspect_branch(branch=derived).branch_propagation_specs == [never]
        before = [id_of(client, branch) for branch in (derived, last)]
        looked_up = put(client, lookup, a=b"1").id
        assert [id_of(client, branch) for branch in (derived, last)] == before
        commit = put(client, data, a=b"1").id
        info = client.pfs.inspect_commit(commit=head(derived))
        assert info.commit.id == commit == id_of(client, last)
        assert {above.id for above in info.direct_provenance} == {commit, looked_up}
        client.pfs.create_branch(branch=derived, provenance=[data, lookup])
        assert put(client, lookup, a=b"2").id == id_of(client, derived)

    def test_only_provenance_can_be_marked(self, home: Home, pachd: ServiceProcess) -> None:
        client = connect(home)
        data, other = new_branch(client), new_branch(client)
        never = pfs.BranchPropagationSpec(branch=other, propagation_spec=pfs.PropagationSpec(never=True))
        with refused("branch propagation spec must reference provenant branch (referenced branch: default/"):
            client.pfs.create_branch(
                branch=pfs.Branch(repo=new_branch(client).repo, name="x"),
                provenance=[data],
                branch_propagation_specs=[never],
            )


class TestPipelines:
    def test_an_input_with_a_trigger_reads_a_separate_branch(self, home: Home, pachd: ServiceProcess) -> None:
        """Two commits make one job, on their union."""
        bench = Workbench(connect(home))
        repo = bench.repo(a="1")
        source = pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*", trigger=pfs.Trigger(commits=2)))
        pipeline = bench.pipeline(source, f"cp /pfs/{repo}/* /pfs/out/")
        assert bench.job(pipeline).data_total == 0
        moved = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True).details.input.pfs
        assert (moved.branch, moved.trigger.branch) == (f"{pipeline.name}-trigger-1", "master")
        bench.commit(repo, {"b": "2"})
        assert bench.job(pipeline).data_processed == 2
        jobs = len(list(bench.client.pps.list_job(pipeline=pipeline)))
        bench.commit(repo, {"c": "3"})
        assert len(list(bench.client.pps.list_job(pipeline=pipeline))) == jobs
        bench.commit(repo, {"d": "4"})
        assert (bench.job(pipeline).data_processed, bench.job(pipeline).data_skipped) == (2, 2)
        assert sorted(bench.files(f"{pipeline.name}@master")) == ["/a", "/b", "/c", "/d"]

    def test_an_input_that_never_propagates_starts_no_job(self, home: Home, pachd: ServiceProcess) -> None:
        bench = Workbench(connect(home))
        data, lookup = bench.repo(a="1"), bench.repo(table="x")
        never = pps.PfsInput(repo=lookup, glob="/", propagation_spec=pfs.PropagationSpec(never=True))
        source = pps.Input(cross=[pps.Input(pfs=pps.PfsInput(repo=data, glob="/*")), pps.Input(pfs=never)])
        pipeline = bench.pipeline(source, f"cat /pfs/{data}/* /pfs/{lookup}/table > /pfs/out/joined")
        assert bench.job(pipeline).data_processed == 1
        bench.commit(lookup, {"table": "y"})
        assert len(list(bench.client.pps.list_job(pipeline=pipeline))) == 1
        bench.commit(data, {"a": "2"})
        bench.job(pipeline)
        assert bench.files(f"{pipeline.name}@master") == {"/joined": "2y"}
