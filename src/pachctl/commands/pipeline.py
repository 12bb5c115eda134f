"""``create|update|edit|inspect|list|delete|start|stop|rerun pipeline`` and ``run cron``."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pachyderm_sdk.api import pfs, pps

from pachctl import client, output, specs, states, verbs
from pachctl.errors import PachctlError
from pachctl.options import AllProjects, Force, Form, Full, Project, Raw
from pachctl.options import PipelineName as Name

COLUMNS = "PROJECT\tNAME\tVERSION\tINPUT\tCREATED\tSTATE / LAST JOB\tDESCRIPTION"
SpecFile = Annotated[
    str, typer.Option("--file", "-f", help="A JSON or YAML file or URL with one or more specs; - for stdin.")
]
Reprocess = Annotated[bool, typer.Option("--reprocess", help="Also process datums again that were processed before.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effective spec and change nothing.")]


@verbs.create.command("pipeline")
def create_pipeline(file: SpecFile = "-", dry_run: DryRun = False, form: Form = "", project: Project = None) -> None:
    """Create pipelines from a file."""
    _send(file, project, form, {"dry_run": dry_run})


@verbs.update.command("pipeline")
def update_pipeline(
    file: SpecFile = "-", reprocess: Reprocess = False, dry_run: DryRun = False, form: Form = "", project: Project = None
) -> None:
    """Change pipelines, or create those that there are not."""
    _send(file, project, form, {"dry_run": dry_run, "update": True, "reprocess": reprocess})


def _send(file: str, project: str | None, form: str, how: dict[str, bool]) -> None:
    output.check_form(True, form)
    found = specs.read(file)
    cluster = client.connect()
    for spec in found:
        modern, changes = specs.modernize(spec)
        for change in changes:
            output.note(f"notice: {specs.name(spec) or file}: {change}; please change the spec")
        request = json.dumps(specs.with_project(modern, client.project(project)))
        answer = cluster.pps.create_pipeline_v2(create_pipeline_request_json=request, **how)
        if how["dry_run"]:
            output.raw_documents([json.loads(answer.effective_create_pipeline_request_json)], form)


@verbs.edit.command("pipeline")
def edit_pipeline(
    name: Name,
    reprocess: Reprocess = False,
    editor: Annotated[str, typer.Option(help="The editor [default: $EDITOR, or vim].", show_default=False)] = "",
    form: Form = "",
    project: Project = None,
) -> None:
    """Open a pipeline's spec in an editor, and update the pipeline with what you save."""
    output.check_form(True, form)
    cluster = client.connect()
    info = cluster.pps.inspect_pipeline(pipeline=client.pipeline(name, project), details=True)
    before = json.loads(info.user_spec_json)
    program = shlex.split(editor or os.environ.get("EDITOR") or "vim")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"{name}.{form or 'json'}"
        draft.write_text(yaml.safe_dump(before, sort_keys=False) if form == "yaml" else json.dumps(before, indent=2) + "\n")
        try:
            ended = subprocess.run([*program, str(draft)], check=False).returncode
        except OSError as error:
            raise PachctlError(f"cannot run the editor {program[0]}: {error.strerror}; name one with --editor") from error
        if ended:
            raise PachctlError(f"the editor {program[0]} ended with exit status {ended}; the pipeline is unchanged")
        after = specs.read(str(draft))
    if after == [before]:
        return output.note("Pipeline unchanged, no update will be performed.")
    for spec in after:
        request = json.dumps(specs.with_project(spec, client.project(project)))
        cluster.pps.create_pipeline_v2(create_pipeline_request_json=request, update=True, reprocess=reprocess)
    return None


def shorthand(source: pps.Input) -> str:
    """An input in one line: ``project/repo:glob``, and the signs of the algebra for the others."""
    for parts, sign, name in (
        (source.cross, " \N{VECTOR OR CROSS PRODUCT} ", ""),
        (source.join, " \N{BOWTIE} ", ""),
        (source.group, ", ", "Group: "),
        (source.union, " \N{UNION} ", ""),
    ):
        if parts:
            return f"({name}{sign.join(shorthand(one) for one in parts)})"
    if source.pfs.repo:
        return f"{source.pfs.project}/{source.pfs.repo}:{source.pfs.glob}"
    return f"{source.cron.name}:{source.cron.spec}" if source.cron.spec else "none"


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
    state: Annotated[list[str] | None, typer.Option(help="Only those in this state; may be repeated.")] = None,
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """List pipelines."""
    if raw and spec:
        raise PachctlError("cannot set both --raw and --spec")
    output.check_form(raw or spec, form)
    wanted = {states.parse_pipeline(one) for one in state or []}
    stream = client.connect().pps.list_pipeline(
        pipeline=client.pipeline(name, project) if name else None,
        history=states.parse_history(history),
        details=True,
        commit_set=pfs.CommitSet(id=commit) if commit else None,
        projects=[] if all_projects else [pfs.Project(name=client.project(project))],
    )
    found = [info for info in stream if not wanted or info.state in wanted]
    if spec:
        return output.raw_documents((json.loads(info.user_spec_json) for info in found), form)
    if not raw and any(states.is_broken(info.state) for info in found):
        output.note("One or more pipelines have encountered errors, use inspect pipeline to get more info.")

    def row(info: pps.PipelineInfo) -> list[object]:
        made = output.when(info.details.created_at, full)
        both = f"{states.pipeline(info.state)} / {states.job(info.last_job_state)}"
        where = [info.pipeline.project.name, info.pipeline.name, info.version]
        return [*where, shorthand(info.details.input), made, both, info.details.description]

    return output.show(found, raw, form, COLUMNS, row)


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
            ("Parallelism Spec", output.block(details, "parallelism_spec")),
            ("ResourceRequests", output.block(details, "resource_requests")),
            ("ResourceLimits", output.block(details, "resource_limits")),
            ("Datum Timeout", details.get("datum_timeout")),
            ("Job Timeout", details.get("job_timeout")),
            ("Input", output.block(details, "input")),
            ("Output Branch", info.details.output_branch),
            ("Transform", output.block(details, "transform")),
            ("Egress", output.block(details, "egress")),
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
