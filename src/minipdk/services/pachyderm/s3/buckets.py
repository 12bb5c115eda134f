"""PFS as S3 sees it: buckets and their objects, read and written.

Each request that writes makes one commit, or joins the branch's open commit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from minipdk.services.pachyderm.errors import AlreadyExistsError, BaseCommitNotFinishedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import DEFAULT_PROJECT, Commit, CommitInfo, Pfs, Repo, paths
from minipdk.services.pachyderm.pfs.content import ContentWriter
from minipdk.services.pachyderm.pfs.model import (
    Change,
    Delete,
    Entry,
    Parts,
    Put,
    Tree,
    is_commit_id,
    validate_branch_name,
    validate_name,
    validate_project_name,
)
from minipdk.services.pachyderm.s3.conditions import WriteCondition
from minipdk.services.pachyderm.s3.errors import (
    S3Error,
    invalid_path,
    no_such_bucket,
    no_such_key,
    output_branch,
)
from minipdk.services.pachyderm.s3.model import Bucket, Listing, Written


def _nothing(_tree: Tree, _is_open: bool) -> None:
    """The preparation of changes that need none."""


class Buckets:
    """All buckets of the cluster."""

    versioned = True
    """Whether a bucket shows the other commits of its repo, as versions."""

    def __init__(self, pfs: Pfs) -> None:
        self._pfs = pfs

    # Reading buckets

    def parse(self, name: str) -> Bucket:
        """The bucket with a name, whether it exists or not. Raises InternalError for a name that no bucket can have."""
        return parse(name)

    def all(self) -> Iterator[tuple[str, int]]:
        """The name and time of creation of a bucket for each branch of each user's repo."""
        for info in self._pfs.list_repos("user"):
            for branch in info.branches:
                yield f"{branch.name}.{info.repo.name}.{info.repo.project}", info.created

    def open(self, name: str, version: str = "") -> Tree:
        """The bucket's tree; ``version`` names another commit of the same repo."""
        info = self.commit(name)
        if version:
            info = self._version(info, version)
        if not info.finished and info.direct_provenance:
            raise S3Error(
                503, "ServiceUnavailable", f"commit {info.commit} not finished: its job is still running, try again"
            )
        try:
            return self._pfs.files.tree(info.commit)
        except BaseCommitNotFinishedError as error:
            raise S3Error(503, "ServiceUnavailable", f"{error}: try again") from None

    def commit(self, name: str) -> CommitInfo:
        """The commit that the bucket shows. Raises NoSuchBucket."""
        bucket = self.parse(name)
        try:
            self._pfs.inspect_branch(bucket.branch)
            return self._pfs.inspect_commit(bucket.commit)
        except NotFoundError as error:
            raise no_such_bucket(name, str(error)) from None

    def _version(self, info: CommitInfo, version: str) -> CommitInfo:
        try:
            return self._pfs.inspect_commit(Commit(info.commit.repo, version))
        except PachydermError:
            raise S3Error(404, "NoSuchVersion", f"{info.commit.repo} has no commit {version}") from None

    # Reading objects

    def object(self, tree: Tree, key: str) -> Entry:
        """Raises NoSuchKey, for a directory too."""
        entry = self._pfs.files.find_file(tree, "/" + without_slash(key))
        if entry is None:
            raise no_such_key(key)
        return entry

    def read(self, tree: Tree, entry: Entry, offset: int, size: int) -> Iterator[bytes]:
        """The object's bytes; the first ones have been read when this returns. Raises DataLossError, also later."""
        pieces = self._pfs.files.read_entry(tree.commit, entry, offset, size)
        return itertools.chain([next(pieces, b"")], pieces)

    def page(self, tree: Tree, prefix: str, delimiter: str, after: str, limit: int) -> Listing:
        """At most ``limit`` keys that begin with ``prefix`` and come after ``after``, in bytewise order."""
        entries = self._files(tree, prefix, after) if not delimiter else self._level(tree, prefix, after)
        objects: list[Entry] = []
        prefixes: list[str] = []
        last = after
        for entry in entries:
            key = entry.path[1:]
            if len(objects) + len(prefixes) == limit:
                return Listing(objects, prefixes, limit > 0, last)
            last = key
            if entry.is_dir:
                prefixes.append(key)
            else:
                objects.append(entry)
        return Listing(objects, prefixes, False, last)

    def _files(self, tree: Tree, prefix: str, after: str) -> Iterator[Entry]:
        """All files below the prefix."""
        if prefix > after and prefix and (exact := self._pfs.files.find_file(tree, "/" + prefix)):
            yield exact
        directory = "/" + prefix[: prefix.rfind("/") + 1]
        for entry in self._pfs.files.walk_directory(tree, directory, "/" + max(prefix, after)):
            if not entry.path.startswith("/" + prefix):
                return
            if not entry.is_dir:
                yield entry

    def _level(self, tree: Tree, prefix: str, after: str) -> Iterator[Entry]:
        """The files and directories whose names begin with the prefix, without the contents of the directories."""
        directory = "/" + prefix[: prefix.rfind("/") + 1]
        for entry in self._pfs.files.directory(tree, directory, ("/" + prefix)[len(directory) :]):
            key = entry.path[1:]
            if not key.startswith(prefix):
                return
            if key > after or (entry.is_dir and after.startswith(key) and after != key):
                yield entry

    # Writing objects

    def writer(self) -> ContentWriter:
        return self._pfs.files.writer()

    def check_writable(self, name: str, key: str = "") -> Bucket:
        """Refuse a write before its bytes are sent. Raises S3Error."""
        bucket = self.parse(name)
        if key:
            _check_key(key)
        self._target(bucket)
        return bucket

    def put(
        self, name: str, key: str, parts: Parts, writer: ContentWriter, condition: WriteCondition | None = None
    ) -> Written:
        """Replace the object's content by ``parts``. Small contents may be pending in ``writer`` until then."""
        path = _check_key(key)
        changes: list[Change] = [Delete(path), Put(path, parts)]

        def prepare(tree: Tree, is_open: bool) -> None:
            if not is_open:
                self._check_place(tree, path)
            if condition is not None:
                condition.check(key, self._pfs.files.find_file(tree, path))
            writer.flush()  # small contents and the object that refers to them are one synced write

        with self._pfs.transaction():
            tree = self._change(self.parse(name), changes, prepare)
            entry = self._pfs.files.find_file(tree, path)
        assert entry is not None, f"{path} was put and is not there"
        return Written(entry, tree)

    def delete(self, name: str, keys: Sequence[str]) -> Mapping[str, S3Error]:
        """Remove objects in one commit: the keys that cannot be, and why. A missing key is no error, nor is a directory."""
        changes: list[Change] = []
        failures: dict[str, S3Error] = {}
        for key in keys:
            try:
                changes.append(Delete(_check_key(key)))
            except S3Error as error:
                failures[key] = error
        bucket = self.check_writable(name)
        if changes:
            self._change(bucket, changes)
        return failures

    def _change(self, bucket: Bucket, changes: Sequence[Change], prepare: Callable[[Tree, bool], None] = _nothing) -> Tree:
        """Apply changes to the bucket's open commit, or to a new one on its branch: the commit's tree.

        ``prepare`` takes the tree before the changes, and whether the commit was open already.
        """
        with self._pfs.transaction():
            head = self._target(bucket)
            commit = self._pfs.start_commit(bucket.branch) if head.finishing else head.commit
            try:
                prepare(self._pfs.files.tree(commit), not head.finishing)
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
            raise output_branch(f"{bucket.branch} has provenance")
        if self._pfs.is_pipeline_repo(repo):
            raise output_branch(f"{repo} is a pipeline's")
        if bucket.commit_id and info.finishing:
            raise S3Error(
                400,
                "InvalidRequest",
                f"commit {info.commit} has already finished: write to its branch, which is a bucket too",
            )
        return info

    def _check_place(self, tree: Tree, path: str) -> None:
        """Refuse a file below a file, or in a directory's place: this write's own commit would fail.

        In an open commit it is allowed, because the obstacle may be deleted before the commit is finished.
        """
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

    def parts_of(self, tree: Tree, entry: Entry, first: int, size: int, writer: ContentWriter) -> Parts:
        """The parts of ``size`` bytes of a file from ``first`` on. For a whole file, its own parts: no byte is copied."""
        if size == entry.size:
            return writer.keep(entry.parts)
        return writer.put(self.read(tree, entry, first, size))

    # Creating and removing buckets

    def create(self, name: str) -> None:
        """Create the branch that ``name`` stands for, and its repo if that is missing."""
        bucket = _new_bucket(name)
        repo = bucket.branch.repo
        with self._pfs.transaction():
            try:
                self._pfs.create_repo(repo)
            except AlreadyExistsError:
                if self._exists(bucket):
                    raise S3Error(
                        409,
                        "BucketAlreadyOwnedByYou",
                        f"the branch {bucket.branch} is there already: it is the bucket {name}",
                    ) from None
            except NotFoundError as error:
                raise no_such_bucket(name, str(error)) from None
            if self._pfs.is_pipeline_repo(repo):
                raise output_branch(f"{repo} is a pipeline's")
            self._pfs.create_branch(bucket.branch)

    def _exists(self, bucket: Bucket) -> bool:
        try:
            self._pfs.inspect_branch(bucket.branch)
        except NotFoundError:
            return False
        return True

    def remove(self, name: str) -> Bucket:
        """Delete the branch if it has no files, and its repo with its last branch."""
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


def parse(name: str) -> Bucket:
    """[commit.]branch.repo[.project], whether or not they exist. Raises InternalError, as the vendor does."""
    parts = name.split(".")
    commit_id = parts.pop(0) if is_commit_id(parts[0]) else ""
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise S3Error(500, "InternalError", f'names are [commit.]branch.repo[.project]: invalid bucket name: "{name}"')
    if len(parts) == 1:
        parts = ["master", *parts]
    branch, repo_name, project = (*parts, DEFAULT_PROJECT)[:3]
    return Bucket(name, Repo(project, repo_name).branch(branch), commit_id)


def _new_bucket(name: str) -> Bucket:
    """The bucket of a name that a new one may have. Raises InvalidBucketName."""
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


def without_slash(key: str) -> str:
    """The key that a key with a slash at its end stands for: clients that make folders put such objects."""
    return key.removesuffix("/")


def _check_key(key: str) -> str:
    """The path of an object to be written. Raises InvalidFilePath."""
    name = "/" + without_slash(key)
    try:
        path = paths.clean_for_write(name)
    except PachydermError as error:
        raise invalid_path(key, str(error)) from None
    if path != name:
        raise invalid_path(key, f"PFS would call it {path[1:]}: slashes stand between names only")
    return path
