"""From what a client calls a commit to the commit: ids, branches, ancestry expressions and aliases.

``master`` is a branch's head, ``master^2`` (or ``~2``, ``^^``) its second ancestor, ``master.1`` the first commit on the
line that leads to it. A commit set's id names, in a repo that has no commit in that set, the commit that the set's commits
are provenant on: an alias.
"""

from __future__ import annotations

import re
import sqlite3

from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import records
from minipdk.services.pachyderm.pfs.model import Branch, Commit, Repo, is_commit_id

_ANCESTRY = re.compile(r"(?P<base>[^.^~]*)(?:\.(?P<root>\d{1,9}))?(?:[\^~](?P<back>\d{1,9})|(?P<carets>\^+|~+))?")


def pick(connection: sqlite3.Connection, commit: Commit) -> sqlite3.Row:
    """The row of the commit that ``commit.id`` stands for. Raises NotFoundError or, for a bad expression, PachydermError."""
    found = _ANCESTRY.fullmatch(commit.id)
    if found is None:
        raise PachydermError(f'commit {commit}: invalid ancestry format: write "branch^2", "id^", or "branch.1"')
    base, root = found["base"], found["root"]
    back = int(found["back"] or 0) + len(found["carets"] or "")
    if root is not None:
        branch = commit.repo.branch(base)
        if back and back >= int(root):
            raise PachydermError(f"commit {commit}: there should be less ancestors than descendants")
        return from_root(connection, branch, int(root) - 1 - back)
    row = by_id(connection, commit.repo, base) if is_commit_id(base) else head(connection, commit.repo.branch(base))
    return ancestor(connection, row, back)


def by_id(connection: sqlite3.Connection, repo: Repo, commit_id: str) -> sqlite3.Row:
    """The commit with this id, or the one that its commit set depends on in this repo."""
    row = records.find_commit(connection, repo, commit_id)
    if row is not None:
        return row
    records.repo_row(connection, repo)
    for alias in set_provenance(connection, commit_id):
        if records.commit_handle(alias).repo == repo:
            return alias
    raise NotFoundError(f"commit {repo.commit(commit_id)} not found")


def set_provenance(connection: sqlite3.Connection, commit_set: str) -> list[sqlite3.Row]:
    """The commits of other sets that the commits of this one are provenant on, newest first."""
    rows = connection.execute(
        "WITH RECURSIVE up(id) AS (SELECT p.upstream FROM commit_provenance p JOIN commits c ON c.id = p.downstream"
        " WHERE c.commit_set = ?1 UNION SELECT p.upstream FROM up JOIN commit_provenance p ON p.downstream = up.id)"
        " SELECT c.id FROM up JOIN commits c ON c.id = up.id WHERE c.commit_set != ?1 ORDER BY c.id DESC",
        (commit_set,),
    ).fetchall()
    return [records.commit_by_id(connection, row["id"]) for row in rows]


def head(connection: sqlite3.Connection, branch: Branch) -> sqlite3.Row:
    return records.commit_by_id(connection, records.branch_row(connection, branch)["head"])


def ancestor(connection: sqlite3.Connection, row: sqlite3.Row, back: int) -> sqlite3.Row:
    """The commit ``back`` steps before ``row``."""
    start = row
    for step in range(back):
        if row["parent"] is None:
            raise PachydermError(
                f"picking commit: invalid offset for ancestor of commit: {records.commit_handle(start)}, "
                f"offset requested: {back}, offset traversable: {step}"
            )
        row = records.commit_by_id(connection, row["parent"])
    return row


def from_root(connection: sqlite3.Connection, branch: Branch, offset: int) -> sqlite3.Row:
    """The commit ``offset`` steps after the first one on the line to the branch's head."""
    line = [head(connection, branch)]
    while line[-1]["parent"] is not None:
        line.append(records.commit_by_id(connection, line[-1]["parent"]))
    if not 0 <= offset < len(line):
        raise PachydermError(
            f"picking commit: invalid offset from branch root for head commit: {records.commit_handle(line[0])}, "
            f"offset: {offset}, maximum depth: {len(line) - 1}"
        )
    return line[-1 - offset]
