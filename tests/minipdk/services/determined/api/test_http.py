"""How handlers get the parts that they name, and how pages and orders are cut from lists."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request

from minipdk.common.home import Home
from minipdk.services.determined.api.http import Call, application, ordered, paginate
from minipdk.services.determined.errors import NotFoundError, UnsupportedError
from minipdk.services.determined.master import Master
from minipdk.services.determined.registry import Registry
from minipdk.services.determined.workspaces import Workspaces


def call(**query: str) -> Call:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    return Call(None, {}, {}, QueryParams(query), request)


def get(app: Starlette, path: str) -> httpx.Response:
    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(request())


@pytest.fixture(scope="module")
def master(home: Home) -> Master:
    return Master(home)


def test_handler_gets_the_parts_that_it_names(master: Master) -> None:
    def handler(call: Call, workspaces: Workspaces, registry: Registry) -> dict[str, Any]:
        return {"workspaces": [workspace.name for workspace in workspaces.all()], "models": registry.all()}

    answer = get(application(master.parts, [("GET", "/x", handler)]), "/x")
    assert answer.json() == {"workspaces": ["Uncategorized"], "models": []}


def test_handler_with_an_unknown_part_fails_when_the_application_is_made(master: Master) -> None:
    def handler(call: Call, pages: Starlette) -> dict[str, Any]:
        return {}

    with pytest.raises(
        TypeError, match=r"handler asks for starlette\.applications\.Starlette, which is no part of the master"
    ):
        application(master.parts, [("GET", "/x", handler)])


def test_refusal_and_failure_of_a_handler_have_determineds_shape(master: Master) -> None:
    def refusing(call: Call) -> dict[str, Any]:
        raise NotFoundError("no such page")

    def failing(call: Call) -> dict[str, Any]:
        raise ZeroDivisionError("oops")

    app = application(master.parts, [("GET", "/x", refusing), ("GET", "/y", failing)])
    refused, failed = get(app, "/x"), get(app, "/y")
    assert (refused.status_code, refused.json()["error"]["reason"]) == (404, "NotFound")
    assert (failed.status_code, failed.json()["error"]["reason"]) == (500, "Internal")


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, "abcd"),
        ({"limit": "2"}, "ab"),
        ({"limit": "2", "offset": "3"}, "d"),
        ({"offset": "-1"}, "d"),
        ({"offset": "9"}, ""),
    ],
)
def test_page_is_cut_by_offset_and_limit(query: dict[str, str], page: str) -> None:
    items, pagination = paginate(list("abcd"), call(**query))
    assert "".join(items) == page
    assert pagination["total"] == 4
    assert pagination["endIndex"] - pagination["startIndex"] == len(page)


def test_items_without_a_value_come_last_in_either_order() -> None:
    items: list[int | None] = [2, None, 3, 1]
    keys = {"N": lambda item: item}
    assert ordered(items, call(), keys, "N") == [1, 2, 3, None]
    assert ordered(items, call(sortBy="SORT_BY_N", orderBy="ORDER_BY_DESC"), keys, "N") == [3, 2, 1, None]
    with pytest.raises(UnsupportedError, match="sortBy SORT_BY_AGE"):
        ordered(items, call(sortBy="SORT_BY_AGE"), keys, "N")
