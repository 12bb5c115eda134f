"""The gateway as an HTTP application: one request, one XML or binary response.

A request may be signed with the cluster's token or a pipeline's. With a job's token it sees only the buckets of that job,
like a request to the gateway that runs with a job's workers on a real cluster.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable
from dataclasses import replace

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.common.home import Home
from minipdk.common.web import Limits, Policy, RefusedError
from minipdk.services.pachyderm.callers import Caller, identify
from minipdk.services.pachyderm.errors import DataLossError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.s3 import messages, signatures_v2
from minipdk.services.pachyderm.s3.api.dispatch import Dispatcher
from minipdk.services.pachyderm.s3.api.requests import make_call
from minipdk.services.pachyderm.s3.buckets import Buckets
from minipdk.services.pachyderm.s3.chunk_urls import PREFIX
from minipdk.services.pachyderm.s3.errors import REFUSALS, S3Error
from minipdk.services.pachyderm.s3.job_buckets import JobBuckets, JobView
from minipdk.services.pachyderm.s3.payload import Body
from minipdk.services.pachyderm.s3.signatures import NO_SEED, Seed, Signed, access_key_of, verify
from minipdk.services.pachyderm.s3.uploads import Uploads
from minipdk.storage import DiskFullError

logger = logging.getLogger(__name__)

Jobs = Callable[[Caller], JobView]
"""The view of S3 that a job has."""

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
LARGEST_BODY = 5 << 30
"""Of an object that is put at once, and of a part: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""
UPLOADS = 32
"""Bodies that are stored at a time, each by a thread. They never take the threads of other requests."""


class Gateway:
    """The gateway over the buckets of ``pfs``; a job sees its own (``jobs``)."""

    def __init__(self, home: Home, pfs: Pfs, jobs: Jobs) -> None:
        self._home, self._pfs, self._jobs = home, pfs, jobs
        buckets = Buckets(pfs)
        self._uploads = Uploads(pfs, buckets)
        self._cluster = Dispatcher(buckets, self._uploads)
        self._storing = CapacityLimiter(UPLOADS)

    def application(self, *routes: Route) -> Starlette:
        """The gateway as an ASGI application, with further ``routes``."""
        return Starlette(routes=[*routes, Route("/{path:path}", self.answer, methods=_METHODS)])

    def policy(self) -> Policy:
        """Requests are signed, except for chunks, whose addresses are. Without authentication any client may call."""
        limits = Limits(body=LARGEST_BODY)
        if not self._home.session_token:
            limits = replace(limits, open_body=LARGEST_BODY, open_seconds=math.inf)
        return Policy(limits, self._authenticate, lambda status, reason: _failure(REFUSALS[status](reason), "/"))

    async def _authenticate(self, connection: HTTPConnection) -> bool:
        """Keep the request's signature and the buckets that its caller sees."""
        path: str = connection.scope["path"]
        if path.startswith(f"/{PREFIX}/"):
            return False
        try:
            connection.state.seed, connection.state.dispatcher = await anyio.to_thread.run_sync(self._verified, connection)
        except S3Error as error:
            raise RefusedError(_failure(error, path)) from None
        return bool(self._home.session_token)

    async def answer(self, request: Request) -> Response:
        """Answer in a thread, which a request with a body takes only when the body has begun to come."""
        body = Body(request)
        if body.exhausted:
            return await anyio.to_thread.run_sync(self._answer, request, body)
        await body.begin()
        return await anyio.to_thread.run_sync(self._answer, request, body, limiter=self._storing)

    def _answer(self, request: Request, body: Body) -> Response:
        request_id = uuid.uuid4().hex[:16].upper()
        dispatcher: Dispatcher = request.state.dispatcher
        try:
            response = dispatcher.answer(make_call(request, body, request.state.seed))
        except S3Error as error:
            response = messages.error(error, request.url.path, request_id)
        except DataLossError as error:
            response = messages.error(S3Error(500, "InternalError", str(error)), request.url.path, request_id)
        except PachydermError as error:
            response = messages.error(S3Error(400, "InvalidRequest", str(error)), request.url.path, request_id)
        except DiskFullError as error:
            response = messages.error(S3Error(507, "InsufficientStorage", str(error)), request.url.path, request_id)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.url.path)
            failure = S3Error(500, "InternalError", f"{type(error).__name__}: {error}")
            response = messages.error(failure, request.url.path, request_id)
        response.headers["x-amz-request-id"] = request_id
        body.drain()
        return response

    def _verified(self, connection: HTTPConnection) -> tuple[Seed, Dispatcher]:
        scope = connection.scope
        raw_path: bytes = scope["raw_path"].partition(b"?")[0]
        signed = Signed(scope["method"], raw_path, scope["query_string"].decode("latin-1"), dict(connection.headers))
        access_key = access_key_of(signed)
        caller = identify(self._home.token, access_key)
        seed = _verify(signed, access_key if caller else self._home.session_token)
        return seed, self._dispatcher(caller)

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


def _failure(error: S3Error, path: str) -> Response:
    request_id = uuid.uuid4().hex[:16].upper()
    response = messages.error(error, path, request_id)
    response.headers["x-amz-request-id"] = request_id
    return response
