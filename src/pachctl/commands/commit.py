"""``start|finish|inspect|list|wait|subscribe|find|squash|delete commit``."""

from __future__ import annotations

import json
from itertools import islice
from typing import Annotated, Any

import betterproto
import typer
from pachyderm_sdk.api import pfs

from pachctl import client, output, specs, verbs
from pachctl.errors import PachctlError
from pachctl.options import BranchName, CommitName, FileName, Force, Form, Full, FullLong, Project, Raw

Message = Annotated[
    str, typer.Option("--message", "--description", "-m", help="A description of the commit.", show_default=False)
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Also every commit that was made from it.")]
Every = Annotated[bool, typer.Option("--all", help="Also commits that the system made.")]
Origin = Annotated[str, typer.Option("--origin", help="Only commits of this origin: USER, AUTO or FSCK.")]
IdOrCommit = Annotated[str, typer.Argument(metavar="ID|REPO@BRANCH-OR-COMMIT", show_default=False)]

COLUMNS = "PROJECT\tREPO\tCOMMIT\tFINISHED\tSIZE\tORIGIN\tCREATOR\tDESCRIPTION"
SET_COLUMNS = "ID\tSUBCOMMITS\tPROGRESS\tCREATED\tMODIFIED"


@verbs.start.command("commit")
def start_commit(
    branch: BranchName,
    parent: Annotated[str, typer.Option("--parent", "-p", help="The parent: a commit id, branch or ancestry.")] = "",
    message: Message = "",
    project: Project = None,
) -> None:
    """Start a commit on a branch and print its id."""
    where = client.branch(branch, project)
    above = client.commit(f"{branch.partition('@')[0]}@{parent}", project) if parent else None
    with client.in_transaction() as cluster:
        started = cluster.pfs.start_commit(branch=where, parent=above, description=message)
    output.line(started.id)


@verbs.finish.command("commit")
def finish_commit(commit: CommitName, message: Message = "", force: Force = False, project: Project = None) -> None:
    """Finish a commit."""
    where = client.version_of(commit, project)
    with client.in_transaction() as cluster:
        cluster.pfs.finish_commit(commit=where, description=message, force=force)


def provenance(cluster: Any, info: pfs.CommitInfo) -> list[str]:
    """Every commit that this one derives from, nearest first, as ``repo@id``."""
    names: dict[str, None] = {}
    waiting = list(info.direct_provenance)
    while waiting:
        commit = waiting.pop(0)
        name = f"{repo_name(commit.repo)}@{commit.id}"
        if name not in names:
            names[name] = None
            waiting.extend(cluster.pfs.inspect_commit(commit=commit).direct_provenance)
    return list(names)


def repo_name(repo: pfs.Repo) -> str:
    return str(repo.name if repo.type == "user" else f"{repo.name}.{repo.type}")


def detail(cluster: Any, info: pfs.CommitInfo, full: bool) -> None:
    """One commit, a line for each of its fields, and its provenance."""
    known = betterproto.serialized_on_wire(info.details)
    derived = "  ".join(provenance(cluster, info))
    output.fields(
        [
            ("Commit", f"{info.commit.repo.name}@{info.commit.id}"),
            ("Description", info.description),
            ("Parent", info.parent_commit.id or None),
            ("Started", output.when(info.started, full)),
            ("Finished", output.when(info.finished, full) if output.moment(info.finished) else None),
            ("Error", info.error or None),
            ("Size", output.size(info.details.size_bytes) if known else None),
            ("Provenance", derived or None),
        ]
    )


@verbs.inspect.command("commit")
def inspect_commit(
    commit: CommitName, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None
) -> None:
    """Show a commit."""
    output.check_form(raw, form)
    if client.is_id(commit):
        raise PachctlError('Use "list commit <id>" to see commits with a given ID across different repos')
    cluster = client.connect()
    info = cluster.pfs.inspect_commit(commit=client.version_of(commit, project))
    return output.raw([info], form) if raw else detail(cluster, info, full)


@verbs.wait.command("commit")
def wait_commit(commit: IdOrCommit, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None) -> None:
    """Wait until a commit, or every commit of a set, is finished, and show it."""
    output.check_form(raw, form)
    cluster = client.connect()
    if client.is_id(commit):
        commits = cluster.pfs.inspect_commit_set(commit_set=pfs.CommitSet(id=commit), wait=True)
        return output.show(commits, raw, form, COLUMNS, lambda info: row(info, full))
    info = cluster.pfs.wait_commit(client.version_of(commit, project))
    return output.raw([info], form) if raw else detail(cluster, info, full)


def row(info: pfs.CommitInfo, full: bool) -> list[str]:
    known = betterproto.serialized_on_wire(info.details)
    return [
        info.commit.repo.project.name,
        repo_name(info.commit.repo),
        info.commit.id,
        output.when(info.finished, full),
        output.size(info.details.size_bytes) if known else f"≤ {output.size(info.size_bytes_upper_bound)}",
        pfs.OriginKind(info.origin.kind).name,
        info.created_by,
        info.description,
    ]


def set_row(info: pfs.CommitSetInfo, full: bool) -> list[object]:
    done = sum(1 for commit in info.commits if output.moment(commit.finished) and not commit.error)
    failed = sum(1 for commit in info.commits if commit.error)
    starts = [commit.started for commit in info.commits]
    bar = output.progress_bar(done, len(info.commits) - done - failed, failed)
    times = [output.when(end(starts, default=None), full) for end in (min, max)]
    return [info.commit_set.id, len(info.commits), bar, *times]


def origin_kind(name: str) -> pfs.OriginKind | None:
    if not name:
        return None
    if name.upper() not in ("USER", "AUTO", "FSCK"):
        raise PachctlError(f"unknown commit origin type '{name}', must be one of: AUTO, FSCK, USER")
    return pfs.OriginKind[name.upper()]


@verbs.list_.command("commit")
def list_commit(
    commit: Annotated[str | None, typer.Argument(metavar="[ID|REPO[@BRANCH-OR-COMMIT]]", show_default=False)] = None,
    *,
    from_: Annotated[str, typer.Option("--from", "-f", help="Only commits after this one.")] = "",
    number: Annotated[int, typer.Option("--number", "-n", help="At most this many; 0 or less: all.")] = 0,
    every: Every = False,
    expand: Annotated[bool, typer.Option("--expand", "-x", help="One line for each commit of each set.")] = False,
    origin: Origin = "",
    raw: Raw = False,
    form: Form = "",
    full: FullLong = False,
    project: Project = None,
) -> None:
    """List commit sets; with an ID the commits of that set; with a repo or branch its commits."""
    output.check_form(raw, form)
    if every and origin:
        raise PachctlError("cannot specify both --all and --origin")
    if (not commit or client.is_id(commit)) and (origin or from_ or every):
        raise PachctlError("--all, --from and --origin need a repo: pachctl list commit REPO[@BRANCH]")
    cluster, most = client.connect().pfs, max(number, 0) or None
    if commit and not client.is_id(commit):
        return _list_commits_of(cluster, commit, (from_, number, every, origin), (raw, form, full), project)
    if commit:
        commits = cluster.inspect_commit_set(commit_set=pfs.CommitSet(id=commit))
    else:
        sets = cluster.list_commit_set(project=pfs.Project(name=client.project(project)))
        if not expand:
            return output.show(islice(sets, most), raw, form, SET_COLUMNS, lambda info: set_row(info, full))
        commits = (info for commit_set in sets for info in commit_set.commits)
    return output.show(islice(commits, most), raw, form, COLUMNS, lambda info: row(info, full))


def _list_commits_of(
    cluster: Any, name: str, which: tuple[str, int, bool, str], how: tuple[bool, str, bool], project: str | None
) -> None:
    from_, number, every, origin = which
    raw, form, full = how
    to = client.commit(name, project)
    commits = cluster.list_commit(
        repo=to.repo,
        to=to if "@" in name else None,
        from_=client.commit(f"{name.partition('@')[0]}@{from_}", project) if from_ else None,
        number=max(number, 0),
        all=every,
        origin_kind=origin_kind(origin),
    )
    output.show(commits, raw, form, COLUMNS, lambda info: row(info, full))


@verbs.subscribe.command("commit")
def subscribe_commit(
    branch: Annotated[str, typer.Argument(metavar="REPO[@BRANCH]", show_default=False)],
    *,
    from_: Annotated[str, typer.Option("--from", help="Only commits after this one.")] = "",
    new: Annotated[bool, typer.Option("--new", help="Only commits from now on.")] = False,
    every: Every = False,
    origin: Origin = "",
    raw: Raw = False,
    form: Form = "",
    full: FullLong = False,
    project: Project = None,
) -> None:
    """Print commits as they are started, until interrupted."""
    output.check_form(raw, form)
    if new and from_:
        raise PachctlError("--new and --from cannot be used together")
    if every and origin:
        raise PachctlError("cannot specify both --all and --origin")
    where, cluster = client.commit(branch, project), client.connect()
    after = where.branch.name if new else from_
    stream = cluster.pfs.subscribe_commit(
        repo=where.repo,
        branch=where.branch.name,
        from_=client.commit(f"{branch.partition('@')[0]}@{after}", project) if after else None,
        state=pfs.CommitState.STARTED,
        all=every,
        origin_kind=origin_kind(origin),
    )
    if raw:
        output.raw(stream, form)
    else:
        output.stream(COLUMNS, (row(info, full) for info in stream))


@verbs.squash.command("commit")
def squash_commit(commit: IdOrCommit, recursive: Recursive = False, project: Project = None) -> None:
    """Merge a commit, or all commits of a set, into their children."""
    if client.is_id(commit):
        with client.in_transaction() as cluster:
            cluster.pfs.squash_commit_set(commit_set=pfs.CommitSet(id=commit))
    else:
        client.connect().pfs.squash_commit(commit=client.version_of(commit, project), recursive=recursive)


@verbs.delete.command("commit")
def delete_commit(commit: IdOrCommit, recursive: Recursive = False, project: Project = None) -> None:
    """Delete a commit, or all commits of a set, and their data."""
    if client.is_id(commit):
        with client.in_transaction() as cluster:
            cluster.pfs.drop_commit_set(commit_set=pfs.CommitSet(id=commit))
    else:
        client.connect().pfs.drop_commit(commit=client.version_of(commit, project), recursive=recursive)


@verbs.find.command("commit")
def find_commit(
    file: FileName,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most this many commits; 0: all.")] = 0,
    timeout: Annotated[str, typer.Option(help="Search no longer than this, such as 10s.", show_default=False)] = "",
    project: Project = None,
) -> None:
    """List the commits that added, changed or deleted a file, newest first."""
    where = client.file(file, project)
    commits: list[pfs.Commit] = []
    last, searched = pfs.Commit(), 0
    if not as_json:
        output.line("FOUND IN COMMITS")
    if timeout:
        client.limit_calls(specs.seconds(timeout, "timeout"))
    for answer in client.connect().pfs.find_commits(start=where.commit, file_path=where.path, limit=limit):
        if betterproto.serialized_on_wire(answer.found_commit):
            commits.append(answer.found_commit)
            if not as_json:
                output.line(answer.found_commit.id)
        else:
            last, searched = answer.last_searched_commit, answer.commits_searched
    if as_json:
        documents = [output.document(commit) for commit in commits]
        document = {"FoundCommits": documents, "LastSearchedCommit": output.document(last), "CommitsSearched": searched}
        return output.line(json.dumps(document))
    if not commits:
        output.line("no commits found.")
    return output.line(f"\nLAST SEARCHED COMMIT\n{last.id}")
