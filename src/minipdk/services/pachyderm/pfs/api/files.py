"""Calls about files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.api.modify_file import LargeAddition, Modification, read_changes
from minipdk.services.pachyderm.pfs.content import CHUNK
from minipdk.services.pachyderm.pfs.messages import (
    DEFAULT_DATUM,
    branch_from,
    commit_from,
    file_from,
    file_info_message,
    range_from,
)
from minipdk.services.pachyderm.pfs.model import Branch, Change, Commit, Entry, FileInfo, PathRange, Repo, is_commit_id


class FileCalls(Calls):
    # Writing

    def modify_file(self, requests: Iterator[Modification], _context: object) -> wire.Empty:
        """Apply a stream of changes, which become visible together at its end."""
        first = next(requests, None)
        if first is None or isinstance(first, LargeAddition) or first.WhichOneof("body") != "set_commit":
            raise PachydermError("first message must be a commit")
        commit, branch = _written_commit(first.set_commit)
        self._open_commit(commit, branch)  # a commit that cannot be written to is refused before the data is sent
        writer = self._pfs.files.writer()
        changes = list(read_changes(requests, writer))
        with self._pfs.transaction():
            writer.flush()  # small contents and the files that refer to them are one synced write
            self._apply(commit, branch, changes)
        return wire.Empty()

    def _apply(self, commit: Commit, branch: Branch | None, changes: Iterable[Change]) -> None:
        opened = self._open_commit(commit, branch)
        if opened is not None:
            self._pfs.files.modify(opened, changes)
        elif branch is not None:
            self._pfs.files.modify_branch(branch, changes)

    def _open_commit(self, commit: Commit, branch: Branch | None) -> Commit | None:
        """The open commit to write to; None when ``branch`` must get a new commit for these changes."""
        try:
            info = self._pfs.inspect_commit(commit)
        except NotFoundError:
            if branch is None:
                raise
            self._pfs.inspect_repo(branch.repo)
            return None
        if not info.finishing:
            return info.commit
        if branch is None or is_commit_id(commit.id):
            raise PachydermError(f"commit {info.commit} has already finished")
        self._pfs.commits.refuse_output(branch)
        return None

    # Reading

    def get_file(self, request: wire.pfs.GetFileRequest, _context: object) -> Iterator[bytes]:
        commit, path, within = _readable(request)
        tree = self._pfs.files.tree(commit)
        entry = self._pfs.files.single(tree, path, within)
        return map(wire.bytes_value, self._pfs.files.read_entry(tree.commit, entry, request.offset))

    def get_file_tar(self, request: wire.pfs.GetFileRequest, _context: object) -> Iterator[bytes]:
        commit, path, within = _readable(request)
        tree = self._pfs.files.tree(commit)
        matches = self._pfs.files.matches_within(tree, path, within)
        top = next(matches, None)
        if top is None:
            raise NotFoundError(f"file {path} not found in repo {tree.commit.repo} at commit {tree.commit.id}")
        below = (entry for match in _outermost(top, matches) for entry in self._pfs.files.below(tree, match))
        entries = (entry for entry in below if self._pfs.files.is_within(tree, entry, within))
        return _bytes_messages(self._tar(tree.commit, entries))

    def _tar(self, commit: Commit, entries: Iterable[Entry]) -> Iterator[bytes]:
        for entry in entries:
            header = tarfile.TarInfo(entry.path)
            header.type = tarfile.DIRTYPE if entry.is_dir else tarfile.REGTYPE
            header.mode = 0o755 if entry.is_dir else 0o644
            header.size = 0 if entry.is_dir else entry.size
            yield header.tobuf(tarfile.PAX_FORMAT)
            if not entry.is_dir:
                yield from self._pfs.files.read_entry(commit, entry)
                yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)
        yield b"\0" * (2 * tarfile.BLOCKSIZE)

    # Listing

    def inspect_file(self, request: wire.pfs.InspectFileRequest, _context: object) -> wire.pfs.FileInfo:
        return next(self._messages([self._pfs.files.inspect(*file_from(request.file))]))

    def list_file(self, request: wire.pfs.ListFileRequest, _context: object) -> Iterator[wire.pfs.FileInfo]:
        commit, path = file_from(request.file)
        marker = request.pagination_marker.path
        infos = self._pfs.files.children(commit, path, marker=marker, number=request.number, reverse=request.reverse)
        return self._messages(infos)

    def walk_file(self, request: wire.pfs.WalkFileRequest, _context: object) -> Iterator[wire.pfs.FileInfo]:
        commit, path = file_from(request.file)
        marker = request.pagination_marker.path
        infos = self._pfs.files.walk(commit, path, marker=marker, number=request.number, reverse=request.reverse)
        return self._messages(infos)

    def glob_file(self, request: wire.pfs.GlobFileRequest, _context: object) -> Iterator[wire.pfs.FileInfo]:
        within = range_from(request.path_range)
        return self._messages(self._pfs.files.glob(commit_from(request.commit), request.pattern, within))

    def diff_file(self, request: wire.pfs.DiffFileRequest, _context: object) -> Iterator[wire.pfs.DiffFileResponse]:
        if request.shallow:
            raise UnsupportedError("DiffFileRequest.shallow")
        if not request.HasField("new_file"):
            raise PachydermError("file cannot be nil")
        new, new_path = file_from(request.new_file)
        if request.HasField("old_file"):
            old, old_path = file_from(request.old_file)
            before: Commit | None = old
        else:
            before, old_path = self._pfs.inspect_commit(new).parent, new_path
        for new_info, old_info in self._pfs.files.diff(new, new_path, before, old_path):
            yield wire.pfs.DiffFileResponse(
                new_file=next(self._messages([new_info])) if new_info else None,
                old_file=next(self._messages([old_info])) if old_info else None,
            )

    def _messages(self, infos: Iterable[FileInfo]) -> Iterator[wire.pfs.FileInfo]:
        """The datum of a job's output is not known, so it is left out."""
        datums: dict[Repo, str] = {}
        for info in infos:
            repo = info.commit.repo
            if repo not in datums:
                datums[repo] = "" if self._pfs.state.hooks.is_transform_repo(repo) else DEFAULT_DATUM
            yield file_info_message(info, datums[repo])


def _written_commit(message: wire.pfs.Commit) -> tuple[Commit, Branch | None]:
    """The commit a stream writes to, and the branch that gets a new commit if there is no open one.

    This is the only call for which a commit's branch with a repo is enough: the branch then gets a new commit.
    """
    commit = commit_from(message)
    if message.branch.name:
        branch = branch_from(message.branch) if message.branch.repo.name else commit.repo.branch(message.branch.name)
        return commit, branch
    is_branch = not is_commit_id(commit.id) and not set(commit.id) & set(".^~")
    return commit, commit.repo.branch(commit.id) if is_branch else None


def _readable(request: wire.pfs.GetFileRequest) -> tuple[Commit, str, PathRange]:
    if request.url:
        raise UnsupportedError("GetFileRequest.URL")
    if request.offset < 0:
        raise PachydermError("offset must not be negative")
    return *file_from(request.file), range_from(request.path_range)


def _outermost(first: Entry, others: Iterable[Entry]) -> Iterator[Entry]:
    """The matches without the ones inside a directory that matched too."""
    yield first
    last = first
    for entry in others:
        if not (last.is_dir and entry.path.startswith(last.path)):
            last = entry
            yield entry


def _bytes_messages(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in BytesValue messages of about 2 MiB."""
    pending: list[bytes] = []
    size = 0
    for piece in pieces:
        pending.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield wire.bytes_value(*pending)
            pending, size = [], 0
    if pending:
        yield wire.bytes_value(*pending)
