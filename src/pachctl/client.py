"""The connection to the cluster of the active context, and the objects that arguments name.

``PACHD_ADDRESS`` overrides the context's address; the SDK reads ``PACH_PYTHON_AUTH_TOKEN`` if there is no session token.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc
from pachyderm_sdk import Client, constants
from pachyderm_sdk.api import pfs, pps
from pachyderm_sdk.api.worker import WorkerStub

from pachctl import config, output
from pachctl.errors import PachctlError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_GZIP = 2  # grpc.Compression.Gzip
_BRANCH = re.compile(r"[a-zA-Z0-9_-]+")
_ID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{19}")


@dataclass(frozen=True)
class Target:
    """Where commands go: for the messages of failed connections, and for ``connect``."""

    context: str
    address: str
    token: str | None = None
    certificates: bytes | None = None
    transaction: str | None = None
    """The context's active transaction: kept in the configuration from ``start transaction`` to ``finish transaction``."""
    is_override: bool = False

    def __str__(self) -> str:
        return f"{self.address} ({'from PACHD_ADDRESS' if self.is_override else f'context {self.context!r}'})"


def target() -> Target:
    """The address, token and certificates of the active context, or of ``PACHD_ADDRESS``."""
    override = os.environ.get("PACHD_ADDRESS")
    document = config.load()
    try:
        name, context = config.active(document)
    except config.ConfigError:
        if not override:
            raise
        return Target("PACHD_ADDRESS", config.qualify(override), is_override=True)
    if not context and not override:
        raise config.ConfigError(f"pachctl config error: the active context {name!r} has no address; {config.REMEDY}")
    forwarded = (context.get("port_forwarders") or {}).get("pachd", config.DEFAULT_PORT)
    address = override or context.get("pachd_address") or f"grpc://localhost:{forwarded}"
    try:
        certificates = base64.b64decode(context["server_cas"]) if context.get("server_cas") else None
    except binascii.Error as error:
        raise config.ConfigError(f"context {name!r}: server_cas is not base64: {error}") from error
    return Target(
        context=name,
        address=config.qualify(address),
        token=context.get("session_token"),
        certificates=certificates,
        transaction=context.get("active_transaction") or None,
        is_override=bool(override),
    )


def connect(transaction: str | None = None, *, compress: bool = False) -> Client:
    """The SDK's client for `target`; its calls are queued in ``transaction``, if given.

    ``compress`` gzips outgoing data: the SDK has no parameter for it, but reads its channels' options from a list.
    """
    at = target()
    if urlsplit(at.address).hostname in LOOPBACK:  # as in Go, whose clients never use a proxy for it
        constants.GRPC_CHANNEL_OPTIONS.append(("grpc.enable_http_proxy", 0))
    if compress:
        constants.GRPC_CHANNEL_OPTIONS.append(("grpc.default_compression_algorithm", _GZIP))
    return Client.from_pachd_address(at.address, auth_token=at.token, root_certs=at.certificates, transaction_id=transaction)


def worker() -> WorkerStub:
    """The worker in whose container this command runs."""
    port = os.environ.get(constants.WORKER_PORT_ENV)
    if not port:
        name = constants.WORKER_PORT_ENV
        raise PachctlError(f"{name} is not set: this command is for code of a pipeline with transform.datum_batching")
    return WorkerStub(grpc.insecure_channel(f"127.0.0.1:{port}", options=constants.GRPC_CHANNEL_OPTIONS))


def limit_calls(seconds: float) -> None:
    """End every call of later clients after so many seconds, to the millisecond; 0 is no limit."""
    if not seconds:
        return
    config = {"methodConfig": [{"name": [{}], "timeout": f"{max(seconds, 0.001):.3f}s"}]}
    constants.GRPC_CHANNEL_OPTIONS.append(("grpc.service_config", json.dumps(config)))


@contextmanager
def in_transaction() -> Iterator[Client]:
    """A client for the calls that join the context's active transaction, if any; all other calls use `connect`."""
    active = target().transaction
    yield connect(active)
    if active:
        output.line(f"Added to transaction: {active}")


def project(name: str | None) -> str:
    """``--project``, else the context's project, else ``default``."""
    if name:
        return name
    try:
        return config.active(config.load())[1].get("project") or "default"
    except config.ConfigError:
        return "default"


def is_id(text: str) -> bool:
    """Whether this is the id of a commit set or job rather than a name."""
    return bool(_ID.fullmatch(text))


def repo(text: str, project_name: str | None = None) -> pfs.Repo:
    """``repo``, ``project/repo``, and ``repo.meta`` or ``repo.spec`` for a pipeline's own repos."""
    named, _, rest = text.rpartition("/")
    name, _, kind = rest.partition(".")
    if not name:
        raise PachctlError(f'invalid format "{text}": repo cannot be empty')
    return pfs.Repo(name=name, type=kind or "user", project=pfs.Project(name=named or project(project_name)))


def commit(text: str, project_name: str | None = None) -> pfs.Commit:
    """``repo@branch``, ``repo@id``, ``repo@branch=id``, ``repo@branch^2``; ``repo`` alone has neither branch nor id."""
    source, _, version = text.partition("@")
    if ":" in version:
        raise PachctlError(f'invalid format "{text}": cannot specify a file path')
    where = repo(source, project_name)
    branch, separator, commit_id = version.partition("=")
    if not separator and (is_id(version) or not _BRANCH.fullmatch(version)):
        branch, commit_id = "", version
    return pfs.Commit(repo=where, id=commit_id, branch=pfs.Branch(repo=where, name=branch))


def version_of(text: str, project_name: str | None = None) -> pfs.Commit:
    """A `commit` whose branch or id must be given."""
    if not text.partition("@")[2]:
        raise PachctlError(f'invalid format "{text}": expected <repo>@<branch-or-commit>')
    return commit(text, project_name)


def branch(text: str, project_name: str | None = None) -> pfs.Branch:
    """``repo@branch``."""
    version = version_of(text, project_name)
    if version.id:
        raise PachctlError(f'invalid branch "{text}": cannot specify a commit or ancestry')
    return version.branch


def file(text: str, project_name: str | None = None) -> pfs.File:
    """``repo@branch-or-commit[:path]``; the path is empty when it is not given."""
    at, _, path = text.partition(":")
    return pfs.File(commit=version_of(at, project_name), path=path)


def pipeline(name: str, project_name: str | None = None) -> pps.Pipeline:
    return pps.Pipeline(name=name, project=pfs.Project(name=project(project_name)))


def job(text: str, project_name: str | None = None) -> pps.Job:
    """``pipeline@job-id``."""
    name, _, job_id = text.partition("@")
    if not name or not job_id:
        raise PachctlError(f'invalid format "{text}": expected <pipeline>@<job-id>')
    return pps.Job(pipeline=pipeline(name, project_name), id=job_id)


def repo_uri(repo: pfs.Repo) -> str:
    """``project/repo``, with the type of a pipeline's own repos."""
    return f"{repo.project.name or 'default'}/{repo.name}{'' if repo.type in ('', 'user') else f'.{repo.type}'}"


def branch_uri(branch: pfs.Branch) -> str:
    return f"{repo_uri(branch.repo)}@{branch.name}"


def commit_uri(commit: pfs.Commit) -> str:
    """``project/repo@id``, or the branch if there is no id yet."""
    return f"{repo_uri(commit.repo if commit.repo.name else commit.branch.repo)}@{commit.id or commit.branch.name}"


def pipeline_uri(pipeline: pps.Pipeline) -> str:
    return f"{pipeline.project.name or 'default'}/{pipeline.name}"
