"""The nouns of the S3 gateway. Times are integer nanoseconds since 1970, sizes are in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from minipdk.services.pachyderm.pfs.model import Branch, Commit, Entry, Tree


@dataclass(frozen=True)
class Bucket:
    """A bucket stands for a branch, which must exist, or, with ``commit_id``, for one commit of its repo."""

    name: str
    branch: Branch
    commit_id: str

    @property
    def commit(self) -> Commit:
        return self.branch.repo.commit(self.commit_id or self.branch.name)

    @property
    def full_name(self) -> str:
        """The bucket's name with nothing left out."""
        repo = self.branch.repo
        return ".".join([*([self.commit_id] if self.commit_id else []), self.branch.name, repo.name, repo.project])


@dataclass(frozen=True)
class Listing:
    """One page of a bucket: objects, and the prefixes up to the delimiter that stand for groups of objects."""

    objects: list[Entry]
    prefixes: list[str]
    truncated: bool
    last: str


@dataclass(frozen=True)
class Written:
    """An object as it was written, and the commit that it is in."""

    entry: Entry
    tree: Tree


@dataclass(frozen=True)
class Upload:
    """A multipart upload. ``bucket`` is a full name, ``algorithm`` the announced checksum in lower case, or ""."""

    id: str
    bucket: str
    key: str
    algorithm: str
    created: int


@dataclass(frozen=True)
class StoredPart:
    """``checksums``: the ones that the client sent and that were right, by algorithm, in base64."""

    number: int
    size: int
    etag: str
    checksums: Mapping[str, str]
    created: int
    fileset: str


@dataclass(frozen=True)
class ChosenPart:
    """A part as a client names it when it completes an upload."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StatedObject:
    """The client's statement about the object that the parts make: its checksums by algorithm, in base64, and its size."""

    checksums: Mapping[str, str]
    size: int | None
