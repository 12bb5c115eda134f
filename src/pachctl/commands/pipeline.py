"""``inspect|list|delete|start|stop|rerun|run pipeline`` and ``run cron``. `pipeline_spec` reads specs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from pachyderm_sdk.api import pfs, pps

from pachctl import client, describe, output, states, verbs
from pachctl.errors import PachctlError
from pachctl.options import AllProjects, Force, Form, Full, Project, Raw
from pachctl.options import PipelineName as Name

COLUMNS = "PROJECT\tNAME\tVERSION\tINPUT\tCREATED\tSTATE / LAST JOB\tALERTS\tDESCRIPTION"
Reprocess = Annotated[bool, typer.Option("--reprocess", help="Also process datums again that were processed before.")]


def shorthand(source: pps.Input) -> str:
    """An input in one line: ``project/repo:glob``, and the signs of the algebra for the others."""
    for parts, sign, name in (
        (source.cross, " \N{VECTOR OR CROSS PRODUCT} ", ""),
        (source.join, " \N{BOWTIE} ", ""),
        (source.group, ", ", "Group: "),
        (source.union, " \N{UNION} ", ""),
    ):
        if parts:
            return f"({name}{sign.join(shorthand(part) for part in parts)})"
    if source.pfs.repo:
        return f"{source.pfs.project}/{source.pfs.repo}:{source.pfs.glob}"
    return f"{source.cron.name}:{source.cron.spec}" if source.cron.spec else "none"


def is_up_too_long(info: pps.PipelineInfo) -> bool:
    """Whether a pipeline runs for longer than its ``maximum_expected_uptime``: `check status` says for how long."""
    limit, since = info.details.maximum_expected_uptime, output.moment(info.details.workers_started_at)
    running = info.state == pps.PipelineState.PIPELINE_RUNNING
    return bool(running and limit and since and datetime.now(UTC) - since > limit)


@verbs.list_.command("pipeline")
def list_pipeline(
    name: Annotated[str | None, typer.Argument(metavar="[PIPELINE]", show_default=False)] = None,
    *,
    raw: Raw = False,
    form: Form = "",
    spec: Annotated[bool, typer.Option("--spec", "-s", help="Print specs that create pipeline takes.")] = False,
    full: Full = False,
    history: Annotated[str, typer.Option(help="How many earlier versions: none, all or a number.")] = "none",
    commit: Annotated[str, typer.Option("--commit", "-c", help="As the pipelines were at this commit set.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only pipelines in this state; may be repeated.")] = None,
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """List pipelines."""
    if raw and spec:
        raise PachctlError("cannot set both --raw and --spec")
    output.check_form(raw or spec, form)
    selected = {states.parse_pipeline(text) for text in state or []}
    stream = client.connect().pps.list_pipeline(
        pipeline=client.pipeline(name, project) if name else None,
        history=states.parse_history(history),
        details=True,
        commit_set=pfs.CommitSet(id=commit) if commit else None,
        projects=[] if all_projects else [pfs.Project(name=client.project(project))],
    )
    infos = [info for info in stream if not selected or info.state in selected]
    if spec:
        return output.raw_documents((json.loads(info.user_spec_json) for info in infos), form)
    if not raw and any(states.is_broken(info.state) for info in infos):
        output.note("One or more pipelines have encountered errors, use inspect pipeline to get more info.")

    def row(info: pps.PipelineInfo) -> list[object]:
        made = output.when(info.details.created_at, full)
        both = f"{states.pipeline(info.state)} / {states.job(info.last_job_state)}"
        where = [info.pipeline.project.name, info.pipeline.name, info.version]
        alerts = "*" if is_up_too_long(info) else ""
        return [*where, shorthand(info.details.input), made, both, alerts, info.details.description]

    return output.show(infos, raw, form, COLUMNS, row)


@verbs.inspect.command("pipeline")
def inspect_pipeline(name: Name, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None) -> None:
    """Show a pipeline."""
    output.check_form(raw, form)
    info = client.connect().pps.inspect_pipeline(pipeline=client.pipeline(name, project), details=True)
    if raw:
        return output.raw([info], form)
    details = output.document(info.details)
    return output.fields(
        [
            ("Name", info.pipeline.name),
            ("Description", info.details.description or None),
            ("Created", output.when(info.details.created_at, full)),
            ("State", states.pipeline(info.state)),
            ("Reason", info.reason),
            ("Workers Available", f"{info.details.workers_available}/{info.details.workers_requested}"),
            ("Stopped", str(info.stopped).lower()),
            *describe.spec_fields({**details, "description": ""}),
            ("User Spec", describe.spec(info.user_spec_json)),
            ("Effective Spec", describe.spec(info.effective_spec_json)),
            ("Recent Error", info.details.recent_error or None),
        ]
    )


@verbs.delete.command("pipeline")
def delete_pipeline(
    name: Annotated[str | None, typer.Argument(metavar="[PIPELINE]", show_default=False)] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every pipeline of the project.")] = False,
    force: Force = False,
    keep_repo: Annotated[bool, typer.Option("--keep-repo", help="Keep the output repo.")] = False,
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """Delete a pipeline, or all of them."""
    if name and every:
        raise PachctlError("cannot use the --all flag with an argument")
    if not name and not every:
        raise PachctlError("either a pipeline name or the --all flag needs to be provided")
    if all_projects and not every:
        raise PachctlError("--all-projects only valid with --all")
    cluster = client.connect().pps
    if name:
        pipeline = client.pipeline(name, project)
        cluster.delete_pipeline(pipeline=pipeline, force=force, keep_repo=keep_repo, must_exist=True)
    else:
        projects = [] if all_projects else [pfs.Project(name=client.project(project))]
        cluster.delete_pipelines(projects=projects, force=force, keep_repo=keep_repo, all=all_projects)


@verbs.start.command("pipeline")
def start_pipeline(name: Name, project: Project = None) -> None:
    """Start a stopped pipeline again."""
    client.connect().pps.start_pipeline(pipeline=client.pipeline(name, project))


@verbs.stop.command("pipeline")
def stop_pipeline(name: Name, project: Project = None) -> None:
    """Stop a pipeline; new commits wait until it is started again."""
    client.connect().pps.stop_pipeline(pipeline=client.pipeline(name, project), must_exist=True)


@verbs.rerun.command("pipeline")
def rerun_pipeline(name: Name, reprocess: Reprocess = False, project: Project = None) -> None:
    """Run a pipeline again on the same input."""
    client.connect().pps.rerun_pipeline(pipeline=client.pipeline(name, project), reprocess=reprocess)


@verbs.run.command("cron")
def run_cron(name: Name, project: Project = None) -> None:
    """Run a cron pipeline now, without waiting for its next tick."""
    client.connect().pps.run_cron(pipeline=client.pipeline(name, project))


@verbs.run.command("pipeline")
def run_pipeline(
    name: Name,
    commits: Annotated[list[str] | None, typer.Argument(metavar="[REPO@BRANCH[=COMMIT]]...", show_default=False)] = None,
    job: Annotated[str, typer.Option("--job", help="Run on the input of this job again.", show_default=False)] = "",
    project: Project = None,
) -> None:
    """Run a pipeline now, on the heads of its input branches or on the commits that are named."""
    provenance = [client.version_of(text, project) for text in commits or []]
    client.connect().pps.run_pipeline(pipeline=client.pipeline(name, project), provenance=provenance, job_id=job)
