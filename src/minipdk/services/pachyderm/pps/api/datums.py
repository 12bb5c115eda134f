"""The calls about datums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pagination import first
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import Calls, job_key
from minipdk.services.pachyderm.pps.datums import Globber, enumerate_datums
from minipdk.services.pachyderm.pps.spec import inputs

DEFAULT_BATCH = 100


class DatumCalls(Calls):
    """Inspecting, listing, creating and restarting datums."""

    def inspect_datum(self, request: wire.pps.InspectDatumRequest, _context: object) -> wire.pps.DatumInfo:
        if not request.datum.id:
            raise PachydermError("must specify a datum")
        for info in self._datums_of_job(request.datum.job):
            if info.datum.id == request.datum.id:
                return info
        raise PachydermError(f"datum {request.datum.id} not found in job {job_key(request.datum.job)}")

    def list_datum(self, request: wire.pps.ListDatumRequest, _context: object) -> Iterator[wire.pps.DatumInfo]:
        if request.job.id and inputs.kinds(request.input):
            raise PachydermError("cannot specify both job and input")
        if request.reverse and request.number <= 0:  # the vendor's server panics if it is negative
            raise PachydermError("number must be > 0 when reverse is set")
        infos = self._datums_of_job(request.job) if request.job.id else self._datums_of_input(request.input)
        ordered = sorted(infos, key=lambda info: info.datum.id, reverse=request.reverse)
        marker, states = request.pagination_marker, set(request.filter.state)
        matches = (
            info
            for info in ordered
            if (not marker or (info.datum.id < marker if request.reverse else info.datum.id > marker))
            and (not states or info.state in states)
        )
        yield from first(request.number, matches)

    def create_datum(
        self, requests: Iterator[wire.pps.CreateDatumRequest], _context: object
    ) -> Iterator[wire.pps.DatumInfo]:
        """The datums of an input, a batch for each message of the client's; the stream ends right after the last one."""
        start = next(requests, None)
        if start is None or not start.HasField("start"):
            raise PachydermError("first message must be a StartCreateDatumRequest message")
        if not inputs.kinds(start.start.input):
            raise PachydermError("first message must specify an input")
        datums = iter(self._datums_of_input(start.start.input, "create"))
        number = start.start.number
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

    def restart_datum(self, request: wire.pps.RestartDatumRequest, _context: object) -> wire.Empty:
        key = job_key(request.job)
        self._pps.jobs.get(key)
        run = self._pps.scheduler.run_of(key)
        if run is None or not run.restart_datums(request.data_filters):
            filters = " ".join(request.data_filters)
            raise PachydermError(f"datum matching filter [{filters}] could not be found for job ID {key.id}")
        return wire.Empty()

    def _datums_of_job(self, job: wire.pps.Job) -> Iterable[wire.pps.DatumInfo]:
        key = job_key(job)
        self._pps.jobs.get(key)
        return self._pps.store.datum_infos(key)

    def _datums_of_input(self, node: wire.pps.Input, verb: str = "list") -> Iterable[wire.pps.DatumInfo]:
        """The datums of an input alone, which need not be one that a pipeline may have: a name may be used twice."""
        inputs.set_defaults(node, pipeline="", project=DEFAULT_PROJECT, now=lambda timestamp: timestamp.GetCurrentTime())
        if any(leaf.HasField("cron") for leaf in inputs.leaves(node)):
            raise PachydermError(
                f"can't {verb} datums with a cron input, there will be no datums until the pipeline is created"
            )
        inputs.validate_kinds(node)
        try:
            return map(messages.datum_info, list(enumerate_datums(node, Globber(self._pps.pfs))))
        except NotFoundError as error:
            raise PachydermError(str(error)) from None  # pachd's code for a missing repo here
