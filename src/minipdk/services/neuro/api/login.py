"""`neuro login`: the page that asks for the cluster's token, and the exchange of its code for the client's token."""

from __future__ import annotations

import html
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from minipdk.services.neuro.api.http import route
from minipdk.services.neuro.errors import InvalidArgumentError, UnauthenticatedError
from minipdk.services.neuro.login import Login

AUTHORIZE, TOKEN, CODE, LOGOUT = "/authorize", "/oauth/token", "/oauth/code", "/logout"
OPEN_PATHS = (AUTHORIZE, TOKEN, CODE, LOGOUT)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>minipdk</title>
<style>body{{font-family:sans-serif;max-width:36em;margin:4em auto}}input{{width:100%;padding:.5em;margin:.5em 0}}</style>
<h1>{title}</h1>{body}</html>"""
FORM = """<p>A program on this machine asks for a token of this cluster. If you have just typed <code>neuro login</code>,
paste the value of <code>NEURO_TOKEN</code>, which <code>minipdk env</code> prints.</p>
<form method="post"><input type="password" name="token" autocomplete="off" autofocus required>
<button>Log in</button></form>{fault}"""


class LoginApi:
    def __init__(self, login: Login) -> None:
        self._login = login

    def routes(self) -> list[Route]:
        return [
            route(AUTHORIZE, self._ask, "GET"),
            route(AUTHORIZE, self._authorize, "POST"),
            route(TOKEN, self._exchange, "POST"),
            route(CODE, self._show, "GET"),
            route(LOGOUT, self._logout, "GET"),
        ]

    async def _ask(self, request: Request) -> Response:
        """The form; a request with a token in its Authorization header gets its code without one."""
        requested = self._login.read(request.query_params)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return _redirect(requested.redirect_uri, self._login.code(requested, token))
        return _page("Log in", FORM.format(fault=""))

    async def _authorize(self, request: Request) -> Response:
        requested = self._login.read(request.query_params)
        try:
            code = self._login.code(requested, (await _form(request)).get("token", "").strip())
        except UnauthenticatedError as error:
            return _page("Log in", FORM.format(fault=f"<p><b>{html.escape(str(error))}</b></p>"), error.status)
        return _redirect(requested.redirect_uri, code)

    async def _exchange(self, request: Request) -> Response:
        return JSONResponse(self._login.exchange(await _form(request)), headers={"Cache-Control": "no-store"})

    async def _show(self, request: Request) -> Response:
        """The code, for a person who types it into `neuro config login-headless`."""
        code = html.escape(request.query_params.get("code", ""))
        return _page("Your code", f"<p>Type this code into the program that waits for it:</p><pre>{code}</pre>")

    async def _logout(self, _request: Request) -> Response:
        return _page("Logged out", "<p>The client has forgotten its token. This page keeps none.</p>")


async def _form(request: Request) -> dict[str, str]:
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise InvalidArgumentError(f"the request's body is no form: {error}") from None


def _redirect(uri: str, code: str) -> Response:
    return RedirectResponse(f"{uri}?{urlencode({'code': code})}", 302, {"Cache-Control": "no-store"})


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(title=title, body=body), status, HEADERS)
