"""``find commit``: which commits of a branch changed a file."""

from __future__ import annotations

import json
from typing import Annotated

import betterproto
import typer
from pachyderm_sdk.api import pfs

from pachctl import client, output, specs, verbs
from pachctl.options import FileName, Project


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
