"""``create|inspect|list|delete branch``."""

from __future__ import annotations

from typing import Annotated

import betterproto
import typer
from pachyderm_sdk.api import pfs

from pachctl import client, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import BranchName, Force, Form, Project, Raw, RepoName


@verbs.create.command("branch")
def create_branch(
    branch: BranchName,
    *,
    provenance: Annotated[list[str] | None, typer.Option("--provenance", "-p", help="REPO@BRANCH it derives from.")] = None,
    head: Annotated[str, typer.Option(help="Its head: a branch or commit, or REPO@BRANCH-OR-COMMIT.")] = "",
    trigger: Annotated[str, typer.Option("--trigger", "-t", help="The branch whose commits move this one.")] = "",
    trigger_cron: Annotated[str, typer.Option(help="Move on this schedule.")] = "",
    trigger_size: Annotated[str, typer.Option(help="Move after this much new data.")] = "",
    trigger_commits: Annotated[int, typer.Option(help="Move after this many commits.")] = 0,
    trigger_all: Annotated[bool, typer.Option("--trigger-all", help="Only when all conditions hold.")] = False,
    project: Project = None,
) -> None:
    """Create a branch, or change its head and provenance."""
    if provenance and trigger:
        raise PachctlError("cannot use provenance and triggers on the same branch")
    if (trigger_cron or trigger_size or trigger_commits) and not trigger:
        raise PachctlError("a trigger condition needs the branch that triggers: name it with --trigger")
    where = client.branch(branch, project)
    condition = pfs.Trigger(
        branch=trigger, cron_spec=trigger_cron, size=trigger_size, commits=trigger_commits, all=trigger_all
    )
    head_commit = client.commit(head if "@" in head else f"{branch.partition('@')[0]}@{head}", project) if head else None
    with client.in_transaction() as cluster:
        cluster.pfs.create_branch(
            branch=where,
            head=head_commit,
            provenance=[client.branch(name, project) for name in provenance or []],
            trigger=condition if trigger else None,
        )


def describe(trigger: pfs.Trigger) -> str:
    """A trigger in words, as the list shows it."""
    if trigger.cron_spec:
        return f"{trigger.branch} on Cron({trigger.cron_spec})"
    conditions = {"Rate Limit": trigger.rate_limit_spec, "Size": trigger.size, "Commits": trigger.commits}
    words = [f"{name}({value})" for name, value in conditions.items() if value]
    return f"{trigger.branch} on {(' and ' if trigger.all else ' or ').join(words)}"


@verbs.inspect.command("branch")
def inspect_branch(branch: BranchName, raw: Raw = False, form: Form = "", project: Project = None) -> None:
    """Show a branch."""
    output.check_form(raw, form)
    info = client.connect().pfs.inspect_branch(branch=client.branch(branch, project))
    if raw:
        return output.raw([info], form)
    derived = " ".join(f"{source.repo.name}@{source.name}" for source in info.provenance)
    triggered = betterproto.serialized_on_wire(info.trigger)
    return output.fields(
        [
            ("Name", f"{info.branch.repo.name}@{info.branch.name}"),
            ("Head Commit", f"{info.branch.repo.name}@{info.head.id}" if info.head.id else None),
            ("Provenance", derived or None),
            ("Trigger", describe(info.trigger) if triggered else None),
            ("Created by", info.created_by or None),
            ("Created at", output.when(info.created_at, full=True) if output.moment(info.created_at) else None),
        ]
    )


@verbs.list_.command("branch")
def list_branch(repo: RepoName, raw: Raw = False, form: Form = "", project: Project = None) -> None:
    """List a repo's branches."""
    output.check_form(raw, form)

    def row(info: pfs.BranchInfo) -> list[str]:
        trigger = describe(info.trigger) if betterproto.serialized_on_wire(info.trigger) else "-"
        made = output.when(info.created_at, full=True)
        return [info.branch.name, info.head.id or "-", trigger, info.created_by or "-", made]

    branches = client.connect().pfs.list_branch(repo=client.repo(repo, project))
    output.show(branches, raw, form, "BRANCH\tHEAD\tTRIGGER\tCREATOR\tCREATED", row)


@verbs.delete.command("branch")
def delete_branch(branch: BranchName, force: Force = False, project: Project = None) -> None:
    """Delete a branch; its commits stay."""
    with client.in_transaction() as cluster:
        cluster.pfs.delete_branch(branch=client.branch(branch, project), force=force)
