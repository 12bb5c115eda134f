"""``edit metadata``: the keys and values that people keep with a cluster's objects."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer
from pachyderm_sdk.api import metadata, pfs, pps

from pachctl import client, output, verbs
from pachctl.errors import PachctlError

_WORD = r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([^=;"\']+)'
_PAIR = re.compile(rf"\s*(?:{_WORD})=(?:{_WORD}|)\s*(?:;|$)")


@verbs.edit.command("metadata")
def edit_metadata(
    edits: Annotated[
        list[str],
        typer.Argument(metavar="(cluster|project|repo|branch|commit|pipeline OBJECT add|edit|delete|replace DATA)..."),
    ],
) -> None:
    """Change the metadata of objects: all edits, or none of them. DATA is KEY=VALUE, for delete KEY, for replace JSON."""
    if len(edits) % 4:
        raise PachctlError("must supply arguments in multiples of 4: OBJECT-TYPE OBJECT OPERATION DATA")
    parsed = [_edit(*edits[at : at + 4]) for at in range(0, len(edits), 4)]
    client.connect().metadata.edit_metadata(edits=parsed)
    output.note("ok")


def _edit(kind: str, name: str, operation: str, data: str) -> metadata.Edit:
    return metadata.Edit(**_target(kind.lower(), name), **_operation(operation.lower(), data))


def _target(kind: str, name: str) -> dict[str, Any]:
    """The object that an edit is about, as the picker that the call takes."""
    if kind == "cluster":
        return {kind: metadata.ClusterPicker()}
    if kind == "project":
        return {kind: pfs.ProjectPicker(name=name)}
    if kind == "repo":
        return {kind: _repo(client.repo(name))}
    if kind == "branch":
        return {kind: _branch(client.branch(name))}
    if kind == "commit":
        return {kind: _commit(client.version_of(name))}
    if kind == "pipeline":
        project, _, pipeline = name.rpartition("/")
        where = pfs.ProjectPicker(name=client.project(project))
        return {kind: pps.PipelinePicker(name=pps.PipelinePickerPipelineName(project=where, name=pipeline))}
    raise PachctlError(f'unknown object type "{kind}": use cluster, project, repo, branch, commit or pipeline')


def _repo(repo: pfs.Repo) -> pfs.RepoPicker:
    project = pfs.ProjectPicker(name=repo.project.name)
    return pfs.RepoPicker(name=pfs.RepoPickerRepoName(project=project, name=repo.name, type=repo.type))


def _branch(branch: pfs.Branch) -> pfs.BranchPicker:
    return pfs.BranchPicker(name=pfs.BranchPickerBranchName(repo=_repo(branch.repo), name=branch.name))


def _commit(commit: pfs.Commit) -> pfs.CommitPicker:
    if not commit.id:
        return pfs.CommitPicker(branch_head=_branch(commit.branch))
    if not client.is_id(commit.id):
        raise PachctlError(f'unable to parse commit picker "{commit.id}": name the commit by its branch or its id')
    return pfs.CommitPicker(id=pfs.CommitPickerCommitByGlobalId(repo=_repo(commit.repo), id=commit.id))


def _operation(operation: str, data: str) -> dict[str, Any]:
    if operation == "delete":
        return {"delete_key": metadata.EditDeleteKey(key=data)}
    values = pairs(data)
    if operation == "replace":
        return {"replace": metadata.EditReplace(replacement=values)}
    if operation not in ("add", "edit"):
        raise PachctlError(f'unknown operation "{operation}": use add, edit, delete or replace')
    if len(values) != 1:
        raise PachctlError(f"{operation} takes one KEY=VALUE, not {data!r}")
    key, value = next(iter(values.items()))
    kind = metadata.EditAddKey if operation == "add" else metadata.EditEditKey
    return {f"{operation}_key": kind(key=key, value=value)}


def pairs(text: str) -> dict[str, str]:
    """``key=value;key2="value 2"`` or a JSON object of strings; a backslash escapes inside double quotes."""
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except ValueError as error:
            raise PachctlError(f"cannot read {text!r} as JSON: {error}") from error
        if not all(isinstance(value, str) for value in values.values()):
            raise PachctlError(f"the values of metadata are strings: {text}")
        return dict(values)
    result: dict[str, str] = {}
    at = 0
    while at < len(text):
        if not (match := _PAIR.match(text, at)):
            raise PachctlError(f"cannot read {text[at:]!r}: expected KEY=VALUE, several separated by semicolons")
        key, value = _unquoted(*match.groups()[:3]), _unquoted(*match.groups()[3:])
        if key in result:
            raise PachctlError(f'duplicate key "{key}"')
        result[key] = value
        at = match.end()
    return result


def _unquoted(double: str | None, single: str | None, bare: str | None) -> str:
    if double is not None:
        try:
            return str(json.loads(f'"{double}"'))
        except ValueError as error:
            raise PachctlError(f'cannot read "{double}": {error}') from error
    return single if single is not None else bare or ""
