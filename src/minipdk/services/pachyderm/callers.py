"""Who makes a call: the cluster's user, or the code of a pipeline, known by a token that was made for it.

A pipeline's token consists of names and a code that only the cluster's secret can make, so it need not be stored. It permits
every call that the user's token permits, and operations reserved for that pipeline: a spout commits to its own output, a job
writes to its output bucket.
"""

from __future__ import annotations

import hmac
from contextvars import ContextVar
from dataclasses import dataclass

_SEPARATOR = "."  # not allowed in names, allowed in S3 credentials


@dataclass(frozen=True)
class Caller:
    """A pipeline, or one of its jobs."""

    project: str
    pipeline: str
    job: str = ""


ROOT_USER = "pach:root"

current: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Who makes the call that this thread is answering; None for the user."""


def username(*, auth: bool) -> str:
    """The name of the caller, as pachd shows it with ``auth``entication: pachd's own threads act for root. Without: ""."""
    if not auth:
        return ""
    caller = current.get()
    return f"pipeline:{caller.project}/{caller.pipeline}" if caller else ROOT_USER


def issue(secret: str, caller: Caller) -> str:
    """The token of ``caller`` in the cluster with this secret."""
    names = _SEPARATOR.join((caller.project, caller.pipeline, caller.job))
    return _SEPARATOR.join((names, hmac.digest(secret.encode(), names.encode(), "sha256").hex()))


def identify(secret: str, token: str) -> Caller | None:
    """The caller with this token; None if it is no pipeline's."""
    names = token.split(_SEPARATOR)[:-1]
    if len(names) != 3:
        return None
    caller = Caller(*names)
    return caller if hmac.compare_digest(issue(secret, caller).encode(), token.encode()) else None
