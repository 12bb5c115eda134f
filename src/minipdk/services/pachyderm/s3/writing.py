"""Changing what is in buckets, and buckets themselves: each request is one commit, or goes into the branch's open one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import AlreadyExistsError, BaseCommitNotFinishedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import CommitInfo, paths
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.model import (
    Change,
    Delete,
    Entry,
    Parts,
    Put,
    Tree,
    validate_branch_name,
    validate_name,
    validate_project_name,
)
from minipdk.services.pachyderm.s3.buckets import Bucket, Buckets, parse
from minipdk.services.pachyderm.s3.errors import S3Error, invalid_path, no_such_bucket


@dataclass(frozen=True)
class Condition:
    """What must hold of the object that is to be replaced: not there at all, or there with one of these ETags."""

    absent: bool = False
    etags: tuple[str, ...] = ()

    def check(self, key: str, found: Entry | None) -> None:
        if self.absent and found is not None:
            raise S3Error(412, "PreconditionFailed", f"If-None-Match: the key {key} is there already")
        if self.etags and (found is None or not {"*", found.hash.hex()} & set(self.etags)):
            raise S3Error(412, "PreconditionFailed", f"If-Match: the key {key} has another ETag, or is not there")


@dataclass(frozen=True)
class Written:
    """An object as it was written, and the commit that holds it."""

    entry: Entry
    tree: Tree


class BucketWriter(Buckets):
    """Reads buckets and writes them."""

    def writer(self) -> ContentWriter:
        return self._pfs.files.writer()

    def check_writable(self, name: str, key: str = "") -> Bucket:
        """Tell what cannot be written before its bytes are sent. Raises S3Error."""
        bucket = self.parse(name)
        if key:
            _check_key(key)
        self._target(bucket)
        return bucket

    def put(self, name: str, key: str, parts: Parts, writer: ContentWriter, condition: Condition | None = None) -> Written:
        """Make ``parts`` the object's content, in place of what it had. Small contents pend in ``writer`` until then."""
        path = _check_key(key)
        changes: list[Change] = [Delete(path), Put(path, parts)]

        def prepare(tree: Tree) -> None:
            self._check_place(tree, path)
            if condition is not None:
                condition.check(key, self._pfs.files.find_file(tree, path))
            writer.flush()  # small contents and what names them are one synced write

        with self._pfs.transaction():
            tree = self._change(self.parse(name), changes, prepare)
            entry = self._pfs.files.find_file(tree, path)
        assert entry is not None, f"{path} was put and is not there"
        return Written(entry, tree)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Remove the objects that are there, in one commit; what is not there, a directory for one, is no error."""
        changes = [Delete("/" + key) for key in keys if key and paths.clean("/" + key) == "/" + key]
        bucket = self.check_writable(name)
        if changes:
            self._change(bucket, changes, lambda _: None)

    def _change(self, bucket: Bucket, changes: Sequence[Change], prepare: Callable[[Tree], None]) -> Tree:
        """Apply changes to the bucket's open commit, or to a new one on its branch; what the commit then holds."""
        with self._pfs.transaction():
            head = self._target(bucket)
            commit = self._pfs.start_commit(bucket.branch) if head.finishing else head.commit
            try:
                prepare(self._pfs.files.tree(commit))
                self._pfs.files.modify(commit, changes)
            except BaseCommitNotFinishedError as error:
                raise S3Error(503, "ServiceUnavailable", f"{error}: try again") from None
            if head.finishing:
                self._pfs.finish_commit(commit)
            return self._pfs.files.tree(commit)

    def _target(self, bucket: Bucket) -> CommitInfo:
        """The head of a bucket that may be written to."""
        info = self.commit(bucket.name)
        repo = bucket.branch.repo
        is_output = not info.finishing and info.direct_provenance
        if is_output or self._pfs.inspect_branch(bucket.branch).direct_provenance:
            raise S3Error(
                400, "WriteToOutputBranch", f"You cannot write to an output branch: {bucket.branch} has provenance"
            )
        if self._pfs.is_pipeline_repo(repo):
            raise S3Error(400, "WriteToOutputBranch", f"You cannot write to an output branch: {repo} is a pipeline's")
        if bucket.commit_id and info.finishing:
            raise S3Error(
                400,
                "InvalidRequest",
                f"commit {info.commit} has already finished: write to its branch, which is a bucket too",
            )
        return info

    def _check_place(self, tree: Tree, path: str) -> None:
        """Refuse a file below a file, or in a directory's place: the commit would fail."""
        if any(self._pfs.files.directory(tree, path + "/")):
            raise invalid_path(path[1:], "it is a directory")
        parent = paths.split(path)[0].rstrip("/")
        while parent:
            if self._pfs.files.find_file(tree, parent) is not None:
                raise invalid_path(
                    path[1:],
                    f"Cannot put to a path that includes an existing, non-directory parent file path ({parent[1:]})",
                )
            parent = paths.split(parent)[0].rstrip("/")

    def part_of(self, entry: Entry, first: int, size: int, writer: ContentWriter) -> Parts:
        """The parts that hold ``size`` bytes of a file from ``first`` on; of a whole file, its own."""
        if size == entry.size:
            return writer.keep(entry.parts)
        return writer.put(self.read(entry, first, size))

    # Buckets

    def create(self, name: str) -> None:
        """Make the branch that ``name`` stands for, and its repo if that is missing."""
        bucket = _named(name)
        with self._pfs.transaction():
            try:
                self._pfs.create_repo(bucket.branch.repo)
            except AlreadyExistsError:
                if self._exists(bucket):
                    raise S3Error(
                        409,
                        "BucketAlreadyOwnedByYou",
                        f"the branch {bucket.branch} is there already: it is the bucket {name}",
                    ) from None
            except NotFoundError as error:
                raise no_such_bucket(name, str(error)) from None
            if self._pfs.is_pipeline_repo(bucket.branch.repo):
                raise S3Error(
                    400, "WriteToOutputBranch", f"You cannot write to an output branch: {bucket.branch.repo} is a pipeline's"
                )
            self._pfs.create_branch(bucket.branch)

    def _exists(self, bucket: Bucket) -> bool:
        try:
            self._pfs.inspect_branch(bucket.branch)
        except NotFoundError:
            return False
        return True

    def remove(self, name: str) -> Bucket:
        """Delete the branch if it holds no file, and its repo with its last branch."""
        bucket = self.parse(name)
        with self._pfs.transaction():
            tree = self.open(name)
            if bucket.commit_id:
                raise S3Error(400, "InvalidRequest", f"{name} is a commit: delete the bucket of its branch")
            if any(not entry.is_dir for entry in self._pfs.files.walk_directory(tree, "/")):
                raise S3Error(409, "BucketNotEmpty", f"The bucket {name} you tried to delete is not empty")
            self._pfs.delete_branch(bucket.branch)
            if not self._pfs.inspect_repo(bucket.branch.repo).branches:
                self._pfs.delete_repo(bucket.branch.repo)
        return bucket


def _named(name: str) -> Bucket:
    """The bucket of a name that a new one may have."""
    try:
        bucket = parse(name)
        validate_branch_name(bucket.branch.name)
        validate_name(bucket.branch.repo.name)
        validate_project_name(bucket.branch.repo.project)
    except (PachydermError, S3Error) as error:
        raise S3Error(400, "InvalidBucketName", f"{name} is no name for a bucket: {error}") from None
    if bucket.commit_id:
        raise S3Error(400, "InvalidBucketName", f"{name} is no name for a new bucket: it names a commit")
    return bucket


def _check_key(key: str) -> str:
    """The path of an object that is to be written. Raises InvalidFilePath."""
    try:
        path = paths.clean_for_write("/" + key)
    except PachydermError as error:
        raise invalid_path(key, str(error)) from None
    if path != "/" + key:
        raise invalid_path(key, f"PFS would call it {path[1:]}: slashes stand between names only")
    return path
