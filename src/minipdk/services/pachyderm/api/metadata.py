"""metadata.API: the key-value pairs that users attach to projects, repos, branches, commits, pipelines and the cluster."""

from __future__ import annotations

import json
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import FailedPreconditionError, InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs, records
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pfs.service.messages import picked_branch, picked_commit, picked_repo
from minipdk.services.pachyderm.pps import Pps
from minipdk.services.pachyderm.pps.store import Key


class MetadataServicer:
    def __init__(self, pfs: Pfs, pps: Pps) -> None:
        self._pfs, self._pps = pfs, pps

    def of_cluster(self) -> dict[str, str]:
        row = self._pfs.db.connection().execute("SELECT metadata FROM cluster_metadata").fetchone()
        return dict(json.loads(row["metadata"])) if row else {}

    def edit_metadata(self, request: Any, _context: object) -> Any:
        """Make every edit or none; the failures of all of them are told together."""
        for edit in request.edits:
            _validate(edit)
        failures: list[str] = []
        with self._pfs.transaction():
            for number, edit in enumerate(request.edits):
                try:
                    self._edit(edit)
                except PachydermError as error:
                    failures.append(f"edit #{number}: {error}")
            if failures:
                words = "apply edits: " + "\n".join(failures)
                raise FailedPreconditionError(words) if "already exists" in words else PachydermError(words)
        return wire.metadata.EditMetadataResponse()

    def _edit(self, edit: Any) -> None:
        target = edit.WhichOneof("target")
        if target == "cluster":
            metadata = _edited(edit, self.of_cluster(), "cluster metadata")
            self._write("INSERT OR REPLACE INTO cluster_metadata (metadata, id) VALUES (?, ?)", metadata, 1)
        elif target == "pipeline":
            self._edit_pipeline(edit)
        else:
            table, row_id, old, name = getattr(self, f"_{target}")(getattr(edit, target))
            metadata = _edited(edit, json.loads(old), f'{target} "{name}"')
            self._write(f"UPDATE {table} SET metadata = ? WHERE rowid = ?", metadata, row_id)  # noqa: S608 (a name of ours)

    def _write(self, statement: str, metadata: dict[str, str], row_id: int) -> None:
        self._pfs.db.connection().execute(statement, (json.dumps(metadata), row_id))

    def _project(self, picker: Any) -> tuple[str, int, str, str]:
        if not picker.name:
            raise PachydermError("pick project: project picker cannot be nil")
        name = self._pfs.inspect_project(picker.name).name
        query = "SELECT rowid, metadata FROM projects WHERE name = ?"
        row = self._pfs.db.connection().execute(query, (name,)).fetchone()
        return "projects", row["rowid"], row["metadata"], name

    def _repo(self, picker: Any) -> tuple[str, int, str, str]:
        repo = picked_repo(picker)
        row = records.repo_row(self._pfs.db.connection(), repo)
        return "repos", row["id"], row["metadata"], str(repo)

    def _branch(self, picker: Any) -> tuple[str, int, str, str]:
        branch = picked_branch(picker)
        row = records.branch_row(self._pfs.db.connection(), branch)
        return "branches", row["id"], row["metadata"], str(branch)

    def _commit(self, picker: Any) -> tuple[str, int, str, str]:
        row = self._pfs.commits.pick(picked_commit(picker))
        return "commits", row["id"], row["metadata"], str(records.commit_handle(row))

    def _edit_pipeline(self, edit: Any) -> None:
        name = edit.pipeline.name
        key = Key(name.project.name or DEFAULT_PROJECT, name.name)
        info = self._pps.pipelines.get(key)
        metadata = _edited(edit, dict(info.metadata), f'pipeline "{key}"')
        info.metadata.clear()
        info.metadata.update(metadata)
        self._pps.store.put_pipeline(info)


def _validate(edit: Any) -> None:
    for group, field in (("target", "Target"), ("op", "Op")):
        if edit.WhichOneof(group) is None:
            raise InvalidRequestError(f"validate request: invalid Edit.{field}: value is required")
    operation = edit.WhichOneof("op")
    keys = list(edit.replace.replacement) if operation == "replace" else [getattr(edit, operation).key]
    if not all(keys):
        kind = "".join(part.title() for part in operation.split("_"))
        raise InvalidRequestError(f"validate request: invalid Edit_{kind}.Key: value length must be at least 1 runes")


def _edited(edit: Any, metadata: dict[str, str], name: str) -> dict[str, str]:
    """What the edit's operation makes of ``metadata``."""
    operation = edit.WhichOneof("op")
    if operation == "replace":
        return dict(edit.replace.replacement)
    if operation == "delete_key":
        return {key: value for key, value in metadata.items() if key != edit.delete_key.key}
    change = getattr(edit, operation)
    if operation == "add_key" and change.key in metadata:
        raise PachydermError(f'edit {name}: add_key target key "{change.key}" already exists; use edit_key instead')
    return metadata | {change.key: change.value}
