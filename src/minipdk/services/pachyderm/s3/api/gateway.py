"""The gateway as an HTTP application: one request, one XML or binary response.

A request may be signed with the cluster's token or a pipeline's. With a job's token it sees only the buckets of that job,
like a request to the gateway that runs with a job's workers on a real cluster.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.home import Home
from minipdk.services.pachyderm.callers import Caller, identify
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.s3 import messages, signatures_v2
from minipdk.services.pachyderm.s3.api.dispatch import Dispatcher
from minipdk.services.pachyderm.s3.api.requests import make_call
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.errors import S3Error
from minipdk.services.pachyderm.s3.job_buckets import JobBuckets, JobView
from minipdk.services.pachyderm.s3.payload import Body
from minipdk.services.pachyderm.s3.signatures import NO_SEED, Seed, Signed, access_key_of, verify
from minipdk.services.pachyderm.s3.uploads import Uploads

logger = logging.getLogger(__name__)

Jobs = Callable[[Caller], JobView]
"""The view of S3 that a job has."""

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


def application(home: Home, pfs: Pfs, jobs: Jobs, *routes: Route) -> Starlette:
    """The gateway as an ASGI application, with further ``routes``."""
    gateway = Gateway(home, pfs, jobs)
    return Starlette(routes=[*routes, Route("/{path:path}", gateway.answer, methods=_METHODS)])


class Gateway:
    def __init__(self, home: Home, pfs: Pfs, jobs: Jobs) -> None:
        self._home, self._pfs, self._jobs = home, pfs, jobs
        buckets = Buckets(pfs)
        self._uploads = Uploads(pfs, buckets)
        self._cluster = Dispatcher(buckets, self._uploads)

    def answer(self, request: Request) -> Response:
        """Runs in a thread of Starlette's pool."""
        request_id = uuid.uuid4().hex[:16].upper()
        body = Body(request)
        try:
            response = self._answer(request, body)
        except S3Error as error:
            response = messages.error(error, request.url.path, request_id)
        except PachydermError as error:
            response = messages.error(S3Error(400, "InvalidRequest", str(error)), request.url.path, request_id)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.url.path)
            failure = S3Error(500, "InternalError", f"{type(error).__name__}: {error}")
            response = messages.error(failure, request.url.path, request_id)
        response.headers["x-amz-request-id"] = request_id
        if not body.drain():
            response.headers["Connection"] = "close"  # the rest of the body must not be taken for the next request
        return response

    def _answer(self, request: Request, body: Body) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw_path: bytes = request.scope["raw_path"].partition(b"?")[0]
        signed = Signed(request.method, raw_path, request.url.query, headers)
        access_key = access_key_of(signed)
        caller = identify(self._home.token, access_key)
        seed = _verify(signed, access_key if caller else self._home.session_token)
        return self._dispatcher(caller).answer(make_call(request, body, seed))

    def _dispatcher(self, caller: Caller | None) -> Dispatcher:
        if caller is None or not caller.job:
            return self._cluster
        buckets = JobBuckets(self._pfs, self._jobs(caller))
        return Dispatcher(buckets, self._uploads.seen_by(buckets))


def _verify(signed: Signed, token: str) -> Seed:
    if signatures_v2.is_used(signed):
        signatures_v2.verify(signed, token)
        return NO_SEED
    return verify(signed, token)
