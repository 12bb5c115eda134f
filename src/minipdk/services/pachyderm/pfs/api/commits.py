"""Calls about commits and commit sets."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import CommitNotFinishedError, InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pagination import first
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.messages import (
    branch_from,
    commit_from,
    commit_info_message,
    commit_message,
    optional_commit,
    picked_commit,
    repo_from,
)
from minipdk.services.pachyderm.pfs.model import Commit, CommitInfo, CommitState
from minipdk.services.pachyderm.required_fields import require
from minipdk.services.pachyderm.waiting import Signal, Steps, each, waits


class CommitCalls(Calls):
    def start_commit(self, request: wire.pfs.StartCommitRequest, _context: object) -> wire.pfs.Commit:
        if not request.branch.name:
            raise PachydermError("branch must be specified")
        commit = self._pfs.start_commit(branch_from(request.branch), optional_commit(request, "parent"), request.description)
        return commit_message(commit)

    def finish_commit(self, request: wire.pfs.FinishCommitRequest, _context: object) -> wire.Empty:
        self._pfs.finish_commit(
            commit_from(request.commit), description=request.description, error=request.error, force=request.force
        )
        return wire.Empty()

    def clear_commit(self, request: wire.pfs.ClearCommitRequest, _context: object) -> wire.Empty:
        self._pfs.clear_commit(commit_from(request.commit))
        return wire.Empty()

    @waits
    def inspect_commit(self, request: wire.pfs.InspectCommitRequest, _context: object) -> Steps[wire.pfs.CommitInfo]:
        commit = commit_from(request.commit)
        state = _state(request.wait)
        if state is CommitState.STARTED:
            yield commit_info_message(self._pfs.inspect_commit(commit))
        else:
            yield commit_info_message((yield from self._pfs.commits.wait(commit, state)))

    def list_commit(self, request: wire.pfs.ListCommitRequest, _context: object) -> Iterator[wire.pfs.CommitInfo]:
        repo = repo_from(request.repo) if request.repo.name else None
        since, to = optional_commit(request, "from"), optional_commit(request, "to")
        if any(commit and commit.repo != repo for commit in (since, to)):
            raise PachydermError(f"`from` and `to` commits need to be from repo {repo}")
        if since is not None and to is None:
            raise PachydermError("cannot use `from` commit without `to` commit")
        if to is not None and request.reverse:
            raise PachydermError("cannot use 'Reverse' while also using 'From' or 'To'")
        infos = self._pfs.commits.line(to, since) if to else self._pfs.commits.all(repo, reverse=request.reverse)
        listed = (info for info in infos if _is_listed(info, request))
        return (commit_info_message(info, is_listed=True) for info in first(request.number, listed))

    @waits
    def subscribe_commit(self, request: wire.pfs.SubscribeCommitRequest, _context: object) -> Steps[wire.pfs.CommitInfo]:
        repo, since = repo_from(request.repo), optional_commit(request, "from")
        if since is not None and since.repo != repo:
            raise PachydermError(f"the `from` commit needs to be from repo {repo}")
        for step in self._pfs.commits.subscribe(repo, request.branch, _state(request.state), since):
            if isinstance(step, Signal):
                yield step
            elif _has_origin(step, request):
                yield commit_info_message(step)

    def squash_commit(self, request: wire.pfs.SquashCommitRequest, _context: object) -> wire.pfs.SquashCommitResponse:
        self._pfs.commit_sets.squash_commit(commit_from(request.commit), recursive=request.recursive)
        return wire.pfs.SquashCommitResponse()

    def drop_commit(self, request: wire.pfs.DropCommitRequest, _context: object) -> wire.pfs.DropCommitResponse:
        self._pfs.commit_sets.drop_commit(commit_from(request.commit), recursive=request.recursive)
        return wire.pfs.DropCommitResponse()

    def find_commits(self, request: wire.pfs.FindCommitsRequest, _context: object) -> Iterator[wire.pfs.FindCommitsResponse]:
        """The commits from ``start`` back in which the file changed, then the extent of the search."""
        require(request, "start")
        matches = searched = 0
        last: Commit | None = None
        for info in self._pfs.commits.line(commit_from(request.start)):
            if not info.finished:
                raise CommitNotFinishedError(f"commit {info.commit} not finished")
            last = info.commit
            if self._pfs.files.changed_in(info, request.file_path):
                matches += 1
                yield wire.pfs.FindCommitsResponse(found_commit=commit_message(last), commits_searched=searched)
            searched += 1
            if request.limit and matches == request.limit:
                break
        if last is not None:
            yield wire.pfs.FindCommitsResponse(last_searched_commit=commit_message(last), commits_searched=searched)

    def walk_commit_provenance(
        self, request: wire.pfs.WalkCommitProvenanceRequest, _context: object
    ) -> Iterator[wire.pfs.CommitInfo]:
        return self._walk_commits(request, downstream=False)

    def walk_commit_subvenance(
        self, request: wire.pfs.WalkCommitSubvenanceRequest, _context: object
    ) -> Iterator[wire.pfs.CommitInfo]:
        return self._walk_commits(request, downstream=True)

    def _walk_commits(
        self, request: wire.pfs.WalkCommitProvenanceRequest | wire.pfs.WalkCommitSubvenanceRequest, *, downstream: bool
    ) -> Iterator[wire.pfs.CommitInfo]:
        for picker in request.start:
            infos = self._pfs.commits.provenance(
                picked_commit(picker), downstream=downstream, depth=request.max_depth, limit=request.max_commits
            )
            yield from map(commit_info_message, infos)

    # Commit sets

    @waits
    def inspect_commit_set(self, request: wire.pfs.InspectCommitSetRequest, _context: object) -> Steps[wire.pfs.CommitInfo]:
        require(request, "commit_set")
        sets, set_id = self._pfs.commit_sets, request.commit_set.id
        yield from each(commit_info_message, sets.wait(set_id) if request.wait else sets.inspect(set_id))

    def list_commit_set(self, request: wire.pfs.ListCommitSetRequest, _context: object) -> Iterator[wire.pfs.CommitSetInfo]:
        project = request.project.name if request.project.name else None
        for set_id, infos in self._pfs.commit_sets.all(project):
            yield wire.pfs.CommitSetInfo(
                commit_set=wire.pfs.CommitSet(id=set_id), commits=[commit_info_message(info) for info in infos]
            )

    def squash_commit_set(self, request: wire.pfs.SquashCommitSetRequest, _context: object) -> wire.Empty:
        require(request, "commit_set")
        self._pfs.commit_sets.squash(request.commit_set.id)
        return wire.Empty()

    def drop_commit_set(self, request: wire.pfs.DropCommitSetRequest, _context: object) -> wire.Empty:
        require(request, "commit_set")
        self._pfs.commit_sets.drop(request.commit_set.id)
        return wire.Empty()


def _state(number: int) -> CommitState:
    """The state to wait for; STARTED, which needs no waiting, if the request names none."""
    try:
        return CommitState(number or CommitState.STARTED)
    except ValueError:
        raise InvalidRequestError(f"validate request: {number} is not a CommitState") from None


def _has_origin(info: CommitInfo, request: wire.pfs.ListCommitRequest | wire.pfs.SubscribeCommitRequest) -> bool:
    return bool(request.all or not request.origin_kind or request.origin_kind == info.origin)


def _is_listed(info: CommitInfo, request: wire.pfs.ListCommitRequest) -> bool:
    """Whether a commit has the requested origin and, if a time is given, is on the side of it that the list covers."""
    if not _has_origin(info, request):
        return False
    if not request.HasField("started_time"):
        return True
    limit = request.started_time.ToNanoseconds()
    return bool(info.started > limit if request.reverse else info.started < limit)
