"""The buckets of one job: one to read for each of its S3 inputs, by the input's name, and ``out`` to write its output.

As on a real cluster ``out`` never shows its contents, no bucket can be created or removed, and there are no versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from minipdk.services.pachyderm.errors import NotFoundError
from minipdk.services.pachyderm.pfs import Commit, CommitInfo, Pfs
from minipdk.services.pachyderm.pfs.model import Tree
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.errors import S3Error, no_such_bucket, not_implemented
from minipdk.services.pachyderm.s3.model import Bucket

OUT = "out"


@dataclass(frozen=True)
class JobView:
    """The commits behind a job's buckets: of each S3 input by name, and of its output if that is written through S3."""

    inputs: Mapping[str, Commit]
    output: Commit | None = None

    def commits(self) -> dict[str, Commit]:
        return {**self.inputs, **({OUT: self.output} if self.output else {})}


class JobBuckets(Buckets):
    """The buckets of one job."""

    versioned = False

    def __init__(self, pfs: Pfs, view: JobView) -> None:
        super().__init__(pfs)
        self._commits = view.commits()

    def all(self) -> Iterator[tuple[str, int]]:
        for name, commit in sorted(self._commits.items()):
            yield name, self._pfs.inspect_repo(commit.repo).created

    def parse(self, name: str) -> Bucket:
        info = self.commit(name)
        return Bucket(name, info.branch, info.commit.id)

    def commit(self, name: str) -> CommitInfo:
        if name not in self._commits:
            raise no_such_bucket(name, f"this job's are {', '.join(sorted(self._commits)) or 'none'}")
        try:
            return self._pfs.inspect_commit(self._commits[name])
        except NotFoundError as error:
            raise no_such_bucket(name, str(error)) from None

    def open(self, name: str, version: str = "") -> Tree:
        if version:
            raise not_implemented("?versionId in a job")
        tree = self._pfs.files.tree(self.commit(name).commit)
        return replace(tree, stack=()) if name == OUT else tree

    def create(self, name: str) -> None:
        raise not_implemented(f"making the bucket {name} in a job")

    def remove(self, name: str) -> Bucket:
        raise not_implemented(f"removing the bucket {name} in a job")

    def _target(self, bucket: Bucket) -> CommitInfo:
        if bucket.name != OUT:
            raise not_implemented(f"writing to the input {bucket.name}")
        info = self.commit(bucket.name)
        if info.finishing:
            raise S3Error(400, "InvalidRequest", f"the job's output commit {info.commit} has already finished")
        return info
