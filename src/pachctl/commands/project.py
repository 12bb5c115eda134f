"""``create|update|inspect|list|delete project``."""

from __future__ import annotations

from typing import Annotated

import typer
from pachyderm_sdk.api import pfs

from pachctl import client, describe, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import Description, Form, Raw

Name = Annotated[str, typer.Argument(metavar="PROJECT", show_default=False)]


@verbs.create.command("project")
def create_project(project: Name, description: Description = "") -> None:
    """Create a project."""
    client.connect().pfs.create_project(project=pfs.Project(name=project), description=description)


@verbs.update.command("project")
def update_project(project: Name, description: Description = "") -> None:
    """Change a project's description."""
    client.connect().pfs.create_project(project=pfs.Project(name=project), description=description, update=True)


@verbs.inspect.command("project")
def inspect_project(project: Name, raw: Raw = False, form: Form = "") -> None:
    """Show a project."""
    output.check_form(raw, form)
    cluster = client.connect()
    info = cluster.pfs.inspect_project(project=pfs.Project(name=project))
    if raw:
        return output.raw([info], form)
    created = output.when(info.created_at, full=True) if output.moment(info.created_at) else None
    return output.fields(
        [
            ("Name", info.project.name),
            ("Description", info.description or None),
            ("Created at", created),
            *describe.access(info.auth_info),
            ("Defaults", cluster.pps.get_project_defaults(project=info.project).project_defaults_json or "{}"),
        ]
    )


@verbs.list_.command("project")
def list_project(raw: Raw = False, form: Form = "") -> None:
    """List projects; a star marks the context's own."""
    output.check_form(raw, form)
    current = client.project(None)

    def row(info: pfs.ProjectInfo) -> list[str]:
        name = info.project.name
        return ["*" if name == current else "", name, output.when(info.created_at), info.description or "-"]

    projects = list(client.connect().pfs.list_project())
    output.with_access(projects, "ACTIVE\tPROJECT\tCREATED\tDESCRIPTION", 2, row, (raw, form))


@verbs.delete.command("project")
def delete_project(
    project: Name,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Delete its pipelines and repos too, without asking.")
    ] = False,
) -> None:
    """Delete a project, asking before its pipelines and repos go with it."""
    cluster, which = client.connect(), pfs.Project(name=project)
    pipelines = [info.pipeline for info in cluster.pps.list_pipeline(projects=[which])]
    _confirm("pipeline", [client.pipeline_uri(pipeline) for pipeline in pipelines], force)
    for pipeline in pipelines:
        cluster.pps.delete_pipeline(pipeline=pipeline, force=force)
    repos = [info.repo for info in cluster.pfs.list_repo(type="user", projects=[which])]
    _confirm("repo", [client.repo_uri(repo) for repo in repos], force)
    for repo in repos:
        cluster.pfs.delete_repo(repo=repo, force=force)
    cluster.pfs.delete_project(project=which, force=force)
    if project == client.project(None):
        output.note(
            f"warning: deleted the current project {project}; choose another: "
            "pachctl config update context --project PROJECT"
        )


def _confirm(kind: str, names: list[str], force: bool) -> None:
    """Ask before the objects of a project go with it."""
    for name in names:
        output.line(f"This will delete {kind} {name}")
    if names and not force and not output.confirmed():
        raise PachctlError(f"cannot delete project with {len(names)} {kind}s")
