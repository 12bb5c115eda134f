"""Descriptions that pipelines, jobs and specs have in common, as lines for `output.fields`."""

from __future__ import annotations

import json
from typing import Any

from pachyderm_sdk.api import pfs
from pachyderm_sdk.api.auth import Permission

from pachctl import output

NIL = "<nil>"
"""The Go command's word for an unset value."""


def spec_fields(spec: dict[str, Any]) -> list[tuple[str, object]]:
    """The fields of a spec, for `output.fields`; ``spec`` is a message's `output.document`."""
    return [
        ("Description", spec.get("description") or None),
        ("Parallelism Spec", parallelism(spec)),
        ("ResourceRequests", resources(spec.get("resource_requests"))),
        ("ResourceLimits", resources(spec.get("resource_limits"))),
        ("Datum Timeout", spec.get("datum_timeout", NIL)),
        ("Job Timeout", spec.get("job_timeout", NIL)),
        ("Input", output.block(spec, "input")),
        ("Output Branch", spec.get("output_branch") or None),
        ("Transform", output.block(spec, "transform")),
        ("Egress", output.block(spec, "egress")),
    ]


def spec(text: str) -> str | None:
    """A spec, given as JSON, in indented lines; None without one."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else None


def parallelism(spec: dict[str, Any]) -> str:
    """``constant:3``, or `NIL` if the spec has none."""
    workers = spec.get("parallelism_spec") or {}
    return f"constant:{workers['constant']}" if workers.get("constant") else NIL


def access(auth: pfs.AuthInfo) -> list[tuple[str, object]]:
    """The user's roles and permissions on a project or repo, if the cluster reports them."""
    permissions = [Permission(number).name for number in auth.permissions]
    return [(name, _listed(words)) for name, words in (("Roles", auth.roles), ("Permissions", permissions)) if words]


def _listed(words: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def resources(asked: dict[str, Any] | None) -> str | None:
    """The lines below ``ResourceRequests`` and ``ResourceLimits``."""
    if not asked:
        return None
    lines = [f"  CPU: {asked.get('cpu', 0):g}", f"  Memory: {asked.get('memory', '')}"]
    if gpu := asked.get("gpu"):
        lines += ["  GPU:", f"    Type: {gpu.get('type', '')}", f"    Number: {gpu.get('number', 0)}"]
    return "\n" + "\n".join(lines)
