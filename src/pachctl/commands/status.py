"""``check status``, ``list task``, ``kube-events`` and ``loki``: how the cluster does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pachyderm_sdk.api import pfs, taskapi

from pachctl import client, output, specs, verbs
from pachctl.errors import PachctlError
from pachctl.options import AllProjects, Form, Project, Raw
from pachctl.verbs import app

Since = Annotated[str, typer.Option(help="Only messages newer than this, such as 90s or 24h.", show_default=False)]


@verbs.check.command("status")
def check_status(raw: Raw = False, form: Form = "", project: Project = None, all_projects: AllProjects = False) -> None:
    """Show the alerts of a project's pipelines."""
    output.check_form(raw, form)
    if all_projects:
        statuses = client.connect().pps.check_status(all=True)
    else:
        statuses = client.connect().pps.check_status(project=pfs.Project(name=client.project(project)))
    if raw:
        return output.raw(statuses, form)
    rows = [
        [status.project.name, client.pipeline_uri(status.pipeline), alert] for status in statuses for alert in status.alerts
    ]
    return output.table("PROJECT\tPIPELINE\tALERT", rows)


@verbs.list_.command("task")
def list_task(
    service: Annotated[str, typer.Argument(metavar="pps|pfs", show_default=False)],
    namespace: Annotated[str, typer.Argument(metavar="[NAMESPACE]", show_default=False)] = "",
    group: Annotated[str, typer.Argument(metavar="[GROUP]", show_default=False)] = "",
) -> None:
    """List the tasks that pachd's own services are at, as JSON."""
    if service not in ("pps", "pfs"):
        raise PachctlError(f'unknown service "{service}": use pps or pfs')
    cluster = client.connect()
    stub = cluster.pps if service == "pps" else cluster.pfs
    output.raw(stub.list_task(group=taskapi.Group(namespace=namespace, group=group)), "json")


def _since(text: str) -> timedelta | None:
    return timedelta(seconds=specs.seconds(text, "since")) if text else None


@app.command("kube-events")
def kube_events(
    raw: Annotated[bool, typer.Option("--raw", help="Each message as the cluster sends it.")] = False, since: Since = ""
) -> None:
    """Show the events of the Kubernetes namespace that Pachyderm runs in."""
    messages = (event.message for event in client.connect().pps.get_kube_events(since=_since(since)))
    if not raw:
        return output.table("LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE", map(_event, messages))
    for message in messages:
        output.line(message)
    return None


def _event(text: str) -> list[str]:
    """The columns of one event: a line of a container's log, with JSON after a time."""
    try:
        message = json.loads(text[text.index("{") :])
        event = message["kubeEvent"]
        seen = datetime.fromtimestamp(event["lastTimestamp"], UTC)
        return [output.when(seen), event["type"], event["reason"], event["involvedObject"]["name"], message["msg"]]
    except (ValueError, KeyError, TypeError) as error:
        raise PachctlError(f"parse kube event: {error!r}: {text}") from error


@app.command("loki")
def loki(query: Annotated[str, typer.Argument(metavar="QUERY", show_default=False)], since: Since = "") -> None:
    """Ask the cluster's Loki for log lines."""
    for line in client.connect().pps.query_loki(query=query, since=_since(since)):
        output.line(line.message)
