"""Docker's registry protocol, as far as clients without Docker need it: https://distribution.github.io/distribution/spec/api/"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from minipdk.services.neuro.api.http import route
from minipdk.services.neuro.errors import InvalidArgumentError
from minipdk.services.neuro.names import Addresses
from minipdk.services.neuro.registry import MANIFEST_TYPE, Registry

LARGEST_PAGE = 1000


class RegistryApi:
    def __init__(self, registry: Registry, addresses: Addresses) -> None:
        self._registry, self._addresses = registry, addresses

    def routes(self) -> list[Route]:
        manifest = "/v2/{repository:path}/manifests/{reference}"
        return [
            route("/v2/", self._base, "GET"),
            route("/v2/_catalog", self._catalog, "GET"),
            route("/v2/{repository:path}/tags/list", self._tags, "GET"),
            route(manifest, self._manifest, "GET"),  # and HEAD
            route(manifest, self._delete, "DELETE"),
        ]

    async def _base(self, _request: Request) -> Response:
        return JSONResponse({})

    async def _catalog(self, request: Request) -> Response:
        return self._page(request, "repositories", await run_in_threadpool(self._registry.repositories), {})

    async def _tags(self, request: Request) -> Response:
        repository = request.path_params["repository"]
        tags = [tag.tag for tag in await run_in_threadpool(self._registry.tags_of, repository)]
        return self._page(request, "tags", tags, {"name": repository})

    async def _manifest(self, request: Request) -> Response:
        manifest = await run_in_threadpool(self._registry.manifest, *_subject(request))
        return Response(manifest.content, 200, {"Docker-Content-Digest": manifest.digest}, MANIFEST_TYPE)

    async def _delete(self, request: Request) -> Response:
        await run_in_threadpool(self._registry.delete, *_subject(request))
        return Response(status_code=202)

    def _page(self, request: Request, field: str, names: list[str], more: dict[str, str]) -> Response:
        """At most ``n`` names after the name ``last``, and the address of the next page."""
        try:
            count = int(request.query_params.get("n", LARGEST_PAGE))
        except ValueError:
            count = 0
        if not 0 < count <= LARGEST_PAGE:
            raise InvalidArgumentError(f"n must be a number from 1 to {LARGEST_PAGE}")
        last = request.query_params.get("last")
        start = names.index(last) + 1 if last in names else 0
        page, headers = names[start : start + count], {}
        if start + count < len(names):
            query = urlencode({"n": count, "last": page[-1]})
            headers["Link"] = f'<{self._addresses.platform}{request.url.path}?{query}>; rel="next"'
        return JSONResponse({**more, field: page}, headers=headers)


def _subject(request: Request) -> tuple[str, str]:
    return request.path_params["repository"], request.path_params["reference"]
