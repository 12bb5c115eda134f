"""The ticks of cron inputs: at each one a commit adds an empty file, named by the tick's time, to the input's repo.

The newest file is the last tick, so each tick is fired once, and ticks that were due while pachd was down are fired later,
in order, as pachd does. Stopped and crashing pipelines do not tick.
"""

from __future__ import annotations

import functools
import logging
import time
from datetime import UTC, datetime

from minipdk.services.pachyderm import cron, wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Branch, Commit, CommitInfo, Pfs
from minipdk.services.pachyderm.pfs.model import Change, Delete, Put
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.messages import pipeline_state
from minipdk.services.pachyderm.pps.spec import inputs

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 30.0  # the machine may sleep, or its clock be set
RETRY_S = 5.0
SEARCHED = 1000  # files that users added, without a time as their name, may come last
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
TICKING = frozenset({pipeline_state("PIPELINE_RUNNING"), pipeline_state("PIPELINE_STANDBY")})


def fire_due(pfs: Pfs, pipeline: wire.pps.PipelineInfo) -> float | None:
    """Fire at most one due tick of each of a pipeline's cron inputs; the seconds until the next look, None for never."""
    if pipeline.stopped or pipeline.state not in TICKING:
        return None
    waits = [_fire_next(pfs, cron_input) for cron_input in cron_inputs(pipeline)]
    return min((wait for wait in waits if wait is not None), default=None)


def cron_inputs(pipeline: wire.pps.PipelineInfo) -> list[wire.pps.CronInput]:
    """The CronInput messages of a pipeline."""
    return [leaf.cron for leaf in inputs.leaves(pipeline.details.input) if leaf.HasField("cron")]


def tick(pfs: Pfs, cron_input: wire.pps.CronInput, at: int) -> None:
    """Commit the tick of the time ``at`` (ns since 1970); with ``overwrite`` it replaces earlier ticks."""
    changes: list[Change] = [Delete("/")] if cron_input.overwrite else []
    name = datetime.fromtimestamp(at // cron.SECOND, UTC).strftime(FORMAT)
    changes.append(Put(f"/{name}", ()))
    branch = inputs.branch_of(inputs.as_pfs(cron_input))
    with pfs.transaction():
        head = _head(pfs, branch)
        if head is None or head.finishing:
            pfs.files.modify_branch(branch, changes)
        else:
            pfs.files.modify(head.commit, changes)


def _fire_next(pfs: Pfs, cron_input: wire.pps.CronInput) -> float | None:
    try:
        due = cron.parse(cron_input.spec).next(_latest(pfs, cron_input))
        if due == cron.NEVER:
            return None
        wait = (due - time.time_ns()) / cron.SECOND
        if wait <= 0:
            tick(pfs, cron_input, due)
            return 0.0
    except PachydermError as error:
        logger.warning("the cron input %s cannot tick: %s", cron_input.repo, error)
        return RETRY_S
    return min(wait, LONGEST_WAIT_S)


def _head(pfs: Pfs, branch: Branch) -> CommitInfo | None:
    try:
        return pfs.inspect_commit(branch.repo.commit(branch.name))
    except NotFoundError:
        return None


def _latest(pfs: Pfs, cron_input: wire.pps.CronInput) -> int:
    """The time of the newest tick, or the input's start if that is later."""
    start = messages.nanoseconds(cron_input.start)
    head = _head(pfs, inputs.branch_of(inputs.as_pfs(cron_input)))
    if head is None:
        return start
    newest = _newest_of_finished if head.finished else _newest_tick
    return max(start, newest(pfs, head.commit))


def _newest_tick(pfs: Pfs, commit: Commit) -> int:
    """The time in the name of the last of a commit's tick files; 0 without one."""
    for file in pfs.files.children(commit, "/", number=SEARCHED, reverse=True):
        try:
            moment = datetime.strptime(file.path.strip("/"), FORMAT).replace(tzinfo=UTC)
        except ValueError:
            continue  # a user's own file
        return int(moment.timestamp()) * cron.SECOND
    return 0


_newest_of_finished = functools.lru_cache(maxsize=256)(_newest_tick)  # finished commits do not change
