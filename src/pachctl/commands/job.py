"""``inspect|wait|list|stop|delete job``."""

from __future__ import annotations

from typing import Annotated

import typer
from pachyderm_sdk.api import pfs, pps, transaction

from pachctl import client, describe, output, states, verbs
from pachctl.errors import PachctlError
from pachctl.options import AllProjects, Form, Full, JobName, Project, Raw

COLUMNS = "PROJECT\tPIPELINE\tID\tSTARTED\tDURATION\tRESTART\tPROGRESS\tDL\tUL\tSTATE"
SET_COLUMNS = "ID\tSUBJOBS\tPROGRESS\tCREATED\tMODIFIED"
IdOrJob = Annotated[str, typer.Argument(metavar="ID|PIPELINE@JOB", show_default=False)]
_REASON_LENGTH = 25


def progress(info: pps.JobInfo) -> str:
    """Datums processed + skipped (+ recovered) / all."""
    recovered = f" + {info.data_recovered}" if info.data_recovered else ""
    return f"{info.data_processed} + {info.data_skipped}{recovered} / {info.data_total}"


def row(info: pps.JobInfo, full: bool) -> list[object]:
    ended = output.moment(info.finished)
    state = states.job(info.state)
    if info.reason:
        short = info.reason if len(info.reason) < _REASON_LENGTH else info.reason[:_REASON_LENGTH].strip() + "..."
        state = f"{state}: {short}"
    elif info.state == pps.JobState.JOB_SUCCESS and info.data_skipped == info.data_total:
        state = output.colour("success: there were no datums to process", output.GREEN)
    return [
        info.job.pipeline.project.name,
        info.job.pipeline.name,
        info.job.id,
        output.when(info.started, full),
        output.duration(ended - info.started) if ended else "-",
        info.restart,
        progress(info),
        output.size(info.stats.download_bytes),
        output.size(info.stats.upload_bytes),
        state,
    ]


def set_row(info: pps.JobSetInfo, full: bool) -> list[object]:
    done = sum(1 for job in info.jobs if job.state == pps.JobState.JOB_SUCCESS)
    failed = sum(1 for job in info.jobs if states.is_failed(job.state))
    made = [job.created for job in info.jobs]
    bar = output.progress_bar(done, len(info.jobs) - done - failed, failed)
    times = [output.when(end(made, default=None), full) for end in (min, max)]
    return [info.job_set.id, len(info.jobs), bar, *times]


def detail(info: pps.JobInfo, full: bool) -> None:
    """One job, a line for each of its fields."""
    ended, stats, details = output.moment(info.finished), info.stats, output.document(info.details)
    output.fields(
        [
            ("ID", info.job.id),
            ("Pipeline", info.job.pipeline.name),
            ("Project", info.job.pipeline.project.name),
            ("Started", output.when(info.started, full)),
            ("Duration", output.duration(ended - info.started) if ended else None),
            ("State", states.job(info.state)),
            ("Reason", info.reason),
            ("Processed", info.data_processed),
            ("Failed", info.data_failed),
            ("Skipped", info.data_skipped),
            ("Recovered", info.data_recovered),
            ("Total", info.data_total),
            ("Data Downloaded", output.size(stats.download_bytes)),
            ("Data Uploaded", output.size(stats.upload_bytes)),
            ("Download Time", output.duration(stats.download_time)),
            ("Process Time", output.duration(stats.process_time)),
            ("Upload Time", output.duration(stats.upload_time)),
            ("Datum Timeout", details.get("datum_timeout", describe.NIL)),
            ("Job Timeout", details.get("job_timeout", describe.NIL)),
        ]
    )
    output.line("Worker Status:")
    output.table("WORKER\tJOB\tDATUM\tSTARTED", [_worker(worker, full) for worker in info.details.worker_status])
    output.fields(
        [
            ("Restarts", info.restart),
            ("ParallelismSpec", describe.parallelism(details)),
            ("ResourceRequests", describe.resources(details.get("resource_requests"))),
            ("ResourceLimits", describe.resources(details.get("resource_limits"))),
            ("SidecarResourceRequests", describe.resources(details.get("sidecar_resource_requests"))),
            ("SidecarResourceLimits", describe.resources(details.get("sidecar_resource_limits"))),
            ("Service", output.block(details, "service")),
            ("Input", output.block(details, "input")),
            ("Transform", output.block(details, "transform")),
            ("Output Commit", info.output_commit.id or None),
            ("Egress", output.block(details, "egress")),
        ]
    )


def _worker(status: pps.WorkerStatus, full: bool) -> list[object]:
    """A worker, and the datum it is at."""
    datum = status.datum_status
    files = " ".join(file.path for file in datum.data)
    return [status.worker_id, status.job_id, files, output.when(datum.started, full) if files else ""]


@verbs.inspect.command("job")
def inspect_job(job: JobName, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None) -> None:
    """Show a job."""
    output.check_form(raw, form)
    if client.is_id(job):
        raise PachctlError('Use "list job <id>" to see jobs with a given ID across different pipelines')
    info = client.connect().pps.inspect_job(job=client.job(job, project), details=True)
    return output.raw([info], form) if raw else detail(info, full)


@verbs.wait.command("job")
def wait_job(job: IdOrJob, raw: Raw = False, form: Form = "", full: Full = False, project: Project = None) -> None:
    """Wait until a job, or every job of a set, has ended, and show it."""
    output.check_form(raw, form)
    cluster = client.connect().pps
    if client.is_id(job):
        jobs = cluster.inspect_job_set(job_set=pps.JobSet(id=job), wait=True, details=True)
    else:
        jobs = [cluster.inspect_job(job=client.job(job, project), wait=True, details=True)]
    return output.show(jobs, raw, form, COLUMNS, lambda info: row(info, full))


@verbs.list_.command("job")
def list_job(
    job_set: Annotated[str | None, typer.Argument(metavar="[ID]", show_default=False)] = None,
    *,
    pipeline: Annotated[str, typer.Option("--pipeline", "-p", help="Only jobs of this pipeline.")] = "",
    inputs: Annotated[list[str] | None, typer.Option("--input", "-i", help="Only jobs that read REPO@COMMIT.")] = None,
    expand: Annotated[bool, typer.Option("--expand", "-x", help="One line for each job of each set.")] = False,
    history: Annotated[str, typer.Option(help="Versions of the pipeline: none, all or a number.")] = "none",
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    raw: Raw = False,
    form: Form = "",
    full: Full = False,
    project: Project = None,
    all_projects: AllProjects = False,
) -> None:
    """List job sets; with an ID the jobs of that set; with -p the jobs of a pipeline."""
    output.check_form(raw, form)
    filters = {"--state": state, "--input": inputs, "--history": history != "none", "--pipeline": pipeline and job_set}
    used = [name for name, value in filters.items() if value]
    if used and (job_set or not (pipeline or expand)):
        kind = "sub-jobs" if job_set else "all jobs"
        raise PachctlError(f"cannot specify '{used[0]}' when listing {kind}" + ("" if job_set else ": add --expand"))
    cluster = client.connect().pps
    projects = [] if all_projects else [pfs.Project(name=client.project(project))]
    if job_set:
        infos = cluster.inspect_job_set(job_set=pps.JobSet(id=job_set), details=True)
    elif pipeline or expand:
        selected = {states.parse_job(text) for text in state or []}
        jobs = cluster.list_job(
            projects=projects,
            pipeline=client.pipeline(pipeline, project) if pipeline else None,
            input_commit=[_input(text, project) for text in inputs or []],
            history=states.parse_history(history),
            details=True,
        )
        infos = (info for info in jobs if not selected or info.state in selected)
    else:
        sets = cluster.list_job_set(projects=projects)
        return output.show(sets, raw, form, SET_COLUMNS, lambda info: set_row(info, full))
    return output.show(infos, raw, form, COLUMNS, lambda info: row(info, full))


def _input(text: str, project: str | None) -> pfs.Commit:
    """The commit that ``--input`` names: pachd compares ids, so a branch or an ancestry is looked up first."""
    commit = client.version_of(text, project)
    return commit if client.is_id(commit.id) else client.connect().pfs.inspect_commit(commit=commit).commit


@verbs.stop.command("job")
def stop_job(job: IdOrJob, project: Project = None) -> None:
    """Stop a job, or every job of a set."""
    cluster = client.connect()
    if not client.is_id(job):
        cluster.pps.stop_job(job=client.job(job, project))
        return
    jobs = cluster.pps.inspect_job_set(job_set=pps.JobSet(id=job))
    stops = [transaction.TransactionRequest(stop_job=pps.StopJobRequest(job=info.job)) for info in jobs]
    cluster.transaction.batch_transaction(requests=stops)


@verbs.delete.command("job")
def delete_job(job: JobName, project: Project = None) -> None:
    """Delete a job."""
    client.connect().pps.delete_job(job=client.job(job, project))
