"""Workspaces and projects."""

from __future__ import annotations

from minipdk.services.determined.model import Project, Workspace
from minipdk.services.determined.store.records import Table, Value

WORKSPACE = """
    SELECT workspaces.*, username,
        (SELECT count(*) FROM projects WHERE workspace_id = workspaces.id) AS num_projects,
        (SELECT count(*) FROM experiments JOIN projects ON projects.id = project_id
            WHERE workspace_id = workspaces.id) AS num_experiments
    FROM workspaces JOIN users ON users.id = workspaces.user_id
"""
PROJECT = """
    SELECT projects.*, username, workspaces.name AS workspace_name, workspaces.archived AS workspace_archived,
        (SELECT count(*) FROM experiments WHERE project_id = projects.id) AS num_experiments,
        (SELECT count(*) FROM experiments WHERE project_id = projects.id
            AND state NOT IN ('COMPLETED', 'CANCELED', 'ERROR')) AS num_active,
        (SELECT count(*) FROM trials JOIN experiments ON experiments.id = experiment_id
            WHERE project_id = projects.id) AS num_runs,
        (SELECT max(start_time) FROM experiments WHERE project_id = projects.id) AS last_experiment_started_at
    FROM projects JOIN users ON users.id = projects.user_id JOIN workspaces ON workspaces.id = workspace_id
"""


class WorkspaceTable(Table):
    def add_built_in(self) -> None:
        """Add the workspace 1 and its project 1, "Uncategorized", unless they exist."""
        self._write("INSERT OR IGNORE INTO workspaces (id, name, user_id, immutable) VALUES (1, 'Uncategorized', 1, 1)")
        self._write(
            "INSERT OR IGNORE INTO projects (id, workspace_id, name, key, user_id, immutable)"
            " VALUES (1, 1, 'Uncategorized', 'UNCAT', 1, 1)"
        )

    def all(self) -> list[Workspace]:
        return self._all(Workspace, f"{WORKSPACE} ORDER BY workspaces.id")

    def get(self, workspace_id: int) -> Workspace | None:
        return self._first(Workspace, f"{WORKSPACE} WHERE workspaces.id = ?", workspace_id)

    def by_name(self, name: str) -> Workspace | None:
        """Names differ by more than upper and lower case."""
        return self._first(Workspace, f"{WORKSPACE} WHERE workspaces.name = ?", name)

    def add(self, name: str, user_id: int) -> int:
        return self._insert("workspaces", name=name, user_id=user_id)

    def rename(self, workspace_id: int, name: str) -> None:
        self._update("workspaces", workspace_id, name=name)

    def set_archived(self, workspace_id: int, archived: bool) -> None:
        """Archive or unarchive the workspace with its projects and their experiments."""
        with self._database.transaction():
            self._update("workspaces", workspace_id, archived=archived)
            self._write("UPDATE projects SET archived = ? WHERE workspace_id = ?", archived, workspace_id)
            self._write(
                "UPDATE experiments SET archived = ? WHERE project_id IN (SELECT id FROM projects WHERE workspace_id = ?)",
                archived,
                workspace_id,
            )

    def has_models(self, workspace_id: int) -> bool:
        return self._exists("SELECT 1 FROM models WHERE workspace_id = ?", workspace_id)

    def delete(self, workspace_id: int) -> None:
        """Delete the workspace and its projects."""
        with self._database.transaction():
            self._write("DELETE FROM projects WHERE workspace_id = ?", workspace_id)
            self._write("DELETE FROM workspaces WHERE id = ?", workspace_id)


class ProjectTable(Table):
    def of_workspace(self, workspace_id: int) -> list[Project]:
        return self._all(Project, f"{PROJECT} WHERE workspace_id = ? ORDER BY projects.id", workspace_id)

    def get(self, project_id: int) -> Project | None:
        return self._first(Project, f"{PROJECT} WHERE projects.id = ?", project_id)

    def by_key(self, key: str) -> Project | None:
        return self._first(Project, f"{PROJECT} WHERE projects.key = ?", key)

    def by_name(self, workspace_id: int, name: str) -> Project | None:
        return self._first(Project, f"{PROJECT} WHERE workspace_id = ? AND projects.name = ?", workspace_id, name)

    def add(self, workspace_id: int, name: str, *, key: str, description: str, user_id: int) -> int:
        return self._insert(
            "projects", workspace_id=workspace_id, name=name, key=key, description=description, user_id=user_id
        )

    def update(self, project_id: int, **values: Value) -> None:
        self._update("projects", project_id, **values)

    def set_archived(self, project_id: int, archived: bool) -> None:
        """Archive or unarchive the project with its experiments."""
        with self._database.transaction():
            self._update("projects", project_id, archived=archived)
            self._write("UPDATE experiments SET archived = ? WHERE project_id = ?", archived, project_id)

    def delete(self, project_id: int) -> None:
        self._write("DELETE FROM projects WHERE id = ?", project_id)
