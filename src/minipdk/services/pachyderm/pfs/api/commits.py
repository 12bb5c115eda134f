"""The calls about commits and commit sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import grpc

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import CommitNotFinishedError, InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs.api.base import Calls, require
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


class CommitCalls(Calls):
    def start_commit(self, request: Any, _context: object) -> Any:
        if not request.branch.name:
            raise PachydermError("branch must be specified")
        commit = self._pfs.start_commit(branch_from(request.branch), optional_commit(request, "parent"), request.description)
        return commit_message(commit)

    def finish_commit(self, request: Any, _context: object) -> Any:
        self._pfs.finish_commit(
            commit_from(request.commit), description=request.description, error=request.error, force=request.force
        )
        return wire.Empty()

    def clear_commit(self, request: Any, _context: object) -> Any:
        self._pfs.clear_commit(commit_from(request.commit))
        return wire.Empty()

    def inspect_commit(self, request: Any, context: grpc.ServicerContext) -> Any:
        commit = commit_from(request.commit)
        state = _state(request.wait)
        if state is CommitState.STARTED:
            return commit_info_message(self._pfs.inspect_commit(commit))
        return commit_info_message(self._pfs.wait_commit(commit, state, self._stop(context)))

    def list_commit(self, request: Any, _context: object) -> Iterator[Any]:
        if request.number < 0:
            raise PachydermError("number must not be negative")
        repo = repo_from(request.repo) if request.repo.name else None
        since, to = optional_commit(request, "from"), optional_commit(request, "to")
        if any(commit and commit.repo != repo for commit in (since, to)):
            raise PachydermError(f"`from` and `to` commits need to be from repo {repo}")
        if since is not None and to is None:
            raise PachydermError("cannot use `from` commit without `to` commit")
        if to is not None and request.reverse:
            raise PachydermError("cannot use 'Reverse' while also using 'From' or 'To'")
        found = self._pfs.commits.line(to, since) if to else self._pfs.commits.all(repo, reverse=request.reverse)
        chosen = (info for info in found if _is_listed(info, request))
        return map(commit_info_message, islice(chosen, request.number or None))

    def subscribe_commit(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        repo, since = repo_from(request.repo), optional_commit(request, "from")
        if since is not None and since.repo != repo:
            raise PachydermError(f"the `from` commit needs to be from repo {repo}")
        state = _state(request.state)
        for info in self._pfs.commits.subscribe(repo, request.branch, state, self._stop(context), since):
            if _has_origin(info, request):
                yield commit_info_message(info)

    def squash_commit(self, request: Any, _context: object) -> Any:
        self._pfs.commit_sets.squash_commit(commit_from(request.commit), recursive=request.recursive)
        return wire.pfs.SquashCommitResponse()

    def drop_commit(self, request: Any, _context: object) -> Any:
        self._pfs.commit_sets.drop_commit(commit_from(request.commit), recursive=request.recursive)
        return wire.pfs.DropCommitResponse()

    def inspect_commit_set(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        require(request, "commit_set")
        set_id = request.commit_set.id
        if request.wait:
            yield from map(commit_info_message, self._pfs.commit_sets.wait(set_id, self._stop(context)))
        else:
            yield from map(commit_info_message, self._pfs.commit_sets.inspect(set_id))

    def list_commit_set(self, request: Any, _context: object) -> Iterator[Any]:
        project = request.project.name if request.project.name else None
        for set_id, infos in self._pfs.commit_sets.all(project):
            yield wire.pfs.CommitSetInfo(
                commit_set=wire.pfs.CommitSet(id=set_id), commits=[commit_info_message(info) for info in infos]
            )

    def squash_commit_set(self, request: Any, _context: object) -> Any:
        require(request, "commit_set")
        self._pfs.commit_sets.squash(request.commit_set.id)
        return wire.Empty()

    def drop_commit_set(self, request: Any, _context: object) -> Any:
        require(request, "commit_set")
        self._pfs.commit_sets.drop(request.commit_set.id)
        return wire.Empty()

    def find_commits(self, request: Any, _context: object) -> Iterator[Any]:
        """The commits from ``start`` back in which the file changed, then how far the search went."""
        require(request, "start")
        found = searched = 0
        last: Commit | None = None
        for info in self._pfs.commits.line(commit_from(request.start)):
            if not info.finished:
                raise CommitNotFinishedError(f"commit {info.commit} not finished")
            last = info.commit
            if self._pfs.files.changed_in(info, request.file_path):
                found += 1
                yield wire.pfs.FindCommitsResponse(found_commit=commit_message(last), commits_searched=searched)
            searched += 1
            if request.limit and found == request.limit:
                break
        if last is not None:
            yield wire.pfs.FindCommitsResponse(last_searched_commit=commit_message(last), commits_searched=searched)

    def walk_commit_provenance(self, request: Any, _context: object) -> Iterator[Any]:
        return self._walk_commits(request, downstream=False)

    def walk_commit_subvenance(self, request: Any, _context: object) -> Iterator[Any]:
        return self._walk_commits(request, downstream=True)

    def _walk_commits(self, request: Any, *, downstream: bool) -> Iterator[Any]:
        for picker in request.start:
            infos = self._pfs.commits.provenance(
                picked_commit(picker), downstream=downstream, depth=request.max_depth, limit=request.max_commits
            )
            yield from map(commit_info_message, infos)


def _state(number: int) -> CommitState:
    """The state to wait for; at once if none is named."""
    try:
        return CommitState(number or CommitState.STARTED)
    except ValueError:
        raise InvalidRequestError(f"validate request: {number} is not a CommitState") from None


def _has_origin(info: CommitInfo, request: Any) -> bool:
    return bool(request.all or not request.origin_kind or request.origin_kind == info.origin)


def _is_listed(info: CommitInfo, request: Any) -> bool:
    """By origin and, where a time is given, on the side of it that the listing goes towards."""
    if not _has_origin(info, request):
        return False
    if not request.HasField("started_time"):
        return True
    limit = request.started_time.ToNanoseconds()
    return bool(info.started > limit if request.reverse else info.started < limit)
