"""Workspaces and their projects. Both begin with the built-in "Uncategorized", which cannot be changed or removed."""

from __future__ import annotations

import re
import sqlite3
import uuid
from typing import Any

from minipdk.services.determined.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from minipdk.services.determined.store.schema import dumps
from minipdk.storage import Database

UNCATEGORIZED = 1
MAX_NAME = 80

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


class Workspaces:
    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction() as rows:
            rows.execute("INSERT OR IGNORE INTO workspaces (id, name, user_id, immutable) VALUES (1, 'Uncategorized', 1, 1)")
            rows.execute(
                "INSERT OR IGNORE INTO projects (id, workspace_id, name, key, user_id, immutable)"
                " VALUES (1, 1, 'Uncategorized', 'UNCAT', 1, 1)"
            )

    def all(self) -> list[sqlite3.Row]:
        return self._database.connection().execute(f"{WORKSPACE} ORDER BY workspaces.id").fetchall()

    def get(self, workspace_id: int) -> sqlite3.Row:
        return self._one(f"{WORKSPACE} WHERE workspaces.id = ?", workspace_id, f"workspace {workspace_id} not found")

    def get_by_name(self, name: str) -> sqlite3.Row:
        return self._one(f"{WORKSPACE} WHERE workspaces.name = ?", name, f"workspace {name!r} not found")

    def create(self, name: str, user_id: int) -> sqlite3.Row:
        _check_name("workspace", name)
        with self._database.transaction() as rows:
            if rows.execute("SELECT 1 FROM workspaces WHERE name = ?", (name,)).fetchone():
                raise AlreadyExistsError(f"workspace {name!r} already exists")
            new = rows.execute("INSERT INTO workspaces (name, user_id) VALUES (?, ?)", (name, user_id)).lastrowid
        return self.get(int(new or 0))

    def rename(self, workspace_id: int, name: str) -> sqlite3.Row:
        self._changeable(self.get(workspace_id), "workspace")
        _check_name("workspace", name)
        with self._database.transaction() as rows:
            if rows.execute("SELECT 1 FROM workspaces WHERE name = ? AND id != ?", (name, workspace_id)).fetchone():
                raise AlreadyExistsError(f"workspace {name!r} already exists")
            rows.execute("UPDATE workspaces SET name = ? WHERE id = ?", (name, workspace_id))
        return self.get(workspace_id)

    def archive(self, workspace_id: int, archived: bool) -> None:
        """Archive or unarchive the workspace with its projects and their experiments."""
        self._changeable(self.get(workspace_id), "workspace")
        with self._database.transaction() as rows:
            rows.execute("UPDATE workspaces SET archived = ? WHERE id = ?", (archived, workspace_id))
            rows.execute("UPDATE projects SET archived = ? WHERE workspace_id = ?", (archived, workspace_id))
            rows.execute(
                "UPDATE experiments SET archived = ? WHERE project_id IN (SELECT id FROM projects WHERE workspace_id = ?)",
                (archived, workspace_id),
            )

    def delete(self, workspace_id: int) -> None:
        workspace = self.get(workspace_id)
        self._changeable(workspace, "workspace")
        with self._database.transaction() as rows:
            if workspace["num_experiments"]:
                raise FailedPreconditionError(
                    f"workspace {workspace['name']!r} holds {workspace['num_experiments']} experiments:"
                    " delete or move them first"
                )
            if rows.execute("SELECT 1 FROM models WHERE workspace_id = ?", (workspace_id,)).fetchone():
                raise FailedPreconditionError(f"workspace {workspace['name']!r} holds models: delete or move them first")
            rows.execute("DELETE FROM projects WHERE workspace_id = ?", (workspace_id,))
            rows.execute("DELETE FROM workspaces WHERE id = ?", (workspace_id,))

    def projects(self, workspace_id: int) -> list[sqlite3.Row]:
        self.get(workspace_id)
        query = f"{PROJECT} WHERE workspace_id = ? ORDER BY projects.id"
        return self._database.connection().execute(query, (workspace_id,)).fetchall()

    def project(self, project_id: int) -> sqlite3.Row:
        return self._one(f"{PROJECT} WHERE projects.id = ?", project_id, f"project {project_id} not found")

    def project_by_key(self, key: str) -> sqlite3.Row:
        return self._one(f"{PROJECT} WHERE projects.key = ?", key, f"project with the key {key!r} not found")

    def project_by_name(self, workspace_name: str, name: str) -> sqlite3.Row:
        workspace = self.get_by_name(workspace_name)
        for project in self.projects(workspace["id"]):
            if project["name"] == name:
                return project
        raise NotFoundError(f"project {name!r} not found in the workspace {workspace_name!r}")

    def create_project(self, workspace_id: int, name: str, description: str, key: str | None, user_id: int) -> sqlite3.Row:
        workspace = self.get(workspace_id)
        self._changeable(workspace, "workspace", immutable=False)
        _check_name("project", name)
        with self._database.transaction() as rows:
            if rows.execute("SELECT 1 FROM projects WHERE workspace_id = ? AND name = ?", (workspace_id, name)).fetchone():
                raise AlreadyExistsError(f"project {name!r} already exists in the workspace {workspace['name']!r}")
            key = self._new_key(rows, key, name)
            new = rows.execute(
                "INSERT INTO projects (workspace_id, name, key, description, user_id) VALUES (?, ?, ?, ?, ?)",
                (workspace_id, name, key, description, user_id),
            ).lastrowid
        return self.project(int(new or 0))

    def update_project(self, project_id: int, changes: dict[str, Any]) -> sqlite3.Row:
        """Set any of name, description, key and notes (a list of {name, contents})."""
        project = self.project(project_id)
        if changes.keys() - {"notes"}:
            self._changeable(project, "project")
        with self._database.transaction() as rows:
            for column in ("name", "description", "key", "notes"):
                if column not in changes:
                    continue
                value = changes[column]
                if column == "name":
                    _check_name("project", value)
                if column == "key" and value != project["key"]:
                    value = self._new_key(rows, value, project["name"])
                stored = dumps(value) if column == "notes" else value
                name = "notes_json" if column == "notes" else column
                rows.execute(f"UPDATE projects SET {name} = ? WHERE id = ?", (stored, project_id))  # noqa: S608
        return self.project(project_id)

    def archive_project(self, project_id: int, archived: bool) -> None:
        project = self.project(project_id)
        self._changeable(project, "project")
        if project["workspace_archived"]:
            raise FailedPreconditionError(f"the workspace {project['workspace_name']!r} is archived: unarchive it first")
        with self._database.transaction() as rows:
            rows.execute("UPDATE projects SET archived = ? WHERE id = ?", (archived, project_id))
            rows.execute("UPDATE experiments SET archived = ? WHERE project_id = ?", (archived, project_id))

    def delete_project(self, project_id: int) -> None:
        project = self.project(project_id)
        self._changeable(project, "project")
        if project["num_experiments"]:
            raise FailedPreconditionError(
                f"project {project['name']!r} holds {project['num_experiments']} experiments: delete or move them first"
            )
        with self._database.transaction() as rows:
            rows.execute("DELETE FROM projects WHERE id = ?", (project_id,))

    def resolve_project(self, config: dict[str, Any], project_id: int) -> sqlite3.Row:
        """Where a new experiment goes: the request's project, else the configuration's, else Uncategorized."""
        if project_id:
            project = self.project(project_id)
        elif config["workspace"] or config["project"]:
            if not (config["workspace"] and config["project"]):
                missing = "project" if config["workspace"] else "workspace"
                raise InvalidArgumentError(f"{missing} is required when the other of workspace and project is given")
            project = self.project_by_name(config["workspace"], config["project"])
        else:
            project = self.project(UNCATEGORIZED)
        if project["archived"]:
            raise FailedPreconditionError(f"project {project['name']!r} is archived: unarchive it first")
        return project

    def _one(self, query: str, key: int | str, missing: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._database.connection().execute(query, (key,)).fetchone()
        if row is None:
            raise NotFoundError(missing)
        return row

    @staticmethod
    def _changeable(row: sqlite3.Row, kind: str, *, immutable: bool = True) -> None:
        if immutable and row["immutable"]:
            raise FailedPreconditionError(f"the {kind} {row['name']!r} is built in and cannot be changed")

    @staticmethod
    def _new_key(rows: sqlite3.Connection, key: str | None, name: str) -> str:
        if key:
            if not re.fullmatch(r"[A-Za-z0-9]{1,5}", key):
                raise InvalidArgumentError(f"key: {key!r} must be 1 to 5 letters or digits")
            if rows.execute("SELECT 1 FROM projects WHERE key = ?", (key,)).fetchone():
                raise AlreadyExistsError(f"a project with the key {key!r} already exists")
            return key
        prefix = re.sub(r"[^A-Z0-9]", "", name.upper())[:3]
        while True:
            key = (prefix + uuid.uuid4().hex.upper())[:5]
            if not rows.execute("SELECT 1 FROM projects WHERE key = ?", (key,)).fetchone():
                return key


def _check_name(kind: str, name: str) -> None:
    if not name.strip():
        raise InvalidArgumentError(f"{kind} name must not be blank")
    if len(name) > MAX_NAME:
        raise InvalidArgumentError(f"{kind} name must have at most {MAX_NAME} characters, not {len(name)}")
