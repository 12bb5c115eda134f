"""``connect`` and ``config``: which clusters there are, and which one commands use."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from pachctl import config, output, verbs
from pachctl.errors import PachctlError
from pachctl.verbs import app, group

Name = Annotated[str, typer.Argument(metavar="CONTEXT", show_default=False)]
Value = Annotated[str | None, typer.Option(show_default=False)]


get = group(verbs.config, "get", "Show a value.")
set_ = group(verbs.config, "set", "Set a value.")
list_ = group(verbs.config, "list", "List contexts.")
update = group(verbs.config, "update", "Change a context.")
delete = group(verbs.config, "delete", "Delete a context.")


@app.command("connect")
def connect(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", show_default=False)],
    alias: Annotated[str, typer.Option(help="The context's name [default: the address].", show_default=False)] = "",
) -> None:
    """Use the cluster at ADDRESS (HOST:PORT) from now on, logged in if a context of this address is."""
    document, name, qualified = config.load(), alias or address, config.qualify(address)
    contexts, known = config.contexts(document), config.signed_in(document, qualified)
    if known and not alias:
        name = known
    elif name not in contexts:
        login = {key: value for key, value in contexts.get(known, {}).items() if key in ("session_token", "server_cas")}
        contexts[name] = {"pachd_address": qualified, **login}
        output.line(f"New context '{name}' created, will connect to Pachyderm at {qualified}")
    document["v2"]["active_context"] = name
    config.save(document)
    output.line(f"Context '{name}' set as active")


@get.command("active-context")
def get_active_context() -> None:
    """Show the context that commands use."""
    output.line(config.chosen(config.load()) or "NONE")


@set_.command("active-context")
def set_active_context(name: Name) -> None:
    """Choose the context that commands use."""
    document = config.load()
    config.context(document, name)
    document["v2"]["active_context"] = name
    config.save(document)


@get.command("active-enterprise-context")
def get_active_enterprise_context() -> None:
    """Show the context of the enterprise server."""
    document = config.load()
    output.line(document["v2"].get("active_enterprise_context") or config.chosen(document) or "NONE")


@set_.command("active-enterprise-context")
def set_active_enterprise_context(name: Name) -> None:
    """Choose the context of the enterprise server, for Pachyderm's own binary: no command of this one speaks to it."""
    document = config.load()
    config.context(document, name)
    document["v2"]["active_enterprise_context"] = name
    config.save(document)


@get.command("metrics")
def get_metrics() -> None:
    """Show whether Pachyderm's own binary may report its use; this one never does."""
    output.line(str(bool(config.load()["v2"]["metrics"])).lower())


@set_.command("metrics")
def set_metrics(value: Annotated[str, typer.Argument(metavar="true|false", show_default=False)]) -> None:
    """Choose whether Pachyderm's own binary may report its use."""
    if value not in ("true", "false"):
        raise PachctlError("invalid argument; use either `true` or `false`")
    document = config.load()
    document["v2"]["metrics"] = value == "true"
    config.save(document)


@get.command("context")
def get_context(name: Name) -> None:
    """Show a context as JSON, its session token included, as ``set context`` takes it."""
    output.raw_documents([config.context(config.load(), name)], "json")


@set_.command("context")
def set_context(
    name: Name, overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace one that exists.")] = False
) -> None:
    """Write a context from JSON on standard input."""
    document = config.load()
    if name in config.contexts(document) and not overwrite:
        raise PachctlError(f"context '{name}' already exists, use `--overwrite` if you wish to replace it")
    try:
        context = json.load(sys.stdin)
    except ValueError as error:
        raise PachctlError(f"malformed context: {error}") from error
    if not isinstance(context, dict):
        raise PachctlError("malformed context: expected an object with fields such as pachd_address")
    if context.get("pachd_address"):
        context["pachd_address"] = config.qualify(context["pachd_address"])
    config.contexts(document)[name] = context
    config.save(document)


@verbs.config.command("import-kube")
def import_kube(
    name: Name,
    *,
    kubernetes: Annotated[
        str, typer.Option("--kubernetes", "-k", help="The Kubernetes context [default: the current].", show_default=False)
    ] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where Pachyderm is.", show_default=False)] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", "-o", help="Replace one that exists.")] = False,
) -> None:
    """Make a context from one of Kubernetes, and use it."""
    document = config.load()
    if name in config.contexts(document) and not overwrite:
        raise PachctlError(f"context '{name}' already exists, use `--overwrite` if you wish to replace it")
    kubernetes_context = config.kubernetes_context(kubernetes)
    fields = {"cluster_name": kubernetes_context.get("cluster"), "auth_info": kubernetes_context.get("user")}
    fields["namespace"] = namespace or kubernetes_context.get("namespace")
    config.contexts(document)[name] = {"source": "IMPORTED", **{key: value for key, value in fields.items() if value}}
    document["v2"]["active_context"] = name
    config.save(document)


@list_.command("context")
def list_context() -> None:
    """List contexts; a star marks the active one."""
    document = config.load()
    chosen = config.chosen(document)
    output.table("ACTIVE\tNAME", [["*" if name == chosen else "", name] for name in sorted(config.contexts(document))])


@update.command("context")
def update_context(
    name: Annotated[str | None, typer.Argument(metavar="[CONTEXT]", show_default=False)] = None,
    *,
    project: Value = None,
    pachd_address: Value = None,
    cluster_name: Value = None,
    auth_info: Value = None,
    server_cas: Value = None,
    namespace: Value = None,
    remove_cluster_deployment_id: Annotated[bool, typer.Option("--remove-cluster-deployment-id")] = False,
) -> None:
    """Change fields of a context, the active one when none is named; an empty value clears a field."""
    document = config.load()
    if name:
        context = config.context(document, name)
    else:
        chosen, context = config.active(document)
        output.line(f'editing the currently active context "{chosen}"')
    changes: dict[str, Any] = {
        "project": project,
        "pachd_address": config.qualify(pachd_address) if pachd_address else pachd_address,
        "cluster_name": cluster_name,
        "auth_info": auth_info,
        "server_cas": server_cas,
        "namespace": namespace,
        "cluster_deployment_id": "" if remove_cluster_deployment_id else None,
    }
    for field, value in changes.items():
        if value:
            context[field] = value
        elif value is not None:
            context.pop(field, None)
    config.save(document)


@delete.command("context")
def delete_context(name: Name) -> None:
    """Delete a context that is not active."""
    document = config.load()
    config.context(document, name)
    if document["v2"]["active_context"] == name:
        raise PachctlError("cannot delete an active context: set another first, pachctl config set active-context <context>")
    del config.contexts(document)[name]
    config.save(document)
