"""``create|update|inspect|list|delete repo``."""

from __future__ import annotations

from typing import Annotated

import betterproto
import typer
from pachyderm_sdk.api import pfs

from pachctl import client, describe, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import AllProjects, Description, Force, Form, Full, Project, Raw, RepoName


@verbs.create.command("repo")
def create_repo(repo: RepoName, description: Description = "", project: Project = None) -> None:
    """Create a repo."""
    with client.in_transaction() as cluster:
        cluster.pfs.create_repo(repo=client.repo(repo, project), description=description)


@verbs.update.command("repo")
def update_repo(repo: RepoName, description: Description = "", project: Project = None) -> None:
    """Change a repo's description."""
    with client.in_transaction() as cluster:
        cluster.pfs.create_repo(repo=client.repo(repo, project), description=description, update=True)


@verbs.inspect.command("repo")
def inspect_repo(repo: RepoName, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None) -> None:
    """Show a repo."""
    output.check_form(raw, form)
    info = client.connect().pfs.inspect_repo(repo=client.repo(repo, project))
    if raw:
        return output.raw([info], form)
    known = betterproto.serialized_on_wire(info.details)
    return output.fields(
        [
            ("Name", info.repo.name),
            ("Description", info.description or None),
            ("Created", output.when(info.created, full)),
            ("Size of HEAD on master", output.size(info.details.size_bytes) if known else None),
            *describe.access(info.auth_info),
        ]
    )


@verbs.list_.command("repo")
def list_repo(
    *,
    raw: Raw = False,
    form: Form = "",
    full: Full = False,
    every_type: Annotated[bool, typer.Option("--all", help="Include the repos that pipelines keep for themselves.")] = False,
    kind: Annotated[str, typer.Option("--type", help="Repos of this type.")] = "user",
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """List repos."""
    output.check_form(raw, form)
    projects = [] if all_projects else [pfs.Project(name=client.project(project))]
    repos = list(client.connect().pfs.list_repo(type="" if every_type else kind, projects=projects))

    def row(info: pfs.RepoInfo) -> list[str]:
        name = info.repo.name if info.repo.type == "user" else f"{info.repo.name}.{info.repo.type}"
        held = (
            output.size(info.details.size_bytes)
            if betterproto.serialized_on_wire(info.details)
            else f"≤ {output.size(info.size_bytes_upper_bound)}"
        )
        return [info.repo.project.name, name, output.when(info.created, full), held, info.description]

    output.with_access(repos, "PROJECT\tNAME\tCREATED\tSIZE (MASTER)\tDESCRIPTION", 4, row, (raw, form))


@verbs.delete.command("repo")
def delete_repo(
    repo: Annotated[str | None, typer.Argument(metavar="[REPO]", show_default=False)] = None,
    force: Force = False,
    every: Annotated[bool, typer.Option("--all", help="Every repo of the project.")] = False,
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """Delete a repo, or all of them."""
    if repo and (every or all_projects):
        raise PachctlError(f"cannot use the {'--all' if every else '--all-projects'} flag with an argument")
    if not repo and not every:
        raise PachctlError("either a repo name or the --all flag needs to be provided")
    if not repo:
        projects = [] if all_projects else [pfs.Project(name=client.project(project))]
        client.connect().pfs.delete_repos(projects=projects, force=force, all=all_projects)
        return
    with client.in_transaction() as cluster:
        if not cluster.pfs.delete_repo(repo=client.repo(repo, project), force=force).deleted:
            raise PachctlError(f"No repo deleted: there is no repo {repo} in project {client.project(project)}")
        output.note("Repo deleted.")
