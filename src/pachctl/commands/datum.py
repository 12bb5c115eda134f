"""``inspect|list|next|restart datum``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from pachyderm_sdk.api import pfs, pps

from pachctl import client, output, specs, states, verbs
from pachctl.errors import PachctlError
from pachctl.options import Form, JobName, Project, Raw


def _time(stats: pps.ProcessStats) -> timedelta:
    parts = (stats.download_time, stats.process_time, stats.upload_time)
    return sum((part for part in parts if part), timedelta())


def _address(file: pfs.File) -> str:
    return f"{file.commit.repo.project.name}/{file.commit.repo.name}@{file.commit.id}:{file.path}"


def row(info: pps.DatumInfo) -> list[str]:
    files = ", ".join(_address(source.file) for source in info.data)
    known = output.document(info).get("stats") is not None
    time = output.duration(_time(info.stats)) if known else "-"
    return [info.datum.id or "-", files, states.datum(info.state), time]


@verbs.list_.command("datum")
def list_datum(
    job: Annotated[str | None, typer.Argument(metavar="[PIPELINE@JOB]", show_default=False)] = None,
    file: Annotated[str, typer.Option("--file", "-f", help="A pipeline spec whose datums to list; it need not exist.")] = "",
    raw: Raw = False,
    form: Form = "",
    project: Project = None,
) -> None:
    """List the datums of a job, or the datums that a pipeline spec would have."""
    output.check_form(raw, form)
    if job and file:
        raise PachctlError("can't specify both a job and a pipeline spec")
    if not job and not file:
        raise PachctlError("must specify either a job or a pipeline spec")
    if job:
        datums = client.connect().pps.list_datum(job=client.job(job, project))
    else:
        spec, _ = specs.modernize(specs.read(file)[0])
        datums = client.connect().pps.list_datum(input=pps.Input().from_dict(_in_project(spec, client.project(project))))
    output.show(datums, raw, form, "ID\tFILES\tSTATUS\tTIME", row)


def _in_project(spec: specs.Spec, project: str) -> specs.Spec:
    """The spec's input, its repos in ``project`` if they name none."""
    source = spec.get("input")
    if not isinstance(source, dict):
        raise PachctlError(f"the spec of {specs.name(spec) or 'this pipeline'} has no input, so it has no datums")

    def place(source: specs.Spec) -> specs.Spec:
        placed = dict(source)
        if isinstance(read := source.get("pfs"), dict):
            placed["pfs"] = {"project": project, "branch": "master", "name": read.get("repo"), **read}
        for field in ("cross", "union", "join", "group"):
            if isinstance(source.get(field), list):
                placed[field] = [place(part) for part in source[field]]
        return placed

    return place(source)


@verbs.inspect.command("datum")
def inspect_datum(
    job: JobName,
    datum: Annotated[str, typer.Argument(metavar="DATUM", show_default=False)],
    raw: Raw = False,
    form: Form = "",
    project: Project = None,
) -> None:
    """Show a datum."""
    output.check_form(raw, form)
    info = client.connect().pps.inspect_datum(datum=pps.Datum(job=client.job(job, project), id=datum))
    if raw:
        return output.raw([info], form)
    output.fields(
        [
            ("ID", info.datum.id),
            ("Job ID", info.datum.job.id),
            ("Image ID", info.image_id),
            ("State", pps.DatumState(info.state).name),
            ("Data Downloaded", output.size(info.stats.download_bytes)),
            ("Data Uploaded", output.size(info.stats.upload_bytes)),
            ("Total Time", _time(info.stats)),
            ("Download Time", info.stats.download_time),
            ("Process Time", info.stats.process_time),
            ("Upload Time", info.stats.upload_time),
        ]
    )
    output.line("Inputs:")
    rows = [[source.file.commit.repo.name, source.file.commit.id, source.file.path] for source in info.data]
    return output.table("REPO\tCOMMIT\tPATH", rows)


@verbs.restart.command("datum")
def restart_datum(
    job: JobName,
    paths: Annotated[str, typer.Argument(metavar="PATH[,PATH]...", show_default=False)],
    project: Project = None,
) -> None:
    """Start a running datum afresh; the paths of its files say which."""
    filters = [f"/{path.strip('/')}" for path in paths.split(",")]
    client.connect().pps.restart_datum(job=client.job(job, project), data_filters=filters)


@verbs.next_.command("datum")
def next_datum(
    error: Annotated[str, typer.Option("--error", help="Why the present datum could not be processed.")] = "",
) -> None:
    """End the present datum and wait until the worker has laid out the next one in /pfs, its variables in /pfs/.env."""
    import grpc

    try:
        client.worker().next_datum(error=error)
    except grpc.RpcError as failure:
        raise PachctlError(f"the worker gives no datum: {failure.details()}") from failure
