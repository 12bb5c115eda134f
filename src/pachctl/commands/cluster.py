"""``version``, ``inspect cluster`` and ``auth``: which cluster this is, and who you are to it."""

from __future__ import annotations

import getpass
import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from pachctl import client, config, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import Form, Raw
from pachctl.verbs import app


@app.command("version")
def version(
    client_only: Annotated[bool, typer.Option("--client-only", help="Do not ask the cluster.")] = False,
) -> None:
    """Show the versions of this command's protocol (that of pachyderm_sdk) and of the cluster."""
    rows = [["pachctl", installed("pachyderm-sdk")]]
    if not client_only:
        found = client.connect().get_version()
        rows.append(["pachd", f"{found.major}.{found.minor}.{found.micro}{found.additional}"])
    output.table("COMPONENT\tVERSION", rows)


@verbs.inspect.command("cluster")
def inspect_cluster(raw: Raw = False, form: Form = "") -> None:
    """Show the cluster's id."""
    output.check_form(raw, form)
    info = client.connect().admin.inspect_cluster()
    return output.raw([info], form) if raw else output.line(info.id)


@verbs.auth.command("whoami")
def whoami() -> None:
    """Show which user the session token stands for."""
    found = client.connect().auth.who_am_i()
    output.line(f'You are "{found.username}"')
    if output.moment(found.expiration):
        output.line(f"session expires: {output.when(found.expiration, full=True)}")


@verbs.auth.command("use-auth-token")
def use_auth_token() -> None:
    """Keep a token, read from standard input, as the active context's session token."""
    document = config.load()
    name, context = config.active(document)
    prompt = "Please paste your Pachyderm auth token: "
    token = (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not token:
        raise PachctlError(f"no token was given; the session token of context {name!r} is unchanged")
    context["session_token"] = token
    config.save(document)
