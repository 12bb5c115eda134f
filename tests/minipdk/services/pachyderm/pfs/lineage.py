"""A model of commits, their provenance and datums in plain Python: `test_laws` compares pachd with it.

It knows branches with heads and provenance, commit sets, propagation, squash and drop, and pipelines whose datums run once
for each content and salt. It shares no code with pachd.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

Key = tuple[str, str, str]
"""A branch: repo, its type, the branch's name."""


class Refused(Exception):
    """The model refuses an operation, in pachd's words."""


@dataclass(eq=False)
class CommitSet:
    """The commits of one operation; ``id`` is known once pachd has returned it."""

    id: str = ""


@dataclass(eq=False)
class Commit:
    key: Key
    commit_set: CommitSet
    parent: Commit | None
    provenance: list[Commit]
    by_user: bool
    files: dict[str, str]
    deleted: bool = False

    @property
    def repo(self) -> tuple[str, str]:
        return self.key[:2]

    def upstream(self) -> set[Commit]:
        return {commit for direct in self.provenance for commit in (direct, *direct.upstream())}


@dataclass
class Branch:
    head: Commit
    provenance: list[Key] = field(default_factory=list)


@dataclass
class Job:
    """The datums of an output commit: by the files they read, the contents and salt of these, and the written files."""

    commit: Commit
    processed: int
    skipped: int
    datums: dict[tuple[str, ...], tuple[object, dict[str, str]]]


@dataclass
class Pipeline:
    inputs: list[Key]
    tag: str
    salt: int = 0
    stopped: bool = False
    jobs: list[Job] = field(default_factory=list)


class Model:
    def __init__(self) -> None:
        self.repos: list[str] = []
        self.branches: dict[Key, Branch] = {}
        self.commits: list[Commit] = []
        self.pipelines: dict[str, Pipeline] = {}
        self.triggers: dict[Key, tuple[Key, int]] = {}
        self._salts = 0

    # Operations of clients

    def create_repo(self, name: str) -> None:
        self.repos.append(name)

    def commit(self, changes: dict[Key, dict[str, str | None]]) -> CommitSet:
        """A commit on each of these branches, of different repos, in one set, with these changes (None: removal)."""
        made = CommitSet()
        for key, changed in changes.items():
            old = self.branches[key].head if key in self.branches else None
            files = {**(old.files if old else {}), **changed}
            kept = {path: content for path, content in files.items() if content is not None}
            self._move(key, self._add(key, made, old, (), by_user=True, files=kept))
        self._propagate(made, list(changes))
        for key in changes:
            self._fire(self.branches[key].head)
        return made

    def follow(self, key: Key, source: Key, commits: int) -> None:
        """A branch whose head moves to that of another one of its repo after so many commits there."""
        if source not in self.branches:
            raise Refused(f'branch "{source[2]}" not found')
        self.triggers[key] = (source, commits)
        if key not in self.branches:
            self._move(key, self._add(key, CommitSet(), None, (), by_user=False, files={}))

    def move_branch(self, key: Key, head: Commit) -> CommitSet:
        made = CommitSet()
        self._move(key, head)
        self._propagate(made, [key])
        return made

    def create_pipeline(self, name: str, inputs: list[Key], tag: str) -> CommitSet:
        self._refuse_meeting(inputs)
        made = CommitSet()
        self._salts += 1
        self.pipelines[name] = Pipeline(inputs, tag, self._salts)
        self._new_spec(name, made)
        self._connect(name, made)
        self._propagate(made, [])
        return made

    def update_pipeline(self, name: str, tag: str, *, reprocess: bool) -> CommitSet:
        made = CommitSet()
        pipeline = self.pipelines[name]
        pipeline.tag = tag
        if reprocess:
            self._salts += 1
            pipeline.salt = self._salts
        self._propagate(made, [self._new_spec(name, made)])
        return made

    def stop_pipeline(self, name: str) -> None:
        self.pipelines[name].stopped = True
        for kind in ("user", "meta"):
            self.branches[name, kind, "master"].provenance = []

    def start_pipeline(self, name: str) -> CommitSet:
        made = CommitSet()
        if self.pipelines[name].stopped:
            self._refuse_meeting([(name, "user", "master"), *self.pipelines[name].inputs])
            self.pipelines[name].stopped = False
            self._connect(name, made)
            self._propagate(made, [(name, kind, "master") for kind in ("user", "meta")])
        return made

    def squash(self, commit_set: CommitSet) -> None:
        self._refuse_deletion(commit_set)
        members = self.of_set(commit_set)
        if any(not self.children(commit) for commit in members):
            raise Refused("cannot squash a commit that has no children")
        self._delete(members)

    def drop(self, commit_set: CommitSet) -> CommitSet:
        """The set of the empty commits for branches that lost their only one."""
        self._refuse_deletion(commit_set)
        members = self.of_set(commit_set)
        if any(self.children(commit) for commit in members):
            raise Refused("cannot drop a commit that has children")
        return self._delete(members)

    # State

    def of_set(self, commit_set: CommitSet) -> list[Commit]:
        return [commit for commit in self.living() if commit.commit_set is commit_set]

    def living(self) -> Iterator[Commit]:
        return (commit for commit in self.commits if not commit.deleted)

    def line(self, repo: tuple[str, str]) -> list[Commit]:
        """A repo's commits, newest first."""
        return [commit for commit in reversed(self.commits) if commit.repo == repo and not commit.deleted]

    def children(self, parent: Commit) -> list[Commit]:
        return [commit for commit in self.living() if commit.parent is parent]

    def sets(self) -> list[CommitSet]:
        return list(dict.fromkeys(commit.commit_set for commit in self.living()))

    def upstream(self, key: Key) -> set[Key]:
        return {above for direct in self.branches[key].provenance for above in (direct, *self.upstream(direct))}

    # Consequences of operations

    def _fire(self, commit: Commit) -> None:
        for key, (source, commits) in self.triggers.items():
            if source == commit.key and self._has_commits(commits, self.branches[key].head, commit):
                self.move_branch(key, commit)

    def _has_commits(self, number: int, old: Commit, new: Commit) -> bool:
        """Whether so many commits were made since ``old``, not counting the empty one that a branch begins with."""
        commit: Commit | None = new
        for _ in range(number):
            if commit is None or commit is old or (commit.parent is None and not commit.by_user):
                return False
            commit = commit.parent
        return True

    def _add(
        self,
        key: Key,
        made: CommitSet,
        parent: Commit | None,
        upstream: Iterable[Key],
        *,
        by_user: bool,
        files: dict[str, str],
    ) -> Commit:
        commit = Commit(key, made, parent, [self.branches[above].head for above in upstream], by_user, files)
        self.commits.append(commit)
        return commit

    def _move(self, key: Key, head: Commit) -> None:
        self.branches.setdefault(key, Branch(head)).head = head

    def _new_spec(self, name: str, made: CommitSet) -> Key:
        key = (name, "spec", "master")
        old = self.branches[key].head if key in self.branches else None
        self._move(key, self._add(key, made, old, (), by_user=True, files={}))
        return key

    def _connect(self, name: str, made: CommitSet) -> None:
        """The output's branches depend on the inputs and the spec, which makes a new commit; missing inputs begin empty."""
        inputs = self.pipelines[name].inputs
        for key in inputs:
            if key not in self.branches:
                self._move(key, self._add(key, made, None, (), by_user=False, files={}))
        provenance = [*inputs, (name, "spec", "master")]
        for kind in ("user", "meta"):
            key = (name, kind, "master")
            old = self.branches[key].head if key in self.branches else None
            self._move(key, self._add(key, made, old, provenance, by_user=False, files={}))
            self.branches[key].provenance = provenance

    def _propagate(self, made: CommitSet, changed: Sequence[Key]) -> None:
        below = [key for key in self.branches if self.upstream(key) & set(changed)]
        for key in sorted(below, key=lambda key: len(self.upstream(key))):
            branch = self.branches[key]
            if branch.head.commit_set is not made:
                branch.head = self._add(key, made, branch.head, branch.provenance, by_user=False, files={})
        outputs = [commit for commit in self.of_set(made) if commit.key[0] in self.pipelines and commit.key[1] == "user"]
        for commit in sorted(outputs, key=lambda commit: len(commit.upstream())):
            self._run(self.pipelines[commit.key[0]], commit)

    def _run(self, pipeline: Pipeline, commit: Commit) -> None:
        """A datum with the same files and salt as in the last job keeps its output, even if the code has changed."""
        last = next((job for job in reversed(pipeline.jobs) if not job.commit.deleted), None)
        before = last.datums if last else {}
        read = [next(source for source in commit.provenance if source.repo == key[:2]) for key in pipeline.inputs]
        job = Job(commit, 0, 0, {})
        for files in product(*(sorted(source.files.items()) for source in read)):
            name, state = tuple(path for path, _ in files), (files, pipeline.salt)
            if name in before and before[name][0] == state:
                job.skipped += 1
                job.datums[name] = before[name]
            else:
                job.processed += 1
                written = f"{pipeline.tag}:{'+'.join(content for _, content in files)}"
                job.datums[name] = (state, {"_".join(name): written})
            commit.files |= job.datums[name][1]
        pipeline.jobs.append(job)

    def _refuse_meeting(self, inputs: list[Key]) -> None:
        """No two branches of one repo may be connected by provenance, directly or through other branches."""
        seen: set[Key] = set()
        todo = list(inputs)
        while todo:
            key = todo.pop()
            if key not in seen:
                seen.add(key)
                known = self.branches.get(key)
                todo += known.provenance if known else []
                todo += [below for below, branch in self.branches.items() if key in branch.provenance]
        repos = [key[:2] for key in seen]
        if len(set(repos)) < len(repos):
            raise Refused("cannot participate in a DAG")

    def _refuse_deletion(self, commit_set: CommitSet) -> None:
        members = self.of_set(commit_set)
        if any(commit.commit_set is not commit_set and commit.upstream() & set(members) for commit in self.living()):
            raise Refused("because it has subvenant commit sets")
        if any(commit.repo[1] == "spec" and commit.by_user for commit in members):
            raise Refused("because it updated a pipeline")

    def _delete(self, members: list[Commit]) -> CommitSet:
        made = CommitSet()
        for commit in members:
            commit.deleted = True
            for child in self.children(commit):
                child.parent = commit.parent
            headed = [key for key, branch in self.branches.items() if branch.head is commit]
            if headed and commit.parent is None:
                commit.parent = self._add(headed[0], made, None, (), by_user=False, files={})
            for key in headed:
                assert commit.parent is not None
                self.branches[key].head = commit.parent
        return made
