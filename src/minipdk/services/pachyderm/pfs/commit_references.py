"""Resolve a client's reference to a commit: an id, a branch, an ancestry expression or an alias.

``master`` is a branch's head, ``master^2`` (or ``~2``, ``^^``) its second ancestor, ``master.1`` the first commit on the
line that leads to it. In a repo without a commit of a set, the set's id is an alias: it stands for the commit that the
set's commits are provenant on.
"""

from __future__ import annotations

import re
import sqlite3

from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import store
from minipdk.services.pachyderm.pfs.model import Branch, Commit, Repo, is_commit_id
from minipdk.services.pachyderm.pfs.store.commits import CommitRow

_ANCESTRY = re.compile(r"(?P<base>[^.^~]*)(?:\.(?P<root>\d{1,9}))?(?:[\^~](?P<back>\d{1,9})|(?P<carets>\^+|~+))?")


def resolve(connection: sqlite3.Connection, commit: Commit) -> CommitRow:
    """The commit that ``commit.id`` stands for. Raises NotFoundError or, for a bad expression, PachydermError."""
    try:
        return _resolve(connection, commit)
    except NotFoundError as error:
        if store.repos.find(connection, commit.repo) is None:
            commit_id = commit.id if is_commit_id(commit.id) else ""
            raise NotFoundError(f"commit {commit.repo}@{commit_id} not found\n{error}") from None
        raise


def _resolve(connection: sqlite3.Connection, commit: Commit) -> CommitRow:
    match = _ANCESTRY.fullmatch(commit.id)
    if match is None:
        raise PachydermError(f'commit {commit}: invalid ancestry format: write "branch^2", "id^", or "branch.1"')
    base, root = match["base"], match["root"]
    back = int(match["back"] or 0) + len(match["carets"] or "")
    if root is not None:
        branch = commit.repo.branch(base)
        if back and back >= int(root):
            raise PachydermError(f"commit {commit}: there should be less ancestors than descendants")
        return _from_root(connection, branch, int(root) - 1 - back)
    row = _by_set(connection, commit.repo, base) if is_commit_id(base) else _head(connection, commit.repo.branch(base))
    return _ancestor(connection, row, back)


def _by_set(connection: sqlite3.Connection, repo: Repo, set_id: str) -> CommitRow:
    """The repo's commit of this set, or the one that the set depends on."""
    row = store.commits.find(connection, repo, set_id)
    if row is not None:
        return row
    store.repos.get(connection, repo)
    for alias in store.commits.upstream_of_set(connection, set_id):
        if alias.commit.repo == repo:
            return alias
    raise NotFoundError(f"commit {repo.commit(set_id)} not found")


def _head(connection: sqlite3.Connection, branch: Branch) -> CommitRow:
    return store.commits.by_id(connection, store.branches.get(connection, branch).head)


def _ancestor(connection: sqlite3.Connection, start: CommitRow, back: int) -> CommitRow:
    """The commit ``back`` steps before ``start``."""
    row = start
    for step in range(back):
        if row.parent is None:
            raise PachydermError(
                f"picking commit: invalid offset for ancestor of commit: {start.commit}, "
                f"offset requested: {back}, offset traversable: {step}"
            )
        row = store.commits.by_id(connection, row.parent)
    return row


def _from_root(connection: sqlite3.Connection, branch: Branch, offset: int) -> CommitRow:
    """The commit ``offset`` steps after the first one on the line to the branch's head."""
    line = [_head(connection, branch)]
    while line[-1].parent is not None:
        line.append(store.commits.by_id(connection, line[-1].parent))
    if not 0 <= offset < len(line):
        raise PachydermError(
            f"picking commit: invalid offset from branch root for head commit: {line[0].commit}, "
            f"offset: {offset}, maximum depth: {len(line) - 1}"
        )
    return line[-1 - offset]
