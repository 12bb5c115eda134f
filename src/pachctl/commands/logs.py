"""``logs``: the output of pipelines' code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

import typer
from pachyderm_sdk.api import pps

from pachctl import client, output, specs
from pachctl.errors import PachctlError
from pachctl.options import Project
from pachctl.verbs import app


@app.command("logs")
def logs(
    *,
    pipeline: Annotated[str, typer.Option("--pipeline", "-p", help="Of this pipeline.")] = "",
    job: Annotated[str, typer.Option("--job", "-j", help="Of this job: PIPELINE@JOB.")] = "",
    datum: Annotated[str, typer.Option(help="Of this datum, by its id.")] = "",
    inputs: Annotated[str, typer.Option(help="Of the datums that contain these files: PATH[,PATH].")] = "",
    master: Annotated[bool, typer.Option("--master", help="The pipeline master's lines.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="The worker's own lines.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Each message as JSON.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-t", min=0, help="Only this many of the last lines; 0: all.")] = 0,
    since: Annotated[str, typer.Option(help="Only messages newer than this, such as 90s or 24h.")] = "",
    project: Project = None,
) -> None:
    """Print the logs of a pipeline, a job or a datum."""
    if pipeline and job:
        raise PachctlError("only one of pipeline or job should be specified")
    where = client.job(job, project) if job else None
    stream = client.connect().pps.get_logs(
        pipeline=client.pipeline(pipeline, project) if pipeline else None,
        job=where,
        data_filters=[path for path in inputs.split(",") if path],
        datum=pps.Datum(id=datum, job=where) if datum else None,
        master=master,
        follow=follow,
        tail=tail if follow else 0,
        since=timedelta(seconds=specs.seconds(since, "since")) if since else None,
    )
    every = not pipeline and not job
    messages = (message for message in stream if raw or every or _matches(message, master, worker))
    _print(deque(messages, maxlen=tail) if tail and not follow else messages, raw)


def _matches(message: pps.LogMessage, master: bool, worker: bool) -> bool:
    if master or worker:
        return bool(not message.user and ((master and message.master) or (worker and not message.master)))
    return bool(message.user)


def _print(messages: Iterable[pps.LogMessage], raw: bool) -> None:
    for message in messages:
        if raw:
            output.raw([message], "json")
        else:
            output.line(message.message.rstrip("\n"))
        output.flush()
