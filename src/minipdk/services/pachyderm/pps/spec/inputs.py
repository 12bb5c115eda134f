"""The tree of a pipeline's inputs: walking it, its defaults and its rules.

An input is exactly one of pfs, cross, union, join, group or cron. The members of the compound kinds are sorted by name, so
that a datum's identity does not depend on the order in which a spec lists them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from minipdk.services.pachyderm import cron, wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs.model import USER, Branch, Repo

if TYPE_CHECKING:
    from minipdk.services.pachyderm.wire.message import RepeatedMessages

COMPOUND = ("cross", "union", "join", "group")
KINDS = ("pfs", "cron", *COMPOUND)
RESERVED_NAMES = ("out", ".env")


def kinds(node: wire.pps.Input) -> list[str]:
    """The kinds that an Input message is of; it should be one."""
    present = {field.name for field, _ in node.ListFields()}
    return [kind for kind in KINDS if kind in present]


def members_of(node: wire.pps.Input, kind: str) -> RepeatedMessages[wire.pps.Input]:
    """The members of a compound input of this kind."""
    members: RepeatedMessages[wire.pps.Input] = getattr(node, kind)
    return members


def visit(node: wire.pps.Input) -> Iterator[wire.pps.Input]:
    """Every input below and including ``node``, members before the input that holds them."""
    for kind in COMPOUND:
        for member in members_of(node, kind):
            yield from visit(member)
    yield node


def leaves(node: wire.pps.Input) -> Iterator[wire.pps.Input]:
    """The pfs and cron inputs below ``node``, in order."""
    return (leaf for leaf in visit(node) if leaf.HasField("pfs") or leaf.HasField("cron"))


def branch_of(pfs_input: wire.pps.PfsInput) -> Branch:
    """The branch that a PfsInput message reads."""
    return Repo(pfs_input.project, pfs_input.repo, pfs_input.repo_type or USER).branch(pfs_input.branch)


def as_pfs(cron_input: wire.pps.CronInput) -> wire.pps.PfsInput:
    """The PfsInput that reads the ticks of a CronInput: each tick's file is a datum."""
    return wire.pps.PfsInput(
        project=cron_input.project,
        repo=cron_input.repo,
        repo_type=USER,
        name=cron_input.name,
        branch="master",
        commit=cron_input.commit,
        glob="/*",
    )


def name_of(node: wire.pps.Input) -> str:
    """The name an input sorts by; a compound one has the name of its first member."""
    if node.HasField("pfs"):
        return node.pfs.name or node.pfs.repo
    if node.HasField("cron"):
        return node.cron.name
    for kind in COMPOUND:
        if members := members_of(node, kind):
            return name_of(members[0])
    return ""


def set_defaults(node: wire.pps.Input, *, pipeline: str, project: str, now: Callable[[wire.Timestamp], None]) -> None:
    """Fill in the fields that a spec may omit: branch, name, project, repo type; ``now`` sets a Timestamp to the present."""
    counts: dict[str, int] = {}
    for inner in visit(node):
        _sort_members(inner)
        if inner.HasField("pfs"):
            pfs = inner.pfs
            if pfs.HasField("trigger") and not pfs.branch:
                counts[pfs.repo] = counts.get(pfs.repo, 0) + 1
                pfs.branch = f"{pipeline}-trigger-{counts[pfs.repo]}"
                pfs.trigger.branch = pfs.trigger.branch or "master"
            _set_pfs_defaults(pfs, project)
        if inner.HasField("cron"):
            _set_cron_defaults(inner.cron, pipeline, project, now)


def _sort_members(node: wire.pps.Input) -> None:
    for kind in COMPOUND:
        members = members_of(node, kind)
        if len(members) > 1:
            copies = [wire.pps.Input.FromString(member.SerializeToString()) for member in sorted(members, key=name_of)]
            del members[:]
            members.extend(copies)


def _set_pfs_defaults(pfs: wire.pps.PfsInput, project: str) -> None:
    pfs.project = pfs.project or project
    pfs.branch = pfs.branch or "master"
    pfs.name = pfs.name or pfs.repo
    pfs.repo_type = pfs.repo_type or USER
    if pfs.glob:
        pfs.glob = clean_path(pfs.glob)


def _set_cron_defaults(
    cron_input: wire.pps.CronInput, pipeline: str, project: str, now: Callable[[wire.Timestamp], None]
) -> None:
    cron_input.project = cron_input.project or project
    cron_input.repo = cron_input.repo or f"{pipeline}_{cron_input.name}"
    if not cron_input.HasField("start"):
        now(cron_input.start)


def clean_path(path: str) -> str:
    """``path`` absolute, without doubled or trailing slashes."""
    return posixpath.normpath("/" + path.lstrip("/"))


def validate(node: wire.pps.Input) -> None:
    """Refuse an input that pachd would refuse or that minipdk does not support. Defaults have been set."""
    _validate_names(node, set())
    validate_kinds(node)
    for inner in visit(node):
        match kinds(inner)[0]:
            case "pfs":
                _validate_pfs(inner.pfs)
            case "cron":
                _validate_cron(inner.cron)
            case kind:
                if kind != "cross" and has_s3(inner):
                    raise PachydermError(f"S3 inputs in {kind} expressions are not supported")


def validate_kinds(node: wire.pps.Input) -> None:
    """Refuse an input, or a member of one, that is not of exactly one kind."""
    for inner in visit(node):
        if not (present := kinds(inner)):
            raise PachydermError("no input set")
        if len(present) > 1:
            raise PachydermError(f"multiple input types set: {', '.join(present)}")


def _validate_pfs(pfs: wire.pps.PfsInput) -> None:
    if not pfs.repo:
        raise PachydermError("input must specify a repo")
    if pfs.s3:
        _validate_s3(pfs)
    if not pfs.glob:
        raise PachydermError(f'input "{pfs.name}" must specify a glob, such as "/*" for one datum per top-level file')
    if pfs.commit:
        raise PachydermError("input cannot come from a commit; use a branch with head pointing to the commit")


def _validate_s3(pfs: wire.pps.PfsInput) -> None:
    if pfs.glob != "/":
        raise PachydermError(
            f"input \"{pfs.name}\" sets 's3' and must also set 'glob' to \"/\": the S3 gateway shows a commit as a whole"
        )
    for name in ("lazy", "empty_files"):
        if getattr(pfs, name):
            raise PachydermError(f"input cannot specify both 's3' and '{name}': its data are read through S3, not as files")


def has_s3(node: wire.pps.Input) -> bool:
    """Whether any of the pfs inputs is read through S3."""
    return any(leaf.pfs.s3 for leaf in leaves(node) if leaf.HasField("pfs"))


def uses_s3(details: wire.pps.PipelineInfoDetails) -> bool:
    """Whether a pipeline reads or writes through S3."""
    return details.s3_out or has_s3(details.input)


def _validate_cron(cron_input: wire.pps.CronInput) -> None:
    if cron_input.commit:
        raise PachydermError("input cannot come from a commit; use a branch with head pointing to the commit")
    try:
        cron.parse(cron_input.spec)
    except cron.CronError as error:
        raise PachydermError(f"error parsing cron-spec: {error}") from None


def _validate_names(node: wire.pps.Input, taken: set[str]) -> None:
    """Names are unique, except that the members of a union, which never meet in one datum, may share one."""
    if kinds(node) in (["pfs"], ["cron"]):
        name = name_of(node)
        if not name:
            raise PachydermError("input must specify a name")
        if name in RESERVED_NAMES:
            raise PachydermError(f"input cannot be named {name}: give it another with 'name'")
        if name.startswith("/") or "\0" in name or not {".", ".."}.isdisjoint(name.split("/")):
            raise PachydermError(f'input cannot be named "{name}": its files are in /pfs/<name>, which must be below /pfs')
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
        for member in members_of(node, kind):
            _validate_names(member, taken)
