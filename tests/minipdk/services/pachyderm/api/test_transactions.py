"""Transactions: calls that are queued, refused immediately if impossible, and take effect together or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.transaction import Transaction, TransactionRequest
from pachyderm_sdk.errors import InvalidTransactionOperation
from tests.conftest import ServiceProcess
from tests.minipdk.services.pachyderm.conftest import connect, head, is_finished, new_repo
from tests.minipdk.services.pachyderm.pfs.test_branches import new_branch, refused
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

from minipdk.common.home import Home


@pytest.fixture
def other(home: Home, pachd: ServiceProcess) -> Client:
    """A client outside the transaction."""
    return connect(home)


@pytest.fixture
def inside(home: Home, pachd: ServiceProcess) -> Client:
    """A client for transactions: should a test fail in one, no other test is in it."""
    return connect(home)


def named(bench: Workbench, prefix: str = "repo") -> pfs.Branch:
    """master of a repo that is not there yet."""
    return pfs.Branch(
        repo=pfs.Repo(name=bench.name(prefix), type="user", project=pfs.Project(name="default")), name="master"
    )


class TestQueueing:
    def test_nothing_is_seen_before_the_end_and_all_of_it_after(
        self, inside: Client, other: Client, bench: Workbench
    ) -> None:
        source, derived = named(bench), named(bench)
        with inside.transaction.transaction() as transaction:
            for branch in (source, derived):
                inside.pfs.create_repo(repo=branch.repo)
            inside.pfs.create_branch(branch=derived, provenance=[source])
            assert not other.pfs.repo_exists(repo=source.repo)
            queued = other.transaction.inspect_transaction(transaction=transaction)
            assert len(queued.requests) == len(queued.responses) == 3
            assert [info.transaction for info in other.transaction.list_transaction().transaction_info] == [transaction]
        assert other.pfs.inspect_branch(branch=derived).direct_provenance == [source]
        assert not other.transaction.transaction_exists(transaction)

    def test_everything_is_in_one_commit_set(self, inside: Client, other: Client) -> None:
        """Two inputs change together: a branch that depends on both gets one commit."""
        left, right = new_branch(other), new_branch(other)
        joined = new_branch(other, left, right)
        before = len(list(other.pfs.list_commit(repo=joined.repo)))
        with inside.transaction.transaction() as transaction:
            for branch in (left, right):
                with inside.pfs.commit(branch=branch) as commit:
                    assert commit.id == transaction.id
        infos = list(other.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=transaction.id)))
        assert [info.commit.repo.name for info in infos] == [branch.repo.name for branch in (left, right, joined)]
        assert [is_finished(info) for info in infos] == [True, True, False]
        assert len(list(other.pfs.list_commit(repo=joined.repo))) == before + 1

    def test_a_call_that_could_not_work_is_refused_at_once_and_not_queued(self, inside: Client, other: Client) -> None:
        repo = new_repo(other)
        with inside.transaction.transaction() as transaction:
            with refused(
                f"error running request 1 of 1: repo default/{repo.name} already exists", grpc.StatusCode.ALREADY_EXISTS
            ):
                inside.pfs.create_repo(repo=repo)
            commit = inside.pfs.start_commit(branch=pfs.Branch(repo=repo, name="master"))
            with refused("error running request 2 of 2: inconsistent dependencies", grpc.StatusCode.ALREADY_EXISTS):
                inside.pfs.start_commit(branch=pfs.Branch(repo=repo, name="other"))
            queued = other.transaction.inspect_transaction(transaction=transaction)
            assert [response.commit for response in queued.responses] == [commit]

    def test_a_repo_gets_one_commit_in_a_transaction(self, inside: Client, other: Client) -> None:
        repo = new_repo(other)
        with inside.transaction.transaction():
            inside.pfs.finish_commit(commit=inside.pfs.start_commit(branch=pfs.Branch(repo=repo, name="master")))
            with refused(f"repo ({repo.name}) already has a commit in this transaction", grpc.StatusCode.ALREADY_EXISTS):
                inside.pfs.start_commit(branch=pfs.Branch(repo=repo, name="master"))

    def test_an_error_in_the_callers_code_forgets_the_transaction(
        self, inside: Client, other: Client, bench: Workbench
    ) -> None:
        branch = named(bench)
        ids: list[Transaction] = []

        def stumble() -> None:
            with inside.transaction.transaction() as transaction:
                ids.append(transaction)
                inside.pfs.create_repo(repo=branch.repo)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            stumble()
        assert not other.pfs.repo_exists(repo=branch.repo)
        assert not other.transaction.transaction_exists(ids[0])

    def test_a_conflict_with_another_client_fails_the_end_and_loses_nothing(
        self, inside: Client, other: Client, bench: Workbench
    ) -> None:
        first, taken = named(bench), named(bench)
        transaction = inside.transaction.start_transaction()
        inside.pfs.create_repo(repo=first.repo)
        inside.pfs.create_repo(repo=taken.repo)
        other.pfs.create_repo(repo=taken.repo)
        with refused("error running request 2 of 2: repo", grpc.StatusCode.ALREADY_EXISTS):
            other.transaction.finish_transaction(transaction=transaction)
        assert not other.pfs.repo_exists(repo=first.repo)
        other.pfs.delete_repo(repo=taken.repo)
        info = other.transaction.finish_transaction(transaction=transaction)
        assert len(info.responses) == 2
        assert other.pfs.repo_exists(repo=first.repo)

    def test_squash_and_the_deleting_calls_are_queued_too(self, inside: Client, other: Client) -> None:
        branch, doomed = new_branch(other), new_branch(other)
        first = other.pfs.start_commit(branch=branch)
        other.pfs.finish_commit(commit=first)
        other.pfs.finish_commit(commit=other.pfs.start_commit(branch=branch))
        with inside.transaction.transaction():
            inside.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=first.id))
            inside.pfs.delete_branch(branch=doomed)
            assert inside.pfs.delete_repo(repo=doomed.repo).deleted
            assert other.pfs.commit_exists(commit=first)
            assert other.pfs.branch_exists(branch=doomed)
        assert not other.pfs.commit_exists(commit=first)
        assert not other.pfs.repo_exists(repo=doomed.repo)

    def test_files_cannot_be_written_to_a_commit_that_is_not_there_yet(self, inside: Client, other: Client) -> None:
        repo = new_repo(other)
        with inside.transaction.transaction():
            commit = inside.pfs.start_commit(branch=pfs.Branch(repo=repo, name="master"))
            with pytest.raises(InvalidTransactionOperation):
                inside.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
            with refused(f"commit default/{repo.name}@{commit.id} not found", grpc.StatusCode.NOT_FOUND):
                other.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")
        other.pfs.put_file_from_bytes(commit=commit, path="/a", data=b"1")

    def test_a_transaction_that_is_not_there(self, inside: Client, other: Client) -> None:
        gone = other.transaction.start_transaction()
        other.transaction.delete_transaction(transaction=gone)
        inside.transaction_id = gone.id
        calls: tuple[Callable[[], object], ...] = (
            lambda: inside.pfs.create_repo(repo=pfs.Repo(name="never")),
            lambda: inside.transaction.finish_transaction(transaction=gone),
            lambda: inside.transaction.delete_transaction(transaction=gone),
        )
        for call in calls:
            with refused(f"transactions {gone.id} not found", grpc.StatusCode.NOT_FOUND):
                call()

    def test_all_transactions_can_be_forgotten(self, other: Client) -> None:
        other.transaction.start_transaction()
        other.transaction_id = None
        other.transaction.delete_all()
        assert other.transaction.list_transaction().transaction_info == []


class TestBatches:
    def test_a_batch_is_one_transaction(self, other: Client) -> None:
        branches = [new_branch(other), new_branch(other)]
        info = other.transaction.batch_transaction(
            requests=[TransactionRequest(start_commit=pfs.StartCommitRequest(branch=branch)) for branch in branches]
        )
        assert [response.commit.id for response in info.responses] == [info.transaction.id] * 2
        assert {other.pfs.inspect_commit(commit=head(branch)).commit.id for branch in branches} == {info.transaction.id}

    def test_a_batch_that_fails_leaves_nothing(self, other: Client, bench: Workbench) -> None:
        repo = named(bench).repo
        twice = [TransactionRequest(create_repo=pfs.CreateRepoRequest(repo=repo))] * 2
        with refused("error running request 2 of 2", grpc.StatusCode.ALREADY_EXISTS):
            other.transaction.batch_transaction(requests=twice)
        assert not other.pfs.repo_exists(repo=repo)

    def test_requests_of_no_and_of_unknown_kind(self, other: Client) -> None:
        with refused("unrecognized transaction request type"):
            other.transaction.batch_transaction(requests=[TransactionRequest()])
        state = TransactionRequest(update_job_state=pps.UpdateJobStateRequest(reason="x"))
        with refused("TransactionRequest.update_job_state is not supported", grpc.StatusCode.UNIMPLEMENTED):
            other.transaction.batch_transaction(requests=[state])


class TestPipelines:
    def test_pipelines_and_their_inputs_are_made_together(self, inside: Client, bench: Workbench) -> None:
        """One job each, both in the transaction's set, as if the whole DAG had been there always."""
        source, first, second = named(bench), bench.name("first"), bench.name("second")
        steps = ((source.repo.name, first), (first, second))
        with inside.transaction.transaction() as transaction:
            inside.pfs.create_repo(repo=source.repo)
            for read, name in steps:
                inside.pps.create_pipeline(
                    pipeline=pps.Pipeline(name=name),
                    transform=pps.Transform(image=IMAGE, cmd=["true"]),
                    input=pps.Input(pfs=pps.PfsInput(repo=read, glob="/")),
                )
            assert not bench.client.pps.pipeline_exists(pps.Pipeline(name=first))
        for _, name in steps:
            job = bench.job(pps.Pipeline(name=name))
            assert (job.job.id, job.state) == (transaction.id, pps.JobState.JOB_SUCCESS)

    def test_a_pipeline_is_updated_from_json(self, inside: Client, bench: Workbench) -> None:
        pipeline = bench.pipeline(bench.repo(a="1"), "true")
        first = bench.job(pipeline).job.id
        spec = bench.client.pps.inspect_pipeline(pipeline=pipeline).user_spec_json
        changed = json.dumps(json.loads(spec) | {"description": "new"})
        with inside.transaction.transaction() as transaction:
            response = inside.pps.create_pipeline_v2(create_pipeline_request_json=changed, update=True, reprocess=True)
            assert json.loads(response.effective_create_pipeline_request_json)["description"] == "new"
            assert next(iter(bench.client.pps.list_job(pipeline=pipeline))).job.id == first
        info = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
        assert (info.version, info.details.description) == (2, "new")
        job = bench.job(pipeline)
        assert (job.job.id, job.data_processed) == (transaction.id, 1)

    def test_a_pipeline_that_could_not_be_is_refused_at_once(self, inside: Client, bench: Workbench) -> None:
        with (
            inside.transaction.transaction(),
            refused("error running request 1 of 1: repo default/nowhere not found", grpc.StatusCode.NOT_FOUND),
        ):
            inside.pps.create_pipeline(
                pipeline=pps.Pipeline(name=bench.name("p")),
                transform=pps.Transform(image=IMAGE, cmd=["true"]),
                input=pps.Input(pfs=pps.PfsInput(repo="nowhere", glob="/")),
            )

    def test_a_job_is_stopped_and_new_data_committed_in_one_step(self, inside: Client, bench: Workbench) -> None:
        repo = bench.repo(slow="1")
        pipeline = bench.pipeline(repo, f"if [ -e /pfs/{repo}/slow ]; then sleep 600; fi")
        (job,) = bench.client.pps.list_job(pipeline=pipeline)
        with inside.transaction.transaction() as transaction:
            inside.pps.stop_job(job=job.job, reason="superseded")
            inside.pfs.finish_commit(commit=inside.pfs.start_commit(branch=pfs.Branch.from_uri(f"{repo}@master")))
        stopped = bench.client.pps.inspect_job(job=job.job)
        assert (stopped.state, stopped.reason) == (pps.JobState.JOB_KILLED, "superseded")
        newest = next(iter(bench.client.pps.list_job(pipeline=pipeline)))
        assert newest.job.id == transaction.id
        bench.client.pps.delete_pipeline(pipeline=pipeline)


def test_an_open_transaction_survives_kill_9(home: Home, pachd: ServiceProcess, bench: Workbench) -> None:
    client = connect(home)
    branch = named(bench)
    transaction = client.transaction.start_transaction()
    client.pfs.create_repo(repo=branch.repo)
    commit = client.pfs.start_commit(branch=branch)
    pachd.kill()
    pachd.start()
    client = connect(home)
    assert not client.pfs.repo_exists(repo=branch.repo)
    client.transaction_id = transaction.id
    client.pfs.finish_commit(commit=commit)
    client.transaction.finish_transaction(transaction=transaction)
    pachd.kill()
    pachd.start()
    client = connect(home)
    assert is_finished(client.pfs.inspect_commit(commit=commit))
    assert client.transaction.list_transaction().transaction_info == []
