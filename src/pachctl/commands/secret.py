"""``create|inspect|list|delete secret``: Kubernetes secrets for pipelines to use."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from pachyderm_sdk.api import pps

from pachctl import client, output, specs, verbs
from pachctl.options import Form, Raw

Name = Annotated[str, typer.Argument(metavar="SECRET", show_default=False)]
COLUMNS = "NAME\tTYPE\tCREATED"


@verbs.create.command("secret")
def create_secret(
    file: Annotated[str, typer.Option("--file", "-f", help="A Kubernetes secret as JSON or YAML; - for stdin.")],
) -> None:
    """Create a secret from a Kubernetes manifest."""
    for manifest in specs.read(file):
        # The SDK's own create_secret makes a manifest from a name and data; here is one already.
        pps.ApiStub.create_secret(client.connect().pps, file=json.dumps(manifest).encode())


def row(info: pps.SecretInfo) -> list[str]:
    return [info.secret.name, info.type, output.when(info.creation_timestamp)]


@verbs.inspect.command("secret")
def inspect_secret(name: Name, raw: Raw = False, form: Form = "") -> None:
    """Show a secret; never its content."""
    output.check_form(raw, form)
    secret = client.connect().pps.inspect_secret(secret=pps.Secret(name=name))
    output.show([secret], raw, form, COLUMNS, row)


@verbs.list_.command("secret")
def list_secret(raw: Raw = False, form: Form = "") -> None:
    """List secrets."""
    output.check_form(raw, form)
    output.show(client.connect().pps.list_secret().secret_info, raw, form, COLUMNS, row)


@verbs.delete.command("secret")
def delete_secret(name: Name) -> None:
    """Delete a secret."""
    client.connect().pps.delete_secret(secret=pps.Secret(name=name))
