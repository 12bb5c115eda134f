"""The call that reads logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError, UnsupportedError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import Calls, job_key
from minipdk.services.pachyderm.pps.logs import MASTER, USER, Filter, Line
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.waiting import Steps, each, waits

DEFAULT_SINCE_NS = 24 * 3600 * messages.NANOSECONDS


class LogCalls(Calls):
    """The lines of pipelines and of pachd."""

    @waits
    def get_logs(self, request: wire.pps.GetLogsRequest, _context: object) -> Steps[wire.pps.LogMessage]:
        if not request.pipeline.name and not request.job.id:
            if request.data_filters or request.datum.id:
                raise PachydermError("must specify the Job or Pipeline that the datum is from to get logs for it")
            yield from self._pachd_logs(request)
            return
        key, lines = self._log_filter(request)
        read = self._pps.logs.follow if request.follow else self._pps.logs.read
        yield from each(partial(_log_message, key), read(key, lines, request.tail))

    def _log_filter(self, request: wire.pps.GetLogsRequest) -> tuple[Key, Filter]:
        since = time.time_ns() - DEFAULT_SINCE_NS
        if request.job.id:
            key = job_key(request.job)
            if request.pipeline.name and Key.of(request.pipeline) != key.pipeline_key:
                raise PachydermError("job is from the wrong pipeline")
            try:
                since = messages.nanoseconds(self._pps.jobs.get(key).created)
            except NotFoundError as error:
                raise NotFoundError(f'could not get job information for "{key.id}": {error}') from None
        else:
            key = Key.of(request.pipeline)
            try:
                self._pps.pipelines.get(key)
            except NotFoundError as error:
                raise NotFoundError(f"could not get pipeline information for {key}: {error}") from None
        if span := messages.nanoseconds(request.since):
            since = time.time_ns() - span
        return key.pipeline_key, Filter(key.id, request.datum.id, tuple(request.data_filters), since, request.master)

    def _pachd_logs(self, request: wire.pps.GetLogsRequest) -> Iterator[wire.pps.LogMessage]:
        if request.follow:
            raise UnsupportedError("following pachd's own log (use `minipdk logs pachyderm -f`)")
        lines = self._pps.home.log_file("pachyderm").read_text(errors="replace").splitlines()
        for line in lines[-request.tail :] if request.tail > 0 else lines:
            yield wire.pps.LogMessage(message=line)


def _log_message(key: Key, line: Line) -> wire.pps.LogMessage:
    message = wire.pps.LogMessage(
        project_name=key.project,
        pipeline_name=key.pipeline,
        job_id=line.job,
        worker_id=line.worker,
        datum_id=line.datum,
        user=line.source == USER,
        master=line.source == MASTER,
        message=line.message,
    )
    messages.set_time(message.ts, line.ts)
    for path, digest in line.data:
        message.data.add(path=path, hash=digest)
    return message
