"""``version``, ``inspect|restart cluster``, ``delete all`` and ``fsck``: the cluster as a whole."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Annotated

import typer
from pachyderm_sdk.api import pfs
from pachyderm_sdk.api import version as versions

from pachctl import client, output, verbs
from pachctl.commands.transaction import activate
from pachctl.errors import PachctlError
from pachctl.options import Form, Project, Raw
from pachctl.verbs import app


def _own_version() -> versions.Version:
    """This command's version is that of the protocol it speaks: pachyderm_sdk's."""
    major, minor, micro = (int(part) for part in installed("pachyderm-sdk").split(".")[:3])
    return versions.Version(major=major, minor=minor, micro=micro)


@app.command("version")
def version(
    *,
    client_only: Annotated[bool, typer.Option("--client-only", help="Do not ask the cluster.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="End with status 1 where the two differ.")] = False,
    raw: Raw = False,
    form: Form = "",
) -> None:
    """Show the versions of this command's protocol (that of pachyderm_sdk) and of the cluster."""
    output.check_form(raw, form)
    by_component = {"pachctl": _own_version()}
    if client_only and not raw:
        return output.line(_plain(by_component["pachctl"]))
    if not client_only:
        by_component["pachd"] = client.connect().get_version()
    if raw:
        output.raw(by_component.values(), form)
    else:
        output.table("COMPONENT\tVERSION", [[name, _plain(version)] for name, version in by_component.items()])
    if compare and len({_plain(version) for version in by_component.values()}) > 1:
        raise typer.Exit(1)
    return None


def _plain(version: versions.Version) -> str:
    return f"{version.major}.{version.minor}.{version.micro}{version.additional}"


@verbs.inspect.command("cluster")
def inspect_cluster(raw: Raw = False, form: Form = "") -> None:
    """Show the cluster's id."""
    output.check_form(raw, form)
    info = client.connect().admin.inspect_cluster()
    return output.raw([info], form) if raw else output.line(info.id)


@verbs.restart.command("cluster")
def restart_cluster() -> None:
    """Restart pachd."""
    client.connect().admin.restart_pachyderm()


@verbs.delete.command("all")
def delete_all() -> None:
    """Delete all repos, commits, files, pipelines and jobs, after asking. Tokens and roles stay."""
    cluster = client.connect()
    repos = [output.colour(info.repo.name, output.RED) for info in cluster.pfs.list_repo(type="user")]
    pipelines = [output.colour(client.pipeline_uri(info.pipeline), output.RED) for info in cluster.pps.list_pipeline()]
    output.line("All repos, commits, files, pipelines and jobs will be deleted.")
    if repos:
        output.line(f"Repos to delete: {', '.join(repos)}")
    if pipelines:
        output.line(f"Pipelines to delete: {', '.join(pipelines)}")
    if not output.confirmed():
        return
    cluster.pps.delete_all()
    cluster.pfs.delete_all()
    cluster.transaction.delete_all()
    activate("")


@app.command("fsck")
def fsck(
    *,
    fix: Annotated[bool, typer.Option("--fix", "-f", help="Repair everything that can be repaired.")] = False,
    zombie_all: Annotated[
        bool, typer.Option("--zombie-all", help="Look in all pipelines' output for files of inputs that are gone.")
    ] = False,
    zombie: Annotated[str, typer.Option(help="Look for such files in this REPO@BRANCH-OR-COMMIT.", show_default=False)] = "",
    project: Project = None,
) -> None:
    """Check the file system's integrity."""
    if zombie_all and zombie:
        raise PachctlError("either check all pipelines for zombie files or provide a single commit")
    request = pfs.FsckRequest(fix=fix)
    if zombie:
        request.zombie_target = client.version_of(zombie, project)
    if zombie_all:
        request.zombie_all = True
    found_errors = False
    # The stub's own method sets zombie_all at any rate, which takes zombie_target's place in their oneof.
    for answer in client.connect().pfs._ApiStub__rpc_fsck(request):
        found_errors = found_errors or bool(answer.error)
        output.line(f"Error: {answer.error}" if answer.error else f"Fix applied: {answer.fix}")
    if not found_errors:
        output.line("No errors found.")
