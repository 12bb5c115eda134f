"""The calls about jobs, job sets, datums and logs, as the protocol has them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from minipdk.pachyderm import wire
from minipdk.pachyderm.errors import NotFoundError, PachydermError, UnsupportedError
from minipdk.pachyderm.pps import inputs, messages
from minipdk.pachyderm.pps.datums import Datum, enumerate_datums
from minipdk.pachyderm.pps.globbing import Globber
from minipdk.pachyderm.pps.logs import MASTER, USER, Filter, Line
from minipdk.pachyderm.pps.messages import enum
from minipdk.pachyderm.pps.pipeline_lists import allowed
from minipdk.pachyderm.pps.store import Key, is_terminal

if TYPE_CHECKING:
    from minipdk.pachyderm.pps import Pps

DEFAULT_BATCH = 100
DEFAULT_SINCE_NS = 24 * 3600 * messages.NANOSECONDS


def job_key(job: Any) -> Key:
    """The key of a Job message that must be set."""
    if not job.id:
        raise PachydermError("must specify a job")
    if not job.pipeline.name:
        raise PachydermError("pipeline must be specified for the given job")
    return Key.of(job.pipeline, job.id)


class JobCalls:
    """Jobs, job sets, datums and logs."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

    # Jobs

    def inspect_job(self, request: Any, context: Any) -> Any:
        key = job_key(request.job)
        info = self._pps.jobs.get(key)
        if request.wait:
            info = self._finished(key, context) or info
        return self._described(info) if request.details else _public(info)

    def _existing(self, key: Key) -> Any:
        """A job that was there when the wait began."""
        try:
            return self._pps.jobs.get(key)
        except NotFoundError:
            raise PachydermError(f"job {key.id} was deleted") from None

    def _finished(self, key: Key, context: Any) -> Any:
        """The job once it is terminal; None when the client has gone away."""
        return self._wait(context, lambda: _if_terminal(self._existing(key)))

    def _wait(self, context: Any, predicate: Callable[[], Any]) -> Any:
        """The value of ``predicate`` once true; None when the client has gone away."""
        return self._pps.pfs.wait(predicate, stop=_gone(context))

    def _described(self, info: Any) -> Any:
        info = self._pps.jobs.add_details(info)
        if run := self._pps.scheduler.run_of(Key.of(info.job.pipeline, info.job.id)):
            info.details.worker_status.extend(run.worker_status())
        return _public(info)

    def list_job(self, request: Any, _context: Any) -> Iterator[Any]:
        projects = allowed(request)
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        key = Key.of(request.pipeline) if request.pipeline.name else None
        versions = {(Key.of(info.pipeline), info.version) for info in self._pps.pipelines.list(key, request.history)}
        wanted = {messages.to_commit(commit) for commit in request.input_commit}
        found = (
            info
            for info in self._pps.store.jobs(key, reverse=request.reverse)
            if (Key.of(info.job.pipeline), info.pipeline_version) in versions
            and (not projects or info.job.pipeline.project.name in projects)
            and _after_marker(info.created, request)
            and (not wanted or wanted <= self._provenance(info))
        )
        for info in itertools.islice(found, request.number or None):
            yield self._described(info) if request.details else _public(info)

    def _provenance(self, info: Any) -> set[Any]:
        """What the commits of a job's commit set were made from."""
        return {commit for one in self._pps.pfs.commit_set(info.job.id) for commit in one.direct_provenance}

    def subscribe_job(self, request: Any, context: Any) -> Iterator[Any]:
        """Every open job of a pipeline once, as it appears, until the client goes away."""
        if not request.pipeline.name:
            raise PachydermError("pipeline must be specified")
        key = Key.of(request.pipeline)
        seen: set[str] = set()
        while context.is_active():
            fresh = self._wait(context, lambda: [one for one in self._pps.store.open_jobs(key) if one.job.id not in seen])
            for info in fresh or []:
                seen.add(info.job.id)
                yield self._described(info) if request.details else _public(info)

    def stop_job(self, request: Any, _context: Any) -> Any:
        self._pps.jobs.stop(job_key(request.job), request.reason or "job stopped")
        return wire.Empty()

    def delete_job(self, request: Any, _context: Any) -> Any:
        key = job_key(request.job)
        self._pps.jobs.delete(key)
        self._pps.logs.delete_job(key)
        return wire.Empty()

    # Job sets

    def inspect_job_set(self, request: Any, context: Any) -> Iterator[Any]:
        for found in list(self._pps.store.job_set(request.job_set.id)):
            info, key = found, Key.of(found.job.pipeline, found.job.id)
            if request.wait:
                info = self._finished(key, context) or info
            yield self._described(info) if request.details else _public(info)

    def list_job_set(self, request: Any, _context: Any) -> Iterator[Any]:
        projects = allowed(request)
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        ids: dict[str, None] = {}
        for info in self._pps.store.jobs(reverse=request.reverse):
            if _after_marker(info.created, request):
                ids.setdefault(info.job.id)
        sets = ((id_, [one for one in self._pps.store.job_set(id_) if _in(one, projects)]) for id_ in ids)
        for id_, jobs in itertools.islice(((id_, jobs) for id_, jobs in sets if jobs), request.number or None):
            described = [self._described(one) if request.details else _public(one) for one in jobs]
            yield wire.pps.JobSetInfo(job_set=wire.pps.JobSet(id=id_), jobs=described)

    # Datums

    def inspect_datum(self, request: Any, _context: Any) -> Any:
        if not request.datum.id:
            raise PachydermError("must specify a datum")
        key = job_key(request.datum.job)
        self._pps.jobs.get(key)
        for info in self._pps.store.datum_infos(key):
            if info.datum.id == request.datum.id:
                return info
        raise PachydermError(f"datum {request.datum.id} not found in job {key}")

    def list_datum(self, request: Any, _context: Any) -> Iterator[Any]:
        if request.job.id and inputs.kinds(request.input):
            raise PachydermError("cannot specify both job and input")
        if request.number < 0:
            raise PachydermError("number must be non-negative")
        if request.reverse and not request.number:
            raise PachydermError("number must be > 0 when reverse is set")
        found = self._datums_of_job(request.job) if request.job.id else self._datums_of_input(request.input)
        infos = sorted(found, key=lambda info: str(info.datum.id), reverse=request.reverse)
        marker, states = request.pagination_marker, set(request.filter.state)
        kept = (
            info
            for info in infos
            if (not marker or (info.datum.id < marker if request.reverse else info.datum.id > marker))
            and (not states or info.state in states)
        )
        yield from itertools.islice(kept, request.number or None)

    def create_datum(self, requests: Iterator[Any], _context: Any) -> Iterator[Any]:
        """The datums of an input, a batch for each message of the client's; the stream ends right after the last one."""
        first = next(requests, None)
        if first is None or not first.HasField("start"):
            raise PachydermError("first message must be a StartCreateDatumRequest message")
        if not inputs.kinds(first.start.input):
            raise PachydermError("first message must specify an input")
        datums = iter(self._datums_of_input(first.start.input, "create"))
        number = first.start.number
        upcoming = next(datums, None)
        while upcoming is not None:
            for _ in range(number if number > 0 else DEFAULT_BATCH):
                if upcoming is None:
                    return
                yield upcoming
                upcoming = next(datums, None)
            if upcoming is None or (message := next(requests, None)) is None:
                return
            if not message.HasField("continue"):
                raise PachydermError("subsequent messages must be a ContinueCreateDatumRequest message")
            number = getattr(message, "continue").number

    def restart_datum(self, request: Any, _context: Any) -> Any:
        key = job_key(request.job)
        self._pps.jobs.get(key)
        run = self._pps.scheduler.run_of(key)
        if run is None or not run.restart_datums(request.data_filters):
            filters = " ".join(request.data_filters)
            raise PachydermError(f"datum matching filter [{filters}] could not be found for job ID {key.id}")
        return wire.Empty()

    def _datums_of_job(self, job: Any) -> Iterator[Any]:
        key = job_key(job)
        self._pps.jobs.get(key)
        return self._pps.store.datum_infos(key)

    def _datums_of_input(self, node: Any, verb: str = "list") -> Iterator[Any]:
        inputs.set_defaults(node, pipeline="", project="default", now=lambda timestamp: timestamp.GetCurrentTime())
        if any(leaf.HasField("cron") for leaf in inputs.leaves(node)):
            raise PachydermError(
                f"can't {verb} datums with a cron input, there will be no datums until the pipeline is created"
            )
        inputs.validate(node)
        return (_datum_info(datum) for datum in enumerate_datums(node, Globber(self._pps.pfs)))

    # Logs

    def get_logs(self, request: Any, context: Any) -> Iterator[Any]:
        if not request.pipeline.name and not request.job.id:
            if request.data_filters or request.datum.id:
                raise PachydermError("must specify the Job or Pipeline that the datum is from to get logs for it")
            yield from self._pachd_logs(request)
            return
        key, wanted = self._log_filter(request)
        if not request.follow:
            yield from (_log_message(key, line) for line in self._pps.logs.read(key, wanted, request.tail))
            return
        stop = _gone(context, self._pps.logs.wake)
        for line in self._pps.logs.follow(key, wanted, stop, request.tail):
            yield _log_message(key, line)

    def _log_filter(self, request: Any) -> tuple[Key, Filter]:
        since = time.time_ns() - DEFAULT_SINCE_NS
        if request.job.id:
            key = job_key(request.job)
            if request.pipeline.name and Key.of(request.pipeline) != Key(key.project, key.pipeline):
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
        wanted = Filter(key.id, request.datum.id, tuple(request.data_filters), since, request.master)
        return Key(key.project, key.pipeline), wanted

    def _pachd_logs(self, request: Any) -> Iterator[Any]:
        if request.follow:
            raise UnsupportedError("following pachd's own log (use `minipdk logs pachyderm -f`)")
        lines = self._pps.home.log_file("pachyderm").read_text(errors="replace").splitlines()
        for line in lines[-request.tail :] if request.tail > 0 else lines:
            yield wire.pps.LogMessage(message=line)


def _gone(context: Any, then: Callable[[], None] = lambda: None) -> threading.Event:
    """An event that is set, and ``then`` called, when the client has gone away."""
    event = threading.Event()

    def tell() -> None:
        event.set()
        then()

    if not context.add_callback(tell):
        event.set()
    return event


def _if_terminal(info: Any) -> Any | None:
    return info if is_terminal(info.state) else None


def _public(info: Any) -> Any:
    info.auth_token = ""
    return info


def _in(info: Any, projects: set[str]) -> bool:
    return not projects or info.job.pipeline.project.name in projects


def _after_marker(created: Any, request: Any) -> bool:
    """Whether a job comes after the request's pagination marker, in the request's direction."""
    if not request.HasField("pagination_marker"):
        return True
    at, marker = messages.nanoseconds(created), messages.nanoseconds(request.pagination_marker)
    return at > marker if request.reverse else at < marker


def _datum_info(datum: Datum) -> Any:
    """A datum that no job has run."""
    info = wire.pps.DatumInfo(datum=wire.pps.Datum(id=datum.id), state=enum("DatumState", "UNKNOWN"))
    for one in datum.inputs:
        info.data.append(messages.file_info(one.file))
    return info


def _log_message(key: Key, line: Line) -> Any:
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
