"""Buckets and their objects: PFS seen as S3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from minipdk.services.pachyderm.errors import BaseCommitNotFinishedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import DEFAULT_PROJECT, Branch, Commit, CommitInfo, Pfs, Repo
from minipdk.services.pachyderm.pfs.model import Entry, Tree, is_commit_id
from minipdk.services.pachyderm.s3.errors import S3Error, no_such_bucket, no_such_key


@dataclass(frozen=True)
class Bucket:
    """What a bucket's name stands for: a branch, which must exist, or with ``commit_id`` one commit of its repo."""

    name: str
    branch: Branch
    commit_id: str

    @property
    def commit(self) -> Commit:
        return self.branch.repo.commit(self.commit_id or self.branch.name)

    @property
    def full_name(self) -> str:
        """The one of the bucket's names that leaves nothing out."""
        repo = self.branch.repo
        return ".".join([*([self.commit_id] if self.commit_id else []), self.branch.name, repo.name, repo.project])


@dataclass(frozen=True)
class Listing:
    """One page of a bucket: objects, and the prefixes up to the delimiter that stand for the rest."""

    objects: list[Entry]
    prefixes: list[str]
    truncated: bool
    last: str


class Buckets:
    versioned = True
    """Whether a bucket shows the other commits of its repo, as versions."""

    def __init__(self, pfs: Pfs) -> None:
        self._pfs = pfs

    def parse(self, name: str) -> Bucket:
        """What a name stands for. Raises NoSuchBucket."""
        return parse(name)

    def all(self) -> Iterator[tuple[str, int]]:
        """The name and time of creation of a bucket for each branch of each user's repo."""
        for info in self._pfs.list_repos("user"):
            for branch in info.branches:
                yield f"{branch.name}.{info.repo.name}.{info.repo.project}", info.created

    def open(self, name: str, version: str = "") -> Tree:
        """The tree that a bucket's name stands for; ``version`` names another commit of the same repo."""
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
        """Raises NoSuchBucket."""
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

    def object(self, tree: Tree, key: str) -> Entry:
        """Raises NoSuchKey, for a directory too."""
        entry = None
        if key and not key.endswith("/"):
            entry = self._pfs.files.find_file(tree, "/" + key)
        if entry is None:
            raise no_such_key(key)
        return entry

    def read(self, entry: Entry, offset: int, size: int) -> Iterator[bytes]:
        return self._pfs.files.read_entry(entry, offset, size)

    def page(self, tree: Tree, prefix: str, delimiter: str, after: str, limit: int) -> Listing:
        """The keys that begin with ``prefix`` and come after ``after``, in bytewise order, ``limit`` of them at most."""
        found = self._files(tree, prefix, after) if not delimiter else self._level(tree, prefix, after)
        objects: list[Entry] = []
        prefixes: list[str] = []
        last = after
        for entry in found:
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
        """The files and directories whose names the prefix begins, without what is in the directories."""
        directory = "/" + prefix[: prefix.rfind("/") + 1]
        for entry in self._pfs.files.directory(tree, directory, ("/" + prefix)[len(directory) :]):
            key = entry.path[1:]
            if not key.startswith(prefix):
                return
            if key > after or (entry.is_dir and after.startswith(key) and after != key):
                yield entry


def parse(name: str) -> Bucket:
    """[commit.]branch.repo[.project], whether or not they exist. Raises NoSuchBucket."""
    parts = name.split(".")
    commit_id = parts.pop(0) if is_commit_id(parts[0]) else ""
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise no_such_bucket(name, "names are [commit.]branch.repo[.project]")
    if len(parts) == 1:
        parts = ["master", *parts]
    branch, repo_name, project = (*parts, DEFAULT_PROJECT)[:3]
    return Bucket(name, Repo(project, repo_name).branch(branch), commit_id)
