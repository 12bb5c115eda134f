"""The key-value pairs that users attach to projects, repos, branches, commits, pipelines and the cluster."""

from __future__ import annotations

from collections.abc import Iterable

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import FailedPreconditionError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs, store
from minipdk.services.pachyderm.pfs.messages import picked_branch, picked_commit, picked_repo
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.system import Pps
from minipdk.services.pachyderm.store import MetadataStore, MetadataTable

Target = tuple[MetadataTable, int, str]
"""The table and row of a noun of PFS, and its name."""


class Metadata:
    """Reads and edits metadata, wherever it is kept."""

    def __init__(self, pfs: Pfs, pps: Pps) -> None:
        self._pfs, self._pps = pfs, pps
        self._store = MetadataStore(pfs.db)

    def of_cluster(self) -> dict[str, str]:
        return self._store.cluster()

    def edit(self, edits: Iterable[wire.metadata.Edit]) -> None:
        """Make every edit or none; the error has the failures of all of them."""
        failures: list[str] = []
        with self._pfs.transaction():
            for number, edit in enumerate(edits):
                try:
                    self._edit(edit)
                except PachydermError as error:
                    failures.append(f"edit #{number}: {error}")
            if failures:
                words = "apply edits: " + "\n".join(failures)
                raise FailedPreconditionError(words) if "already exists" in words else PachydermError(words)

    def _edit(self, edit: wire.metadata.Edit) -> None:
        match edit.WhichOneof("target"):
            case "cluster":
                self._store.set_cluster(_edited(edit, self.of_cluster(), "cluster metadata"))
            case "pipeline":
                self._edit_pipeline(edit, edit.pipeline)
            case "project":
                self._edit_row(edit, "project", self._project(edit.project))
            case "repo":
                self._edit_row(edit, "repo", self._repo(edit.repo))
            case "branch":
                self._edit_row(edit, "branch", self._branch(edit.branch))
            case "commit":
                self._edit_row(edit, "commit", self._commit(edit.commit))

    def _edit_row(self, edit: wire.metadata.Edit, kind: str, target: Target) -> None:
        table, row, name = target
        self._store.set(table, row, _edited(edit, self._store.get(table, row), f'{kind} "{name}"'))

    def _project(self, picker: wire.pfs.ProjectPicker) -> Target:
        if not picker.name:
            raise PachydermError("pick project: project picker cannot be nil")
        name = self._pfs.inspect_project(picker.name).name
        return "projects", self._store.project(name), name

    def _repo(self, picker: wire.pfs.RepoPicker) -> Target:
        repo = picked_repo(picker)
        return "repos", store.repos.get(self._pfs.db.connection(), repo).id, str(repo)

    def _branch(self, picker: wire.pfs.BranchPicker) -> Target:
        branch = picked_branch(picker)
        return "branches", store.branches.get(self._pfs.db.connection(), branch).id, str(branch)

    def _commit(self, picker: wire.pfs.CommitPicker) -> Target:
        row = self._pfs.commits.pick(picked_commit(picker))
        return "commits", row.id, str(row.commit)

    def _edit_pipeline(self, edit: wire.metadata.Edit, picker: wire.pps.PipelinePicker) -> None:
        key = Key(picker.name.project.name or DEFAULT_PROJECT, picker.name.name)
        info = self._pps.pipelines.get(key)
        metadata = _edited(edit, dict(info.metadata), f'pipeline "{key}"')
        info.metadata.clear()
        info.metadata.update(metadata)
        self._pps.store.put_pipeline(info)


def _edited(edit: wire.metadata.Edit, metadata: dict[str, str], name: str) -> dict[str, str]:
    """``metadata`` after the edit's operation."""
    match edit.WhichOneof("op"):
        case "replace":
            return dict(edit.replace.replacement)
        case "delete_key":
            return {key: value for key, value in metadata.items() if key != edit.delete_key.key}
        case "add_key":
            key, value = edit.add_key.key, edit.add_key.value
            if key in metadata:
                raise PachydermError(f'edit {name}: add_key target key "{key}" already exists; use edit_key instead')
            return metadata | {key: value}
        case "edit_key":
            return metadata | {edit.edit_key.key: edit.edit_key.value}
        case None:
            return metadata
