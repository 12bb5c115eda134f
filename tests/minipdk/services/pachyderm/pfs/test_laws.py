"""Laws of provenance and datum skipping: random operations on a real pachd and on a model of it must have the same result.

``LAWS_OPERATIONS`` is their number (25), ``LAWS_SEED`` chooses them (0); a failure shows both and the operations.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.minipdk.services.pachyderm.pfs.lineage import Commit, CommitSet, Key, Model, Refused
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

OPERATIONS = int(os.environ.get("LAWS_OPERATIONS", "25"))
SEED = int(os.environ.get("LAWS_SEED", "0"))
MOST = 4
"""Repos, and pipelines."""


def repo(name: str, kind: str = "user") -> pfs.Repo:
    return pfs.Repo(name=name, type=kind, project=pfs.Project(name="default"))


def branch(key: Key) -> pfs.Branch:
    return pfs.Branch(repo=repo(key[0], key[1]), name=key[2])


class Both:
    """A pachd and a model that get the same operations; ``done`` is shown when they differ."""

    def __init__(self, bench: Workbench, seed: int) -> None:
        self.client, self.bench, self.model = bench.client, bench, Model()
        self.random = random.Random(seed)
        self.done: list[str] = []

    # Operations: each is done to the model first, which may refuse it

    def step(self) -> None:
        choices: list[tuple[Callable[[], None], int]] = [
            (self.create_repo, 3 if len(self.model.repos) < MOST else 0),
            (self.commit, 6),
            (self.commit_together, 2),
            (self.move_branch, 2),
            (self.follow, 1),
            (self.create_pipeline, 3 if len(self.model.pipelines) < MOST else 0),
            (self.update_pipeline, 3),
            (self.stop_or_start, 2),
            (self.squash_or_drop, 4),
        ]
        if not self.model.repos:
            self.create_repo()
        operation, _ = self.random.choices(choices, [weight for _, weight in choices])[0]
        operation()
        self.settle()
        self.compare_heads()

    def attempt(self, operation: str, model: Callable[[], CommitSet | None], real: Callable[[], object]) -> CommitSet | None:
        """Do both, or see both refuse, for the same reason."""
        self.done.append(operation)
        try:
            made = model()
        except Refused as refusal:
            with pytest.raises(grpc.RpcError, match=str(refusal)):
                real()
            return None
        real()
        return made

    def create_repo(self) -> None:
        name = f"data{len(self.model.repos)}"
        self.attempt(f"create repo {name}", lambda: self.model.create_repo(name), lambda: self.bench_repo(name))

    def bench_repo(self, name: str) -> None:
        self.client.pfs.create_repo(repo=repo(name))

    def changes(self, repos: int) -> dict[Key, dict[str, str | None]]:
        chosen = self.random.sample(self.model.repos, min(repos, len(self.model.repos)))
        paths = self.random.sample(["a", "b", "c"], self.random.randint(0, 2))
        return {
            (name, "user", self.random.choice(["master", "master", "side"])): {
                path: self.random.choice(["1", "2", "3", None]) for path in paths
            }
            for name in chosen
        }

    def commit(self) -> None:
        changes = self.changes(1)
        ((key, files),) = changes.items()
        commit = self.bench.commit
        self.attempt(f"commit {changes}", lambda: self.model.commit(changes), lambda: commit(key[0], files, key[2]))

    def commit_together(self) -> None:
        """Commits of several repos that begin in one transaction are one set, and make one job downstream."""
        changes = self.changes(2)
        self.attempt(f"commit together {changes}", lambda: self.model.commit(changes), lambda: self.put_together(changes))

    def put_together(self, changes: dict[Key, dict[str, str | None]]) -> None:
        with self.client.transaction.transaction():
            commits = [self.client.pfs.start_commit(branch=branch(key)) for key in changes]
        for commit, files in zip(commits, changes.values(), strict=True):
            for path, content in files.items():
                self.client.pfs.delete_file(commit=commit, path=f"/{path}")
                if content is not None:
                    self.client.pfs.put_file_from_bytes(commit=commit, path=f"/{path}", data=content.encode())
            self.client.pfs.finish_commit(commit=commit)

    def move_branch(self) -> None:
        known = [key for key in self.model.branches if key[0] in self.model.repos]
        if not known:
            return
        source = self.random.choice(known)
        target = (source[0], "user", self.random.choice(["master", "side"]))
        head = self.model.branches[source].head
        self.attempt(
            f"move {target} to {source}",
            lambda: self.model.move_branch(target, head),
            lambda: self.client.pfs.create_branch(branch=branch(target), head=self.handle(head)),
        )

    def follow(self) -> None:
        name, commits = self.random.choice(self.model.repos), self.random.randint(1, 3)
        key, source = (name, "user", "late"), (name, "user", "master")
        self.attempt(
            f"let {key} follow {source} after {commits} commits",
            lambda: self.model.follow(key, source, commits),
            lambda: self.client.pfs.create_branch(
                branch=branch(key), trigger=pfs.Trigger(branch=source[2], commits=commits)
            ),
        )

    def create_pipeline(self) -> None:
        name = f"pipe{len(self.model.pipelines)}"
        sources = [(name, "user", "master") for name in (*self.model.repos, *self.model.pipelines)]
        if self.random.random() < 0.4:
            sources += [(name, "user", kind) for name in self.model.repos for kind in ("side", "late")]
        inputs = sorted(self.random.sample(sources, min(len(sources), self.random.choice([1, 1, 2]))))
        if len({key[0] for key in inputs}) < len(inputs):
            return  # refused before anything else, because names of inputs must differ
        tag = f"t{len(self.done)}"
        self.attempt(
            f"create {name} on {inputs}",
            lambda: self.model.create_pipeline(name, inputs, tag),
            lambda: self.put_pipeline(name, inputs, tag),
        )

    def put_pipeline(self, name: str, inputs: list[Key], tag: str, *, update: bool = False, reprocess: bool = False) -> None:
        names = "_".join(f"$(ls /pfs/{key[0]})" for key in inputs)
        contents = "+".join(f"$(cat /pfs/{key[0]}/*)" for key in inputs)
        leaves = [pps.Input(pfs=pps.PfsInput(repo=key[0], branch=key[2], glob="/*")) for key in inputs]
        self.client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=name),
            transform=pps.Transform(image=IMAGE, cmd=["sh"], stdin=[f'printf %s "{tag}:{contents}" > "/pfs/out/{names}"']),
            input=leaves[0] if len(leaves) == 1 else pps.Input(cross=leaves),
            update=update,
            reprocess=reprocess,
        )

    def update_pipeline(self) -> None:
        if not self.model.pipelines:
            return
        name, pipeline = self.random.choice(list(self.model.pipelines.items()))
        tag, reprocess = f"t{len(self.done)}", self.random.random() < 0.4
        self.attempt(
            f"update {name} {reprocess=}",
            lambda: self.model.update_pipeline(name, tag, reprocess=reprocess),
            lambda: self.put_pipeline(name, pipeline.inputs, tag, update=True, reprocess=reprocess),
        )

    def stop_or_start(self) -> None:
        if not self.model.pipelines:
            return
        name = self.random.choice(list(self.model.pipelines))
        handle = pps.Pipeline(name=name)
        if self.model.pipelines[name].stopped:
            start = self.client.pps.start_pipeline
            self.attempt(f"start {name}", lambda: self.model.start_pipeline(name), lambda: start(pipeline=handle))
        else:
            stop = self.client.pps.stop_pipeline
            self.attempt(f"stop {name}", lambda: self.model.stop_pipeline(name), lambda: stop(pipeline=handle))

    def squash_or_drop(self) -> None:
        sets = self.model.sets()
        if not sets:
            return
        chosen = self.random.choice(sets[-5:])
        handle = pfs.CommitSet(id=chosen.id)
        if self.random.random() < 0.5:
            squash = self.client.pfs.squash_commit_set
            self.attempt(f"squash {chosen.id}", lambda: self.model.squash(chosen), lambda: squash(commit_set=handle))
        else:
            drop = self.client.pfs.drop_commit_set
            self.attempt(f"drop {chosen.id}", lambda: self.model.drop(chosen), lambda: drop(commit_set=handle))

    # Comparing

    def handle(self, commit: Commit) -> pfs.Commit:
        return pfs.Commit(repo=repo(*commit.repo), id=commit.commit_set.id)

    def settle(self) -> None:
        """Wait for the jobs, and note the ids of the commit sets that pachd made."""
        for key, known in self.model.branches.items():
            head = pfs.Commit(repo=repo(key[0], key[1]), branch=branch(key))
            info = self.client.pfs.inspect_commit(commit=head, wait=pfs.CommitState.FINISHED)
            known.head.commit_set.id = known.head.commit_set.id or info.commit.id

    def compare_heads(self) -> None:
        for key, known in self.model.branches.items():
            info = self.client.pfs.inspect_commit(commit=pfs.Commit(repo=repo(key[0], key[1]), branch=branch(key)))
            self.compare(info, known.head)
            if key[1] == "user":
                assert self.files(known.head) == known.head.files, key
        for name, pipeline in self.model.pipelines.items():
            if pipeline.jobs and not pipeline.jobs[-1].commit.deleted:
                job = pps.Job(pipeline=pps.Pipeline(name=name), id=pipeline.jobs[-1].commit.commit_set.id)
                real = self.client.pps.inspect_job(job=job, wait=True)
                assert real.state == pps.JobState.JOB_SUCCESS, real.reason
                assert (real.data_processed, real.data_skipped) == (
                    pipeline.jobs[-1].processed,
                    pipeline.jobs[-1].skipped,
                ), name

    def files(self, commit: Commit) -> dict[str, str]:
        files = self.bench.files(f"{commit.key[0]}@{commit.commit_set.id}")
        return {path.removeprefix("/"): content for path, content in files.items()}

    def compare(self, info: pfs.CommitInfo, commit: Commit) -> None:
        assert info.commit == self.handle(commit)
        assert (info.parent_commit.id or None) == (commit.parent.commit_set.id if commit.parent else None)
        assert {(above.repo.name, above.repo.type, above.id) for above in info.direct_provenance} == {
            (*above.repo, above.commit_set.id) for above in commit.provenance
        }
        assert info.origin.kind == (pfs.OriginKind.USER if commit.by_user else pfs.OriginKind.AUTO)
        assert not info.error

    def compare_everything(self) -> None:
        """Every commit exists, and no other; each set's id is an alias in the repos upstream."""
        for name, kind in {commit.repo for commit in self.model.commits}:
            infos = list(self.client.pfs.list_commit(repo=repo(name, kind)))
            expected = self.model.line((name, kind))
            assert [info.commit.id for info in infos] == [commit.commit_set.id for commit in expected]
            for info, commit in zip(infos, expected, strict=True):
                self.compare(info, commit)
        for commit in self.model.living():
            upstream = [above.repo for above in commit.upstream()]
            for above in commit.upstream():
                if upstream.count(above.repo) == 1 and above.repo not in {
                    member.repo for member in self.model.of_set(commit.commit_set)
                }:
                    alias = pfs.Commit(repo=repo(*above.repo), id=commit.commit_set.id)
                    alias_id = self.client.pfs.inspect_commit(commit=alias).commit.id
                    others = {
                        other.commit_set.id for member in self.model.of_set(commit.commit_set) for other in member.upstream()
                    }
                    assert alias_id == above.commit_set.id or alias_id in others


@pytest.mark.timeout(120 + 10 * OPERATIONS)
def test_random_operations_have_the_same_result_as_in_the_model(bench: Workbench) -> None:
    both = Both(bench, SEED)
    try:
        for _ in range(OPERATIONS):
            both.step()
        both.compare_everything()
    except (AssertionError, grpc.RpcError, pytest.fail.Exception) as error:
        error.add_note("\n  ".join([f"LAWS_SEED={SEED} LAWS_OPERATIONS={OPERATIONS}:", *both.done]))
        raise
