"""The calls about datums, as the protocol has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pps import messages
from minipdk.services.pachyderm.pps.api.requests import job_key
from minipdk.services.pachyderm.pps.datums import Datum, enumerate_datums
from minipdk.services.pachyderm.pps.globbing import Globber
from minipdk.services.pachyderm.pps.messages import enum
from minipdk.services.pachyderm.pps.spec import inputs

if TYPE_CHECKING:
    from minipdk.services.pachyderm.pps import Pps

DEFAULT_BATCH = 100


class DatumCalls:
    """Inspecting, listing, creating and restarting datums."""

    def __init__(self, pps: Pps) -> None:
        self._pps = pps

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


def _datum_info(datum: Datum) -> Any:
    """A datum that no job has run."""
    info = wire.pps.DatumInfo(datum=wire.pps.Datum(id=datum.id), state=enum("DatumState", "UNKNOWN"))
    for one in datum.inputs:
        info.data.append(messages.file_info(one.file))
    return info
