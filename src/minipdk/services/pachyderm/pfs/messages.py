"""From the protocol's messages to PFS's nouns, and back.

The SDK sends a Repo without a name to mean none. In most messages that counts as unset. In a Commit it does not, as in
pachd: ``Commit(branch=branch)`` names a commit of a repo that does not exist, even though its branch has one.
Responses leave ``commit.branch`` out, like pachd's, except in a commit's provenance, subvenance and children.
"""

from __future__ import annotations

import dataclasses

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.model import (
    DEFAULT_PROJECT,
    USER,
    Branch,
    BranchInfo,
    Commit,
    CommitInfo,
    FileInfo,
    LinkedCommit,
    PathRange,
    ProjectInfo,
    Repo,
    RepoInfo,
    Trigger,
    is_commit_id,
)

DEFAULT_DATUM = "default"
"""The datum of every file that no job has written."""


def repo_from(message: wire.pfs.Repo) -> Repo:
    """Raises PachydermError when the message names no repo."""
    if not message.name:
        raise PachydermError("repo cannot be nil")
    return _repo(message)


def _repo(message: wire.pfs.Repo) -> Repo:
    return Repo(message.project.name or DEFAULT_PROJECT, message.name, message.type or USER)


def branch_from(message: wire.pfs.Branch) -> Branch:
    if not message.repo.name:
        raise PachydermError("branch repo cannot be nil" if message.name else "branch cannot be nil")
    return Branch(repo_from(message.repo), message.name)


def trigger_from(message: wire.pfs.Trigger) -> Trigger:
    rate, cron = message.rate_limit_spec, message.cron_spec
    return Trigger(message.branch, message.all, rate, message.size, message.commits, cron)


def commit_from(message: wire.pfs.Commit) -> Commit:
    """The commit that a message names: by its id, as its branch's head, or by an ancestry expression over either.

    Its repo is the branch's only if the message has no Repo at all (pachd's `checkCommit`), which the SDK never sends.
    """
    if not message.HasField("repo") and not message.branch.HasField("repo"):
        raise PachydermError("commit must have a repo")
    repo = message.repo if message.HasField("repo") else message.branch.repo
    commit_id = message.id
    if not commit_id or commit_id[0] in ".^~":
        commit_id = message.branch.name + commit_id
    if not commit_id:
        raise PachydermError("cannot pick commit with no ID or branch")
    return Commit(_repo(repo), commit_id)


def optional_commit(message: wire.Message, field: str) -> Commit | None:
    """The commit in ``field``; None if that is unset."""
    return commit_from(getattr(message, field)) if message.HasField(field) else None


def file_from(message: wire.pfs.File) -> tuple[Commit, str]:
    if message.datum and message.datum != DEFAULT_DATUM:
        raise UnsupportedError("File.datum")
    return commit_from(message.commit), message.path


def range_from(message: wire.pfs.PathRange | wire.storage.PathRange) -> PathRange:
    return PathRange(message.lower, message.upper)


def fileset_from(text: str) -> str:
    """A file set's id without the suffix that some clients keep behind a dot."""
    return text.partition(".")[0]


def picked_commit(picker: wire.pfs.CommitPicker) -> Commit:
    """A CommitPicker as the equivalent commit expression."""
    kind = picker.WhichOneof("picker")
    if kind == "id":
        return Commit(picked_repo(picker.id.repo), picker.id.id)
    if kind == "branch_head":
        branch = picked_branch(picker.branch_head)
        return Commit(branch.repo, branch.name)
    if kind == "branch_root":
        branch = picked_branch(picker.branch_root.branch)
        return Commit(branch.repo, f"{branch.name}.{picker.branch_root.offset + 1}")
    if kind == "ancestor":
        start = picked_commit(picker.ancestor.start)
        head, caret, back = start.id.partition("^")
        total = picker.ancestor.offset + (int(back) if caret else 0)
        return Commit(start.repo, f"{head}^{total}")
    raise PachydermError("commit picker cannot be nil")


def picked_branch(picker: wire.pfs.BranchPicker) -> Branch:
    if not picker.HasField("name"):
        raise PachydermError("branch picker cannot be nil")
    if is_commit_id(picker.name.name):
        raise PachydermError("invalid branch picker: name refers to a commit, not a branch")
    return Branch(picked_repo(picker.name.repo), picker.name.name)


def picked_repo(picker: wire.pfs.RepoPicker) -> Repo:
    if not picker.name.name:
        raise PachydermError("repo picker cannot be nil")
    return Repo(picker.name.project.name or DEFAULT_PROJECT, picker.name.name, picker.name.type or USER)


def timestamp(nanoseconds: int) -> wire.Timestamp:
    message = wire.Timestamp()
    message.FromNanoseconds(nanoseconds)
    return message


def repo_message(repo: Repo) -> wire.pfs.Repo:
    return wire.pfs.Repo(name=repo.name, type=repo.type, project=wire.pfs.Project(name=repo.project))


def branch_message(branch: Branch) -> wire.pfs.Branch:
    return wire.pfs.Branch(repo=repo_message(branch.repo), name=branch.name)


def commit_message(commit: Commit) -> wire.pfs.Commit:
    return wire.pfs.Commit(repo=repo_message(commit.repo), id=commit.id)


def project_info_message(info: ProjectInfo, auth_info: wire.pfs.AuthInfo | None) -> wire.pfs.ProjectInfo:
    return wire.pfs.ProjectInfo(
        project=wire.pfs.Project(name=info.name),
        description=info.description,
        created_at=timestamp(info.created),
        created_by=info.created_by,
        metadata=info.metadata,
        auth_info=auth_info,
    )


def repo_info_message(info: RepoInfo, auth_info: wire.pfs.AuthInfo | None, *, details: bool = False) -> wire.pfs.RepoInfo:
    message = wire.pfs.RepoInfo(
        repo=repo_message(info.repo),
        created=timestamp(info.created),
        size_bytes_upper_bound=info.size,
        description=info.description,
        branches=[branch_message(branch) for branch in info.branches],
        metadata=info.metadata,
        auth_info=auth_info,
    )
    if details:
        message.details.size_bytes = info.size
    return message


def branch_info_message(info: BranchInfo) -> wire.pfs.BranchInfo:
    message = wire.pfs.BranchInfo(
        branch=branch_message(info.branch),
        head=commit_message(info.head),
        provenance=[branch_message(branch) for branch in info.provenance],
        subvenance=[branch_message(branch) for branch in info.subvenance],
        direct_provenance=[branch_message(branch) for branch in info.direct_provenance],
        created_at=timestamp(info.created),
        created_by=info.created_by,
        updated_at=timestamp(info.updated),
        metadata=info.metadata,
    )
    if info.trigger is not None:
        message.trigger.CopyFrom(wire.pfs.Trigger(**dataclasses.asdict(info.trigger)))
    for source in info.never:
        message.branch_propagation_specs.add(branch=branch_message(source)).propagation_spec.never = True
    return message


def linked_commit_message(link: LinkedCommit) -> wire.pfs.Commit:
    message = commit_message(link.commit)
    message.branch.CopyFrom(branch_message(link.branch))
    return message


def commit_info_message(info: CommitInfo, *, is_listed: bool = False) -> wire.pfs.CommitInfo:
    """Only in a list of commits has it an upper bound of the size, as pachd computes it for nothing else."""
    message = wire.pfs.CommitInfo(
        commit=commit_message(info.commit),
        origin=wire.pfs.CommitOrigin(kind=int(info.origin)),
        description=info.description,
        child_commits=[linked_commit_message(link) for link in info.children],
        started=timestamp(info.started),
        direct_provenance=[linked_commit_message(link) for link in info.direct_provenance],
        direct_subvenance=[linked_commit_message(link) for link in info.direct_subvenance],
        error=info.error,
        size_bytes_upper_bound=info.size if is_listed else 0,
        metadata=info.metadata,
        created_at=timestamp(info.created),
        created_by=info.created_by,
        updated_at=timestamp(info.updated),
    )
    if info.parent:
        message.parent_commit.CopyFrom(commit_message(info.parent))
    if info.finishing:
        message.finishing.CopyFrom(timestamp(info.finishing))
    if info.finished:
        message.finished.CopyFrom(timestamp(info.finished))
        message.details.size_bytes = info.size
    return message


def file_info_message(info: FileInfo, datum: str = "") -> wire.pfs.FileInfo:
    """``datum`` is the datum that wrote the file, if it is known."""
    kinds = wire.pfs.FileType
    message = wire.pfs.FileInfo(
        file=wire.pfs.File(commit=commit_message(info.commit), path=info.path, datum="" if info.is_dir else datum),
        file_type=kinds.DIR if info.is_dir else kinds.FILE,
        size_bytes=info.size,
        hash=info.hash,
    )
    if info.committed:
        message.committed.CopyFrom(timestamp(info.committed))
    return message
