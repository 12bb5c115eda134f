"""The S3 protocol over HTTP: one request, one XML or binary answer.

A request that is signed with a job's own token sees the buckets of that job alone, as on a real cluster one that goes to the
gateway beside the job's workers.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from minipdk.home import Home
from minipdk.pachyderm.errors import PachydermError
from minipdk.pachyderm.pfs import Pfs
from minipdk.pachyderm.s3 import answers, signatures_v2
from minipdk.pachyderm.s3.calls import make_call
from minipdk.pachyderm.s3.dispatch import Dispatcher
from minipdk.pachyderm.s3.errors import S3Error
from minipdk.pachyderm.s3.job_buckets import JobBuckets, JobView
from minipdk.pachyderm.s3.multipart import Uploads
from minipdk.pachyderm.s3.payload import Body
from minipdk.pachyderm.s3.signatures import NO_SEED, Seed, Signed, access_key_of, verify
from minipdk.pachyderm.s3.writing import BucketWriter

logger = logging.getLogger(__name__)

Jobs = Callable[[str], JobView | None]
"""Given an access key, what the job sees whose token it is; None if it is no job's."""

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


def application(home: Home, pfs: Pfs, jobs: Jobs, *routes: Route) -> Starlette:
    """The gateway as an ASGI application; ``routes`` are what it serves besides S3."""
    gateway = Gateway(home.session_token, pfs, jobs)
    return Starlette(routes=[*routes, Route("/{path:path}", gateway.answer, methods=_METHODS)])


class Gateway:
    def __init__(self, token: str, pfs: Pfs, jobs: Jobs) -> None:
        self._token, self._pfs, self._jobs = token, pfs, jobs
        buckets = BucketWriter(pfs)
        self._uploads = Uploads(pfs, buckets)
        self._cluster = Dispatcher(buckets, self._uploads)

    def answer(self, request: Request) -> Response:
        """Runs in a thread of Starlette's pool."""
        request_id = uuid.uuid4().hex[:16].upper()
        body = Body(request)
        try:
            response = self._answer(request, body)
        except S3Error as error:
            response = answers.error(error, request.url.path, request_id)
        except PachydermError as error:
            response = answers.error(S3Error(400, "InvalidRequest", str(error)), request.url.path, request_id)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.url.path)
            failure = S3Error(500, "InternalError", f"{type(error).__name__}: {error}")
            response = answers.error(failure, request.url.path, request_id)
        response.headers["x-amz-request-id"] = request_id
        if not body.drain():
            response.headers["Connection"] = "close"  # what is left of the body must not pass for the next request
        return response

    def _answer(self, request: Request, body: Body) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw_path: bytes = request.scope["raw_path"].partition(b"?")[0]
        signed = Signed(request.method, raw_path, request.url.query, headers)
        access_key = access_key_of(signed)
        view = self._jobs(access_key)
        seed = _verify(signed, self._token if view is None else access_key)
        return self._dispatcher(view).answer(make_call(request, body, seed))

    def _dispatcher(self, view: JobView | None) -> Dispatcher:
        if view is None:
            return self._cluster
        buckets = JobBuckets(self._pfs, view)
        return Dispatcher(buckets, self._uploads.seen_by(buckets))


def _verify(signed: Signed, token: str) -> Seed:
    if signatures_v2.is_used(signed):
        signatures_v2.verify(signed, token)
        return NO_SEED
    return verify(signed, token)
