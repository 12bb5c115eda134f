"""The tree of a pipeline's inputs: walking it, its defaults and its rules.

An input is exactly one of pfs, cross, union, join, group or cron. The members of the compound kinds are sorted by name, so
that a datum's identity does not depend on the order in which a spec lists them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from minipdk.services.pachyderm import cron, wire
from minipdk.services.pachyderm.errors import PachydermError

COMPOUND = ("cross", "union", "join", "group")
RESERVED_NAMES = ("out", ".env")


def kinds(node: Any) -> list[str]:
    """Which of the oneof-like fields of an Input message are set."""
    found = [name for name in ("pfs", "cron") if node.HasField(name)]
    return found + [name for name in COMPOUND if len(getattr(node, name))]


def visit(node: Any) -> Iterator[Any]:
    """Every input below and including ``node``, members before the input that holds them."""
    for name in COMPOUND:
        for member in getattr(node, name):
            yield from visit(member)
    yield node


def leaves(node: Any) -> Iterator[Any]:
    """The pfs and cron inputs below ``node``, in order."""
    return (one for one in visit(node) if one.HasField("pfs") or one.HasField("cron"))


def as_pfs(cron_input: Any) -> Any:
    """The PfsInput that reads what a CronInput ticks: each tick's file is a datum."""
    return wire.pps.PfsInput(
        project=cron_input.project,
        repo=cron_input.repo,
        repo_type="user",
        name=cron_input.name,
        branch="master",
        commit=cron_input.commit,
        glob="/*",
    )


def name_of(node: Any) -> str:
    """The name an input sorts by: its own, or that of its first member."""
    if node.HasField("pfs"):
        return str(node.pfs.name or node.pfs.repo)
    if node.HasField("cron"):
        return str(node.cron.name)
    for kind in COMPOUND:
        if members := getattr(node, kind):
            return name_of(members[0])
    return ""


def set_defaults(node: Any, *, pipeline: str, project: str, now: Callable[[Any], None]) -> None:
    """Fill in what a spec may leave out: branch, name, project, repo type; ``now`` sets a Timestamp to the present."""
    counts: dict[str, int] = {}
    for one in visit(node):
        for kind in COMPOUND:
            members = getattr(one, kind)
            if len(members) > 1:
                ordered = sorted(members, key=name_of)
                copies = [type(member).FromString(member.SerializeToString()) for member in ordered]
                del members[:]
                members.extend(copies)
        if one.HasField("pfs"):
            if one.pfs.HasField("trigger") and not one.pfs.branch:
                counts[one.pfs.repo] = counts.get(one.pfs.repo, 0) + 1
                one.pfs.branch = f"{pipeline}-trigger-{counts[one.pfs.repo]}"
                one.pfs.trigger.branch = one.pfs.trigger.branch or "master"
            _set_pfs_defaults(one.pfs, project)
        if one.HasField("cron"):
            _set_cron_defaults(one.cron, pipeline, project, now)


def _set_pfs_defaults(pfs: Any, project: str) -> None:
    pfs.project = pfs.project or project
    pfs.branch = pfs.branch or "master"
    pfs.name = pfs.name or pfs.repo
    pfs.repo_type = pfs.repo_type or "user"
    if pfs.glob:
        pfs.glob = clean_path(pfs.glob)


def _set_cron_defaults(cron_input: Any, pipeline: str, project: str, now: Callable[[Any], None]) -> None:
    cron_input.project = cron_input.project or project
    cron_input.repo = cron_input.repo or f"{pipeline}_{cron_input.name}"
    if not cron_input.HasField("start"):
        now(cron_input.start)


def clean_path(path: str) -> str:
    """``path`` absolute, without doubled or trailing slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def validate(node: Any) -> None:
    """Refuse an input that cannot be, as pachd does, or that minipdk does not support. Defaults have been set."""
    _validate_names(node, set())
    for one in visit(node):
        found = kinds(one)
        if not found:
            raise PachydermError("no input set")
        if len(found) > 1:
            raise PachydermError(f"multiple input types set: {', '.join(found)}")
        if found == ["pfs"]:
            _validate_pfs(one.pfs)
        if found[0] in ("join", "group", "union") and has_s3(one):
            raise PachydermError(f"S3 inputs in {found[0]} expressions are not supported")
        if found == ["cron"]:
            _validate_cron(one.cron)


def _validate_pfs(pfs: Any) -> None:
    if not pfs.repo:
        raise PachydermError("input must specify a repo")
    if pfs.s3:
        _validate_s3(pfs)
    if not pfs.glob:
        raise PachydermError(f'input "{pfs.name}" must specify a glob, such as "/*" for one datum per top-level file')
    if pfs.commit:
        raise PachydermError("input cannot come from a commit; use a branch with head pointing to the commit")


def _validate_s3(pfs: Any) -> None:
    if pfs.glob != "/":
        raise PachydermError(
            f"input \"{pfs.name}\" sets 's3' and must also set 'glob' to \"/\": the S3 gateway shows a commit as a whole"
        )
    for name in ("lazy", "empty_files"):
        if getattr(pfs, name):
            raise PachydermError(f"input cannot specify both 's3' and '{name}': its data are read through S3, not as files")


def has_s3(node: Any) -> bool:
    """Whether any of the pfs inputs is read through S3."""
    return any(leaf.pfs.s3 for leaf in leaves(node) if leaf.HasField("pfs"))


def uses_s3(details: Any) -> bool:
    """Whether a pipeline reads or writes through S3."""
    return bool(details.s3_out) or has_s3(details.input)


def _validate_cron(cron_input: Any) -> None:
    if cron_input.commit:
        raise PachydermError("input cannot come from a commit; use a branch with head pointing to the commit")
    try:
        cron.parse(cron_input.spec)
    except cron.CronError as error:
        raise PachydermError(f"error parsing cron-spec: {error}") from None


def _validate_names(node: Any, taken: set[str]) -> None:
    """Names are unique, but the members of a union, which never meet in one datum, may share theirs."""
    if kinds(node) in (["pfs"], ["cron"]):
        name = name_of(node)
        if not name:
            raise PachydermError("input must specify a name")
        if name in RESERVED_NAMES:
            raise PachydermError(f"input cannot be named {name}: give it another with 'name'")
        if name in taken:
            raise PachydermError(f"name \"{name}\" was used more than once: set 'name' on one of the inputs")
        taken.add(name)
        return
    seen_in_union: set[str] = set()
    for member in node.union:
        branch = set(taken)
        _validate_names(member, branch)
        seen_in_union |= branch
    taken |= seen_in_union
    for kind in ("cross", "join", "group"):
        for member in getattr(node, kind):
            _validate_names(member, taken)
