"""PFS's nouns. Handles (Repo, Branch, Commit) name things; infos say what is known about them. All are immutable.

Times are integer nanoseconds since 1970. ``str()`` of a handle is what pachd prints in its messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from minipdk.services.pachyderm.errors import PachydermError

DEFAULT_PROJECT = "default"
USER, SPEC, META = "user", "spec", "meta"

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_COMMIT_ID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{19}")
_PROJECT_NAME_LIMIT = 51  # Kubernetes' 63 characters, less pachd's own prefix and version suffix


class CommitState(IntEnum):
    """How far a commit has come; each state includes those before it."""

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
    """A repo: the user's, or one that belongs to a pipeline (its specs, its datums' meta data)."""

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
"""Where file sets are found by clients: as commits of this repo, which is none."""


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
    name: str
    description: str
    created: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RepoInfo:
    """``size``: bytes of the newest commit on master that finished well."""

    repo: Repo
    description: str
    created: int
    branches: tuple[Branch, ...]
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trigger:
    """When a branch's head moves to that of ``branch`` of the same repo.

    With a ``cron_spec`` then; else when a commit on ``branch`` finishes and any (``all``: all) of the other conditions hold,
    which compare it with the head so far: a time of ``rate_limit_spec`` has passed, ``size`` (such as "100MB") was added,
    ``commits`` were made.
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
    updated: int
    trigger: Trigger | None = None
    never: tuple[Branch, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CommitInfo:
    """``finishing`` is 0 while the commit is open, ``finished`` until its parent is finished too; ``size`` is in bytes.

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
    children: tuple[Commit, ...]
    direct_provenance: tuple[Commit, ...]
    direct_subvenance: tuple[Commit, ...]
    created: int
    updated: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> CommitState:
        if self.finished:
            return CommitState.FINISHED
        return CommitState.FINISHING if self.finishing else CommitState.STARTED


@dataclass(frozen=True)
class FileInfo:
    """A file or directory of one commit. ``path`` is absolute, a directory's ends in "/"; ``hash`` says what is in it."""

    commit: Commit
    path: str
    size: int
    hash: bytes
    committed: int

    @property
    def is_dir(self) -> bool:
        return self.path.endswith("/")


def is_commit_id(text: str) -> bool:
    """Whether ``text`` is a commit's id: 32 hex digits of a random UUID."""
    return _COMMIT_ID.fullmatch(text) is not None


def validate_name(name: str) -> None:
    """Refuse names of repos and branches that ancestry expressions could not tell apart."""
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
