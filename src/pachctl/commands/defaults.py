"""``create|update|inspect|delete defaults``: settings that the specs of a cluster's or project's pipelines need not say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from pachyderm_sdk.api import pfs, pps

from pachctl import client, output, specs, verbs
from pachctl.errors import PachctlError

Cluster = Annotated[bool, typer.Option("--cluster", help="The cluster's defaults.")]
OfProject = Annotated[str, typer.Option("--project", help="This project's defaults.", show_default=False)]
Source = Annotated[str, typer.Option("--file", "-f", help="A JSON or YAML file or URL; - for stdin.")]
Regenerate = Annotated[bool, typer.Option("--regenerate", help="Also update the specs of existing pipelines.")]
Reprocess = Annotated[bool, typer.Option("--reprocess", help="Also process their datums again; implies --regenerate.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show which pipelines would change.")]


def _check(cluster: bool, project: str) -> None:
    if cluster == bool(project):
        raise PachctlError("must pass either --cluster or --project PROJECT")


@verbs.inspect.command("default", hidden=True)
@verbs.inspect.command("defaults")
def inspect_defaults(
    cluster: Cluster = False,
    project: OfProject = "",
    raw: Annotated[bool, typer.Option("--raw", help="A project's whole defaults message as JSON.")] = False,
) -> None:
    """Show defaults."""
    _check(cluster, project)
    pachd = client.connect().pps
    if cluster:
        if raw:
            raise PachctlError("raw cluster defaults not yet implemented")
        return output.line(pachd.get_cluster_defaults().cluster_defaults_json)
    answer = pachd.get_project_defaults(project=pfs.Project(name=project))
    return output.raw([answer], "json") if raw else output.line(answer.project_defaults_json)


@verbs.create.command("default", hidden=True)
@verbs.create.command("defaults")
def create_defaults(
    *,
    cluster: Cluster = False,
    project: OfProject = "",
    file: Source = "-",
    regenerate: Regenerate = False,
    reprocess: Reprocess = False,
    dry_run: DryRun = False,
) -> None:
    """Set defaults from a file."""
    _check(cluster, project)
    documents = specs.read(file)
    if len(documents) != 1:
        raise PachctlError(f"{file} holds {len(documents)} documents: defaults are one object")
    _set(json.dumps(documents[0]), project, regenerate, reprocess, dry_run)


@verbs.update.command("default", hidden=True)
@verbs.update.command("defaults")
def update_defaults(
    *,
    cluster: Cluster = False,
    project: OfProject = "",
    file: Source = "-",
    regenerate: Regenerate = False,
    reprocess: Reprocess = False,
    dry_run: DryRun = False,
) -> None:
    """Replace the defaults by a file's."""
    create_defaults(cluster=cluster, project=project, file=file, regenerate=regenerate, reprocess=reprocess, dry_run=dry_run)


@verbs.delete.command("default", hidden=True)
@verbs.delete.command("defaults")
def delete_defaults(
    cluster: Cluster = False,
    project: OfProject = "",
    regenerate: Regenerate = False,
    reprocess: Reprocess = False,
    dry_run: DryRun = False,
) -> None:
    """Leave a cluster or project without defaults."""
    _check(cluster, project)
    _set("{}", project, regenerate, reprocess, dry_run)


def _set(text: str, project: str, regenerate: bool, reprocess: bool, dry_run: bool) -> None:
    how = {"regenerate": regenerate or reprocess, "reprocess": reprocess, "dry_run": dry_run}
    pachd = client.connect().pps
    if project:
        answer = pachd.set_project_defaults(project=pfs.Project(name=project), project_defaults_json=text, **how)
    else:
        answer = pachd.set_cluster_defaults(cluster_defaults_json=text, **how)
    if how["regenerate"]:
        _tell(answer.affected_pipelines)


def _tell(affected: Sequence[pps.Pipeline]) -> None:
    output.line("affected pipelines:" if affected else "no affected pipelines")
    for pipeline in affected:
        output.line(f"\t {client.pipeline_uri(pipeline)}")
