"""PFS's nouns: handles (Repo, Branch, Commit), their descriptions (infos), and the files of a commit.

All are immutable. Times are integer nanoseconds since 1970, sizes are in bytes. ``str()`` of a handle is the form that pachd
prints in its messages.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from minipdk.services.pachyderm.errors import PachydermError

DEFAULT_PROJECT = "default"
USER, SPEC, META = "user", "spec", "meta"

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_COMMIT_ID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{19}")
_PROJECT_NAME_LIMIT = 51  # Kubernetes' 63 characters, less pachd's own prefix and version suffix
_PART = struct.Struct(">32sQ")
_EMPTY_HASH = hashlib.sha256().digest()


class CommitState(IntEnum):
    """How far a commit has come; each state includes the earlier ones."""

    STARTED = 1
    READY = 2
    FINISHING = 3
    FINISHED = 4


class Origin(IntEnum):
    """Who made a commit."""

    USER = 1
    AUTO = 2
    FSCK = 3


@dataclass(frozen=True, order=True)
class Repo:
    """A user's repo, or one that belongs to a pipeline: its specs, the metadata of its datums."""

    project: str
    name: str
    type: str = USER

    def __str__(self) -> str:
        return f"{self.project}/{self.name}" + ("" if self.type == USER else f".{self.type}")

    def branch(self, name: str) -> Branch:
        return Branch(self, name)

    def commit(self, commit_id: str) -> Commit:
        return Commit(self, commit_id)


FILESETS = Repo(DEFAULT_PROJECT, "__filesets__")
"""Clients read file sets as commits of this repo, which does not exist otherwise."""


@dataclass(frozen=True, order=True)
class Branch:
    repo: Repo
    name: str

    def __str__(self) -> str:
        return f"{self.repo}@{self.name}"


@dataclass(frozen=True, order=True)
class Commit:
    """A commit; as an argument, ``id`` may also be a branch's name, an ancestry expression or any commit set's id."""

    repo: Repo
    id: str

    def __str__(self) -> str:
        return f"{self.repo}@{self.id}"


@dataclass(frozen=True)
class ProjectInfo:
    """``created_by``: the user who made it, here and below; empty if no login was asked for."""

    name: str
    description: str
    created: int
    created_by: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RepoInfo:
    """``size``: bytes of the newest commit on master that finished without an error."""

    repo: Repo
    description: str
    created: int
    created_by: str
    branches: tuple[Branch, ...]
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trigger:
    """When a branch's head moves to the head of ``branch`` of the same repo.

    With a ``cron_spec``, whenever that ticks. Otherwise when a commit on ``branch`` finishes and any of the other conditions
    is met (every one, if ``all``). They compare the commit with the head so far: the time of ``rate_limit_spec`` has passed,
    ``size`` (such as "100MB") was added, ``commits`` were made.
    """

    branch: str
    all: bool = False
    rate_limit_spec: str = ""
    size: str = ""
    commits: int = 0
    cron_spec: str = ""


@dataclass(frozen=True)
class BranchInfo:
    """``never``: the direct provenance whose new heads make no new head here."""

    branch: Branch
    head: Commit
    direct_provenance: tuple[Branch, ...]
    provenance: tuple[Branch, ...]
    subvenance: tuple[Branch, ...]
    created: int
    created_by: str
    updated: int
    trigger: Trigger | None = None
    never: tuple[Branch, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LinkedCommit:
    """A commit in another one's description, and the branch that it was made on."""

    commit: Commit
    branch: Branch


@dataclass(frozen=True)
class CommitInfo:
    """``finishing`` is 0 while the commit is open, ``finished`` until its parent is finished too.

    ``error`` is why a commit failed.
    """

    commit: Commit
    branch: Branch
    origin: Origin
    description: str
    started: int
    finishing: int
    finished: int
    error: str
    size: int
    parent: Commit | None
    children: tuple[LinkedCommit, ...]
    direct_provenance: tuple[LinkedCommit, ...]
    direct_subvenance: tuple[LinkedCommit, ...]
    created: int
    created_by: str
    updated: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """A commit, and the file sets whose union its tree is."""

    commit: Commit
    filesets: Collection[str]


# Files


@dataclass(frozen=True)
class FileInfo:
    """A file or directory of one commit. ``path`` is absolute, a directory's ends in "/"; ``hash`` is of the content."""

    commit: Commit
    path: str
    size: int
    hash: bytes
    committed: int

    @property
    def is_dir(self) -> bool:
        return self.path.endswith("/")


@dataclass(frozen=True, slots=True)
class Part:
    """Stored bytes: their SHA-256 and their number."""

    digest: bytes
    size: int


Parts = tuple[Part, ...]
"""A file's content: the chunks of the first put, then the chunks of each later append."""


def pack(parts: Parts) -> bytes:
    return b"".join(_PART.pack(part.digest, part.size) for part in parts)


def unpack(packed: bytes) -> Parts:
    return tuple(Part(digest, size) for digest, size in _PART.iter_unpack(packed))


def file_hash(parts: Parts) -> bytes:
    """A file's hash: the SHA-256 of its content; for several parts, the SHA-256 of their digests and sizes."""
    if len(parts) == 1:
        return parts[0].digest
    return hashlib.sha256(pack(parts)).digest() if parts else _EMPTY_HASH


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory in a tree. ``packed``: the parts, if they are several. ``children``: a directory's entry count."""

    parent: str
    name: str
    size: int
    hash: bytes
    packed: bytes | None = None
    children: int = 0

    @property
    def path(self) -> str:
        return self.parent + self.name

    @property
    def is_dir(self) -> bool:
        return self.name.endswith("/")

    @property
    def parts(self) -> Parts:
        """The stored parts of the file's content."""
        if self.packed is not None:
            return unpack(self.packed)
        return (Part(self.hash, self.size),) if self.size else ()


Stack = tuple[int, ...]
"""A tree as the ids of its layers, the lowest first."""


@dataclass(frozen=True)
class Tree:
    """One commit's files, to be read. An open commit's tree has the files written so far."""

    commit: Commit
    committed: int
    stack: Stack

    def info(self, entry: Entry) -> FileInfo:
        return FileInfo(self.commit, entry.path, entry.size, entry.hash, self.committed)


@dataclass(frozen=True)
class PathRange:
    """The paths from ``lower`` on (from the first if empty) that come before ``upper`` (no limit if empty)."""

    lower: str = ""
    upper: str = ""

    def __contains__(self, path: str) -> bool:
        return self.lower <= path and (not self.upper or path < self.upper)

    def __and__(self, other: PathRange) -> PathRange:
        """The paths in both."""
        uppers = [path for path in (self.upper, other.upper) if path]
        return PathRange(max(self.lower, other.lower), min(uppers, default=""))


EVERYTHING = PathRange()


@dataclass(frozen=True)
class Put:
    """Append ``parts``, which may be empty, to the file at ``path``."""

    path: str
    parts: Parts


@dataclass(frozen=True)
class Delete:
    """Remove the file at the clean ``path``, or everything below it if it ends in "/". A missing file is no error."""

    path: str


@dataclass(frozen=True)
class Copy:
    """Copy the file or directory ``source`` of ``commit`` to ``path``."""

    path: str
    commit: Commit
    source: str
    append: bool = False


Change = Put | Delete | Copy


# Names


def is_commit_id(text: str) -> bool:
    """Whether ``text`` is a commit's id: 32 hex digits of a random UUID."""
    return _COMMIT_ID.fullmatch(text) is not None


def validate_name(name: str) -> None:
    """Refuse names of repos and branches that would be ambiguous in ancestry expressions."""
    if not _NAME.fullmatch(name):
        raise PachydermError(f"name ({name}) invalid: only alphanumeric characters, underscores, and dashes are allowed")


def validate_branch_name(name: str) -> None:
    validate_name(name)
    if is_commit_id(name):
        raise PachydermError("branch name cannot be a UUID V4")


def validate_project_name(name: str) -> None:
    if len(name) > _PROJECT_NAME_LIMIT:
        over = len(name) - _PROJECT_NAME_LIMIT
        raise PachydermError(
            f'invalid project name: project name "{name}" is {over} characters longer than the {_PROJECT_NAME_LIMIT} max'
        )
    validate_name(name)
    if not name[0].isalnum():
        raise PachydermError("invalid project name: project names must start with an alphanumeric character")
