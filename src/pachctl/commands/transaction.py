"""``start|stop|resume|finish|inspect|list|delete transaction``: several changes of repos, branches and commits made as one.

The active transaction is kept in the context; `client.in_transaction` makes the calls that join it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import betterproto
import typer
from pachyderm_sdk.api import pfs, transaction

from pachctl import client, config, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import Form, FullLong, Raw

Name = Annotated[str, typer.Argument(metavar="TRANSACTION", show_default=False)]
MaybeName = Annotated[str | None, typer.Argument(metavar="[TRANSACTION]", show_default=False)]


def activate(name: str) -> None:
    """Make a transaction the context's active one; an empty name leaves it with none."""
    document = config.load()
    context = config.active(document)[1]
    if name:
        context["active_transaction"] = name
    else:
        context.pop("active_transaction", None)
    config.save(document)


def _named(name: str | None) -> transaction.Transaction:
    """The transaction of that name, else the active one."""
    if not (transaction_id := name or client.target().transaction):
        raise PachctlError("no active transaction")
    return transaction.Transaction(id=transaction_id)


@verbs.start.command("transaction")
def start_transaction() -> None:
    """Start a transaction; the changes that follow wait in it until it is finished."""
    if active := client.target().transaction:
        raise PachctlError(f'cannot start a new transaction, since transaction with ID "{active}" already exists')
    started = client.connect().transaction.start_transaction()
    activate(started.id)
    output.line(f'started new transaction: "{started.id}"')


@verbs.stop.command("transaction")
def stop_transaction() -> None:
    """Leave the active transaction as it is, to be resumed later."""
    name = _named(None).id
    activate("")
    output.line(f"Cleared active transaction: {name}")


@verbs.resume.command("transaction")
def resume_transaction(name: Name) -> None:
    """Make a transaction that was stopped the active one again."""
    info = client.connect().transaction.inspect_transaction(transaction=transaction.Transaction(id=name))
    activate(info.transaction.id)
    output.line(f"Resuming existing transaction with {len(info.requests)} requests: {info.transaction.id}")


@verbs.finish.command("transaction")
def finish_transaction(name: MaybeName = None) -> None:
    """Make all changes of a transaction together: every one, or none of them."""
    named = _named(name)
    info = client.connect().transaction.finish_transaction(transaction=named)
    _forget(named.id)
    output.line(f"Completed transaction with {len(info.responses)} requests: {info.transaction.id}")


@verbs.delete.command("transaction")
def delete_transaction(name: MaybeName = None) -> None:
    """Cancel a transaction: none of its changes is made."""
    named = _named(name)
    client.connect().transaction.delete_transaction(transaction=named)
    _forget(named.id)


def _forget(name: str) -> None:
    """The active transaction is no more, if it was this one."""
    if client.target().transaction == name:
        activate("")


@verbs.list_.command("transaction")
def list_transaction(raw: Raw = False, form: Form = "", full: FullLong = False) -> None:
    """List transactions that are not finished."""
    output.check_form(raw, form)

    def row(info: transaction.TransactionInfo) -> list[object]:
        return [info.transaction.id, output.when(info.started, full), len(info.requests)]

    infos = client.connect().transaction.list_transaction().transaction_info
    output.show(infos, raw, form, "TRANSACTION\tSTARTED\tOPS", row)


@verbs.inspect.command("transaction")
def inspect_transaction(name: MaybeName = None, raw: Raw = False, form: Form = "", full: FullLong = False) -> None:
    """Show a transaction and the changes that wait in it."""
    output.check_form(raw, form)
    info = client.connect().transaction.inspect_transaction(transaction=_named(name))
    if raw:
        return output.raw([info], form)
    output.fields([("ID", info.transaction.id), ("Started", output.when(info.started, full))])
    output.line("Requests:")
    for index, request in enumerate(info.requests):
        response = info.responses[index] if index < len(info.responses) else None
        output.line(f"  {describe(request, response)}")
    if not info.requests:
        output.line("  -")
    return None


def _start_commit(request: pfs.StartCommitRequest, response: Any) -> str:
    return f"start commit {client.branch_uri(request.branch)} ({response.commit.id if response else '-'})"


def _pipeline(request: Any) -> str:
    return f"{'update' if request.update else 'create'} pipeline {client.pipeline_uri(request.pipeline)}"


_WORDS: dict[str, Callable[[Any, Any], str]] = {
    "create_repo": lambda call, _: f"{'update' if call.update else 'create'} repo {client.repo_uri(call.repo)}",
    "delete_repo": lambda call, _: f"delete repo {client.repo_uri(call.repo)}{' --force' if call.force else ''}",
    "start_commit": _start_commit,
    "finish_commit": lambda call, _: f"finish commit {client.commit_uri(call.commit)}",
    "squash_commit_set": lambda call, _: f"squash commitset {call.commit_set.id}",
    "create_branch": lambda call, _: f"create branch {client.branch_uri(call.branch)}",
    "delete_branch": lambda call, _: f"delete branch {client.branch_uri(call.branch)}{' --force' if call.force else ''}",
    "update_job_state": lambda call, _: f"update job {call.job.id} -> {call.state} ({call.reason})",
    "stop_job": lambda call, _: f"stop job {call.job.pipeline.name}@{call.job.id}",
    "create_pipeline_v2": lambda call, _: _pipeline(call.create_pipeline_request),
}
"""The description of each kind of request that a transaction may contain."""


def describe(request: transaction.TransactionRequest, response: transaction.TransactionResponse | None) -> str:
    """A waiting change in one line."""
    for field, words in _WORDS.items():
        if betterproto.serialized_on_wire(call := getattr(request, field)):
            return words(call, response)
    return "(a request that this pachctl does not know)"
