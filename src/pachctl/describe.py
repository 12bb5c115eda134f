"""Descriptions that pipelines, jobs and specs have in common, as lines for `output.fields`."""

from __future__ import annotations

from typing import Any

from pachctl import output


def spec_fields(spec: dict[str, Any]) -> list[tuple[str, object]]:
    """The fields of a spec, for `output.fields`; ``spec`` is a message's `output.document`."""
    return [
        ("Description", spec.get("description") or None),
        ("Parallelism Spec", parallelism(spec)),
        ("ResourceRequests", resources(spec.get("resource_requests"))),
        ("ResourceLimits", resources(spec.get("resource_limits"))),
        ("Datum Timeout", spec.get("datum_timeout")),
        ("Job Timeout", spec.get("job_timeout")),
        ("Input", output.block(spec, "input")),
        ("Output Branch", spec.get("output_branch") or None),
        ("Transform", output.block(spec, "transform")),
        ("Egress", output.block(spec, "egress")),
    ]


def parallelism(spec: dict[str, Any]) -> str:
    """``constant:3``; ``<nil>``, the Go command's word for it, where the spec has none."""
    workers = spec.get("parallelism_spec") or {}
    return f"constant:{workers['constant']}" if workers.get("constant") else "<nil>"


def resources(asked: dict[str, Any] | None) -> str | None:
    """The lines below ``ResourceRequests`` and ``ResourceLimits``."""
    if not asked:
        return None
    lines = [f"  CPU: {asked.get('cpu', 0)}", f"  Memory: {asked.get('memory', '')}"]
    if gpu := asked.get("gpu"):
        lines += ["  GPU:", f"    Type: {gpu.get('type', '')}", f"    Number: {gpu.get('number', 0)}"]
    return "\n" + "\n".join(lines)
