"""The HTTP surface: routes, authentication, and which verb a request is."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Lifespan

from minipdk.common.home import Home
from minipdk.common.merge_patch import merge_patch
from minipdk.common.web import Limits, Policy, RefusedError
from minipdk.services.kubernetes import bootstrap
from minipdk.services.kubernetes.api import discovery, logs, streaming
from minipdk.services.kubernetes.api.authentication import Authenticator, User
from minipdk.services.kubernetes.api.decoding import (
    APPLY_PATCH,
    DOCUMENTS,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    read_body,
)
from minipdk.services.kubernetes.api.negotiation import negotiate
from minipdk.services.kubernetes.api.options import delete_options, list_options, write_options
from minipdk.services.kubernetes.api.queries import is_set, number
from minipdk.services.kubernetes.api.requests import locate, need_namespace, need_object, need_verb
from minipdk.services.kubernetes.api.reviews import review
from minipdk.services.kubernetes.errors import (
    ApiError,
    BadRequestError,
    ForbiddenError,
    MethodNotAllowedError,
    NotSupportedError,
    StalledBodyError,
    TooLargeError,
    UnknownPathError,
)
from minipdk.services.kubernetes.kinds.builtin import pods
from minipdk.services.kubernetes.kinds.builtin.namespaces import NAMESPACES
from minipdk.services.kubernetes.kinds.builtin.pods import PODS
from minipdk.services.kubernetes.messages import Form, failure, success
from minipdk.services.kubernetes.model import CREATE_ONLY, Object, Target
from minipdk.services.kubernetes.registry import patches
from minipdk.services.kubernetes.registry.bodies import as_object
from minipdk.services.kubernetes.registry.deletion import DeleteOptions
from minipdk.services.kubernetes.registry.registry import Registry, WriteOptions
from minipdk.services.kubernetes.registry.watches import ListOptions, list_objects, watch

LARGEST_BODY = 3 << 20
DELETE_OPTIONS = "V1DeleteOptions"
PART_MODELS = {"token": "AuthenticationV1TokenRequest", "binding": "V1Binding"}
"""The vendor's models of the bodies that are posted to subresources."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
UNCACHED = {"Cache-Control": "no-cache, private"}
REFUSALS = {400: BadRequestError, 403: ForbiddenError, 408: StalledBodyError}

log = logging.getLogger(__name__)


class Api:
    """The API server's routes over one registry."""

    def __init__(self, home: Home, registry: Registry) -> None:
        self._home, self._registry = home, registry
        self._authenticator = Authenticator(home, registry)
        self._stopping = asyncio.Event()

    def app(self, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        handlers = discovery.handlers(f"127.0.0.1:{self._home.port('kubernetes')}")
        routes = [Route(path, self._guarded(handler)) for path, handler in handlers.items()]
        routes += [
            Route("/api/{version}/{path:path}", self._guarded(self._objects), methods=METHODS),
            Route("/apis/{group}/{version}/{path:path}", self._guarded(self._objects), methods=METHODS),
            Route("/{path:path}", self._guarded(_unknown), methods=METHODS),
        ]
        return Starlette(routes=routes, lifespan=lifespan)

    def policy(self) -> Policy:
        """Everyone may read the version and the health of the server; all else needs a token."""
        return Policy(Limits(body=LARGEST_BODY), self._authenticate, _refusal)

    async def _authenticate(self, connection: HTTPConnection) -> bool:
        if (connection.url.path.rstrip("/") or "/") in discovery.PUBLIC:
            return False
        try:
            connection.state.user = await self._user(connection)
        except ApiError as error:
            raise RefusedError(_status(error)) from None
        return True

    def stop(self) -> None:
        """End the watches, so that the server can stop."""
        self._stopping.set()
        self._registry.store.wake()

    def _guarded(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """``handle``, with every failure answered by a Status, which clients understand; nothing may cache its answers."""

        async def guarded(request: Request) -> Response:
            response = await _answered(request, handle)
            response.headers.update(UNCACHED)
            return response

        return guarded

    async def _user(self, connection: HTTPConnection) -> User:
        user = await self._authenticator.user(connection.headers.get("authorization", ""))
        if any(name.startswith("impersonate-") for name in connection.headers):
            raise NotSupportedError("impersonation", "there are no roles, so every user with a token may do everything")
        return user

    async def _objects(self, request: Request) -> Response:
        if request.method not in METHODS:  # the router lets HEAD through for every GET
            raise MethodNotAllowedError
        parameters = request.path_params
        target = locate(parameters.get("group", ""), parameters["version"], parameters["path"])
        if target.part == "log":
            return await self._log(request, target)
        if target.part in streaming.PATHS:
            return await self._connect(request, target)
        if request.method == "GET":
            return await self._read(request, target)
        need_verb(request.method, target)
        body = await request.body()
        form = negotiate(request.headers.get("accept", ""), request.query_params)
        agent, applies = request.headers.get("user-agent", ""), _content_type(request) == APPLY_PATCH
        options = write_options(request.method, request.query_params, agent, applies=applies)
        write = {"POST": self._create, "PUT": self._update, "PATCH": self._patch, "DELETE": self._delete}[request.method]
        answer, code = await run_in_threadpool(write, request, target, body, options)
        if target.part in ("", "status") and target.resource.verbs != CREATE_ONLY and answer["kind"] == target.resource.kind:
            answer = form.one(target.resource, answer)
        response = _json(answer, code)
        for warning in dict.fromkeys(options.warnings):
            response.headers.append("warning", f"299 - {json.dumps(warning)}")
        return response

    async def _read(self, request: Request, target: Target) -> Response:
        query = request.query_params
        form = negotiate(request.headers.get("accept", ""), query)
        if target.part not in ("", "status") or "get" not in target.resource.verbs:
            raise MethodNotAllowedError
        watching = is_set(query, "watch")
        if target.name and not watching:
            item = await run_in_threadpool(self._registry.get, target, number(query, "resourceVersion"))
            return _json(form.one(target.resource, item))
        values = dict(query)
        if target.name:
            values["fieldSelector"] = ",".join(filter(None, (values.get("fieldSelector"), f"metadata.name={target.name}")))
        options = list_options(target, values)
        if watching:
            lines = watch(self._registry.store, target, options, form, self._stopping)
            return StreamingResponse(lines, media_type="application/json")
        return await run_in_threadpool(self._list, target, options, form)

    def _list(self, target: Target, options: ListOptions, form: Form) -> Response:
        items, metadata = list_objects(self._registry.store, target, options)
        return _json(form.many(target.resource, items, metadata))

    async def _log(self, request: Request, target: Target) -> Response:
        if request.method != "GET":
            raise MethodNotAllowedError
        options = logs.LogOptions.read(request.query_params)
        pod = await run_in_threadpool(self._registry.get, target)
        path = logs.log_file(self._home, pod, options)
        lines = logs.read(path, options, partial(self._has_ended, pod))
        return StreamingResponse(lines, media_type="text/plain")

    async def _connect(self, request: Request, target: Target) -> Response:
        if request.method not in ("GET", "POST"):
            raise MethodNotAllowedError
        pod = await run_in_threadpool(self._registry.get, target)
        path = streaming.node_path(target, pod, request.query_params.get("container", ""))
        return await streaming.pass_on(self._home, request, path, self._stopping)

    def _has_ended(self, pod: Object) -> bool:
        """Whether the pod writes nothing more: it has ended, was deleted, or this server stops."""
        metadata = pod["metadata"]
        current = self._registry.store.get(PODS, metadata["namespace"], metadata["name"])
        if self._stopping.is_set() or current is None or current["metadata"]["uid"] != metadata["uid"]:
            return True
        return (current.get("status") or {}).get("phase") in pods.ENDED

    def _create(self, request: Request, target: Target, body: bytes, options: WriteOptions) -> tuple[Object, int]:
        resource = target.resource
        checked = resource.verbs == CREATE_ONLY or resource.stored_as
        model = PART_MODELS.get(target.part) or (resource.model if checked else "")
        item = as_object(_document(request, target, body, options), model)
        if target.part == "token":
            return self._authenticator.issue(target.namespace, target.name, item), 201
        if target.part == "binding":
            self._registry.bind(target, item, options)
            return success(code=201), 201
        if target.name:
            raise MethodNotAllowedError
        if resource.verbs == CREATE_ONLY:
            return review(target, item, request.state.user, self._authenticator, self._registry.store), 201
        need_namespace(target)
        with self._registry.writing(dry_run=options.dry_run):
            created = self._registry.create(resource, target.namespace, item, options)
            if resource is NAMESPACES:
                authority = self._home.ca_certificate.read_text()
                bootstrap.furnish_namespace(self._registry, created["metadata"]["name"], authority)
        return created, 201

    def _update(self, request: Request, target: Target, body: bytes, options: WriteOptions) -> tuple[Object, int]:
        need_object(target)
        return self._registry.update(target, as_object(_document(request, target, body, options)), options), 200

    def _patch(self, request: Request, target: Target, body: bytes, options: WriteOptions) -> tuple[Object, int]:
        need_object(target)
        resource = target.resource
        content_type = _content_type(request)
        accepted = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH, *(() if resource.custom else (STRATEGIC_PATCH,)))
        patch = _document(request, target, body, options, accepted)
        if content_type == APPLY_PATCH:
            applied, created = self._registry.apply(target, as_object(patch), options)
            return applied, 201 if created else 200
        if content_type == JSON_PATCH:
            edit = partial(patches.json_patch, operations=patch)
        elif content_type == MERGE_PATCH:
            edit = partial(merge_patch, patch=as_object(patch))
        else:
            patches.check_directives(as_object(patch))
            edit = partial(patches.strategic_merge_patch, patch=patch)
        return self._registry.change(target, lambda old: as_object(edit(old)), options), 200

    def _delete(self, request: Request, target: Target, body: bytes, _: WriteOptions) -> tuple[Object, int]:
        if target.part:
            raise MethodNotAllowedError
        query = dict(request.query_params)
        content = read_body(request.headers.get("content-type", ""), body)
        options = delete_options(as_object(content, DELETE_OPTIONS), query)
        if not target.name:
            return self._delete_collection(target, query, options), 200
        deleted, gone = self._registry.delete(target, options)
        if not gone or target.resource.strategy.returns_deleted:
            return deleted, 200
        details = {"name": target.name, "group": target.resource.group, "kind": target.resource.plural}
        details["uid"] = deleted["metadata"]["uid"]
        return success(details=details), 200

    def _delete_collection(self, target: Target, query: dict[str, str], options: DeleteOptions) -> Object:
        need_namespace(target)
        with self._registry.writing(dry_run=options.dry_run):
            items, metadata = list_objects(self._registry.store, target, list_options(target, query))
            for item in items:
                place = item["metadata"].get("namespace", ""), item["metadata"]["name"]
                self._registry.delete(Target(target.resource, *place), options)
        return Form().many(target.resource, items, metadata)


async def _answered(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        return await handle(request)
    except UnknownPathError as error:
        return PlainTextResponse(f"{error.message}\n", 404)
    except ApiError as error:
        return _status(error)
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception as error:
        log.exception("%s %s", request.method, request.url.path)
        return _json(failure(ApiError(f"Internal error occurred: {type(error).__name__}: {error}")), 500)


def _document(
    request: Request, target: Target, body: bytes, options: WriteOptions, accepted: tuple[str, ...] = DOCUMENTS
) -> Any:
    """The body's document. Duplicate fields are refused, reported as warnings or ignored, as the client asks."""
    given, duplicates = request.headers.get("content-type", ""), list[str]()
    document = read_body(given or ("" if accepted is DOCUMENTS else "none"), body, accepted, duplicates)
    if not body.strip():
        unrecognized = f"the object provided is unrecognized (must be of type {target.resource.kind})"
        raise BadRequestError(f"{unrecognized}: unexpected end of JSON input (<empty>)")
    if duplicates and options.validation == "Strict":
        kind, version = target.resource.kind, target.resource.version
        handled = f'{kind} in version "{version}" cannot be handled as a {kind}'
        raise BadRequestError(f"{handled}: strict decoding error: {', '.join(duplicates)}")
    if options.validation == "Warn":
        options.warnings.extend(duplicates)
    return document


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _unknown(_: Request) -> Response:
    raise UnknownPathError


def _refusal(status: int, reason: str) -> Response:
    if status == 413:
        return _status(TooLargeError(f"Request entity too large: limit is {LARGEST_BODY}"))
    return _status(REFUSALS[status](reason))


def _status(error: ApiError) -> Response:
    return _json(failure(error), error.code)


def _json(answer: Any, code: int = 200) -> Response:
    content = json.dumps(answer, separators=(",", ":")) + "\n"
    return Response(content, code, UNCACHED, "application/json")
