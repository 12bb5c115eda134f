"""Pachyderm's jobs in one project: wait for them, count their datums, see their workers, follow their provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from course.pipelines import ENDED, log_lines, state_of
from course.progress import wait_for

if TYPE_CHECKING:
    from pachyderm_sdk import Client
    from pachyderm_sdk.api import pfs, pps

    from course.draw import Node
    from course.profile import Profile

BLOCKED = {"PIPELINE_CRASHING", "PIPELINE_FAILURE"}


@dataclass(frozen=True)
class DatumRun:
    """A worker's time with one datum, from its first log line to its last."""

    worker: str
    datum: str
    """The first input's file."""

    start: datetime
    end: datetime


def wait(profile: Profile, pipeline: pps.Pipeline, *, job: str = "", seconds: float = 600) -> pps.JobInfo | None:
    """Wait until the job with the id ``job`` has ended, by default the job of the newest output, and show its progress.

    Returns the job, whether it succeeded or not; None if the pipeline cannot run its workers.
    """
    from pachyderm_sdk.api import pfs, pps

    if not job:
        output = pfs.Repo(name=pipeline.name, type="user", project=pipeline.project)
        job = profile.pachyderm.pfs.inspect_branch(branch=pfs.Branch(name="master", repo=output)).head.id

    def look() -> tuple[bool, str, pps.JobInfo | None]:
        state = pps.PipelineState(profile.pachyderm.pps.inspect_pipeline(pipeline=pipeline).state).name
        if state in BLOCKED:
            return True, "", None
        infos = profile.pachyderm.pps.list_job(pipeline=pipeline, history=-1)
        info = next((info for info in infos if info.job.id == job), None)
        if info is None:
            return False, "starting", None
        if state_of(info) in ENDED:
            return True, "", info
        busy = len(profile.pachyderm.pps.inspect_job(job=info.job, details=True).details.worker_status)
        return False, f"{state_of(info).removeprefix('JOB_').lower()} {progress(info)}, workers busy: {busy}", info

    return wait_for(f"job of {pipeline.name}", look, seconds=seconds)


def progress(job: pps.JobInfo) -> str:
    """The job's datums as pachctl shows them: processed + skipped / all."""
    return f"{job.data_processed} + {job.data_skipped} / {job.data_total}"


def history(client: Client, project: pfs.Project, stages: Sequence[str]) -> list[pps.JobInfo]:
    """Every job of the pipelines ``stages``, oldest first; the jobs of one commit in the order of ``stages``."""
    infos = [job for job in client.pps.list_job(projects=[project], history=-1) if job.job.pipeline.name in stages]
    began: dict[str, datetime] = {}
    for job in infos:
        began[job.job.id] = min(job.created, began.get(job.job.id, job.created))
    return sorted(infos, key=lambda job: (began[job.job.id], stages.index(job.job.pipeline.name)))


def counts(jobs: Sequence[pps.JobInfo]) -> list[tuple[str, int, int, int]]:
    """The rows of `draw.jobs`: each job's pipeline and the number of datums that it processed, skipped and failed at."""
    return [(job.job.pipeline.name, job.data_processed, job.data_skipped, job.data_failed) for job in jobs]


def last_line(profile: Profile, job: pps.JobInfo) -> str:
    """The last line that the job's containers printed, or the job's own reason if they printed nothing."""
    lines = [line for line in log_lines(profile, job) if line.strip()]
    return lines[-1] if lines else str(job.reason)


def datum_runs(client: Client, job: pps.JobInfo) -> list[DatumRun]:
    """The times that workers spent on datums, read from the job's log, in the order of their start."""
    lines: dict[tuple[str, str], list[pps.LogMessage]] = {}
    for line in client.pps.get_logs(job=job.job):
        if line.datum_id:
            lines.setdefault((line.worker_id, line.datum_id), []).append(line)
    runs = []
    for (worker, datum), messages in lines.items():
        path = next((message.data[0].path for message in messages if message.data), datum)
        times = [message.ts for message in messages]
        runs.append(DatumRun(worker, path, min(times), max(times)))
    return sorted(runs, key=lambda run: run.start)


def timeline(runs: Sequence[DatumRun]) -> list[tuple[str, str, float, float]]:
    """The bars of `draw.workers`: worker, datum, start and end in seconds after the first start."""
    number = {worker: f"worker {at}" for at, worker in enumerate(sorted({run.worker for run in runs}), start=1)}

    def seconds(at: datetime) -> float:
        return (at - min(run.start for run in runs)).total_seconds()

    return [(number[run.worker], run.datum.strip("/"), seconds(run.start), seconds(run.end)) for run in runs]


def most_busy(runs: Sequence[DatumRun]) -> int:
    """The largest number of workers that were busy at the same time."""
    busy = ({other.worker for other in runs if other.start <= run.start <= other.end} for run in runs)
    return max(map(len, busy), default=0)


def provenance(client: Client, commit: pfs.Commit) -> dict[str, pfs.Commit]:
    """Every commit that ``commit`` was made from, by the name of its repository."""
    origins: dict[str, pfs.Commit] = {}
    for origin in client.pfs.inspect_commit(commit=commit).direct_provenance:
        if origin.repo.type == "user":
            origins |= {origin.repo.name: origin} | provenance(client, origin)
    return origins


def lineage(client: Client, commit: pfs.Commit) -> tuple[list[Node], list[tuple[str, str]]]:
    """The commits that ``commit`` was made from, and itself, as `draw.dag` takes them: ``repository@id``."""
    nodes: dict[str, str] = {}
    edges: list[tuple[str, str]] = []

    def visit(info: pfs.CommitInfo) -> str:
        name = f"{info.commit.repo.name}@{info.commit.id[:8]}"
        origins = [origin for origin in info.direct_provenance if origin.repo.type == "user"]
        nodes[name] = "pipeline" if origins else "repo"
        edges.extend((visit(client.pfs.inspect_commit(commit=origin)), name) for origin in origins)
        return name

    visit(client.pfs.inspect_commit(commit=commit))
    return list(nodes.items()), edges
