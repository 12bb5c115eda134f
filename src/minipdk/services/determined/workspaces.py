"""Workspaces and their projects. The built-in "Uncategorized" of both cannot be changed or removed."""

from __future__ import annotations

import re
import uuid
from typing import Any

from minipdk.services.determined.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from minipdk.services.determined.model import Project, Workspace
from minipdk.services.determined.store import Store

UNCATEGORIZED = 1
LONGEST_NAME = 80
LONGEST_KEY = 5


class Workspaces:
    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction():
            store.workspaces.add_built_in()

    def all(self) -> list[Workspace]:
        return self._store.workspaces.all()

    def get(self, workspace_id: int) -> Workspace:
        if workspace := self._store.workspaces.get(workspace_id):
            return workspace
        raise NotFoundError(f"workspace '{workspace_id}' not found")

    def get_by_name(self, name: str) -> Workspace:
        if workspace := self._store.workspaces.by_name(name):
            return workspace
        raise NotFoundError(f"workspace '{name}' not found")

    def create(self, name: str, user_id: int) -> Workspace:
        _check_workspace_name(name)
        with self._store.transaction():
            self._check_free(name)
            workspace_id = self._store.workspaces.add(name, user_id)
        return self.get(workspace_id)

    def check_changeable(self, workspace_id: int) -> Workspace:
        """The workspace. Raises FailedPreconditionError when it is built in or archived."""
        workspace = self.get(workspace_id)
        _check_changeable("workspace", workspace)
        _check_takes_projects(workspace)
        return workspace

    def rename(self, workspace_id: int, name: str) -> Workspace:
        self.check_changeable(workspace_id)
        _check_workspace_name(name)
        with self._store.transaction():
            self._check_free(name, except_id=workspace_id)
            self._store.workspaces.rename(workspace_id, name)
        return self.get(workspace_id)

    def archive(self, workspace_id: int, archived: bool) -> None:
        """Archive or unarchive the workspace with its projects and their experiments."""
        _check_changeable("workspace", self.get(workspace_id))
        self._store.workspaces.set_archived(workspace_id, archived)

    def delete(self, workspace_id: int) -> None:
        workspace = self.get(workspace_id)
        _check_changeable("workspace", workspace)
        with self._store.transaction():
            if workspace.num_experiments:
                raise FailedPreconditionError(
                    f"workspace {workspace.name!r} holds {workspace.num_experiments} experiments: delete or move them first"
                )
            if self._store.workspaces.has_models(workspace_id):
                raise FailedPreconditionError(f"workspace {workspace.name!r} holds models: delete or move them first")
            self._store.workspaces.delete(workspace_id)

    def _check_free(self, name: str, except_id: int = 0) -> None:
        existing = self._store.workspaces.by_name(name)
        if existing and existing.id != except_id:
            raise AlreadyExistsError(
                f"workspace {name!r} already exists: avoid names equal to other workspaces (case-insensitive)"
            )

    def projects(self, workspace_id: int) -> list[Project]:
        self.get(workspace_id)
        return self._store.projects.of_workspace(workspace_id)

    def project(self, project_id: int) -> Project:
        if project := self._store.projects.get(project_id):
            return project
        raise NotFoundError(f"project '{project_id}' not found")

    def project_by_key(self, key: str) -> Project:
        if project := self._store.projects.by_key(key):
            return project
        raise NotFoundError(f"project '{key}' not found")

    def project_by_name(self, workspace_name: str, name: str) -> Project:
        workspace = self._store.workspaces.by_name(workspace_name)
        project = self._store.projects.by_name(workspace.id, name) if workspace else None
        if project is None:
            raise NotFoundError(f"workspace/project '{workspace_name}/{name}' not found")
        return project

    def open_project(self, project_id: int) -> Project:
        """A project that takes experiments. Raises FailedPreconditionError when it is archived."""
        project = self.project(project_id)
        _check_open(project)
        return project

    def create_project(self, workspace_id: int, name: str, description: str, key: str | None, user_id: int) -> Project:
        workspace = self.check_changeable(workspace_id)
        _check_name("project", name)
        with self._store.transaction():
            if self._store.projects.by_name(workspace_id, name):
                raise AlreadyExistsError(f"workspace {workspace.name!r}: project name {name} is already in use")
            key = self._checked_key(key) if key else self._new_key(name)
            project_id = self._store.projects.add(workspace_id, name, key=key, description=description, user_id=user_id)
        return self.project(project_id)

    def update_project(self, project_id: int, changes: dict[str, Any]) -> Project:
        """Set any of name, description, key and notes (a list of {name, contents})."""
        project = self.project(project_id)
        if changes.keys() - {"notes"}:
            if project.archived or project.workspace_archived:
                raise FailedPreconditionError(
                    f"unarchive it first: project ({project_id}) is archived and cannot have attributes updated"
                )
            _check_changeable("project", project)
        with self._store.transaction():
            if "name" in changes:
                _check_name("project", changes["name"])
            if "key" in changes and changes["key"] != project.key:
                key = changes["key"]
                changes = {**changes, "key": self._checked_key(key) if key else self._new_key(project.name)}
            self._store.projects.update(project_id, **changes)
        return self.project(project_id)

    def archive_project(self, project_id: int, archived: bool) -> None:
        project = self.project(project_id)
        _check_changeable("project", project)
        if project.workspace_archived:
            raise FailedPreconditionError(
                "This project belongs to an archived workspace. To make changes, first unarchive the workspace."
            )
        self._store.projects.set_archived(project_id, archived)

    def delete_project(self, project_id: int) -> None:
        project = self.project(project_id)
        _check_changeable("project", project)
        if project.num_experiments:
            raise FailedPreconditionError(
                f"project {project.name!r} holds {project.num_experiments} experiments: delete or move them first"
            )
        self._store.projects.delete(project_id)

    def move_project(self, project: Project, workspace: Workspace) -> None:
        """Move a project with its experiments to another workspace, which must take projects."""
        _check_changeable("project", project)
        _check_changeable("workspace", workspace)
        _check_takes_projects(workspace)
        with self._store.transaction():
            if self._store.projects.by_name(workspace.id, project.name):
                raise AlreadyExistsError(f"project with name '{project.name}' already exists in target workspace")
            self._store.projects.update(project.id, workspace_id=workspace.id)

    def resolve_project(self, config: dict[str, Any], project_id: int) -> Project:
        """Where a new experiment goes: the request's project, else the configuration's, else Uncategorized."""
        workspace, name = config["workspace"], config["project"]
        if project_id:
            project = self.project(project_id)
        elif workspace and name:
            project = self.project_by_name(workspace, name)
        elif workspace or name:
            missing = "project" if workspace else "workspace"
            raise InvalidArgumentError(
                f"{missing} is missing: workspace and project must both be included in config if one is provided"
            )
        else:
            project = self.project(UNCATEGORIZED)
        _check_open(project)
        return project

    def _checked_key(self, key: str) -> str:
        """The key in capitals, as Determined keeps it."""
        if len(key) > LONGEST_KEY:
            raise InvalidArgumentError(f"key: {key!r}: project key cannot be longer than {LONGEST_KEY} characters")
        if not re.fullmatch(r"[A-Za-z0-9]+", key):
            raise InvalidArgumentError(f"project key can only contain alphanumeric characters: {key}")
        if self._store.projects.by_key(key.upper()):
            raise AlreadyExistsError(f"project key {key.upper()} is already in use")
        return key.upper()

    def _new_key(self, name: str) -> str:
        prefix = re.sub(r"[^A-Z0-9]", "", name.upper())[:3]
        while True:
            key = (prefix + uuid.uuid4().hex.upper())[:5]
            if not self._store.projects.by_key(key):
                return key


def _check_changeable(kind: str, noun: Workspace | Project) -> None:
    if noun.immutable:
        raise FailedPreconditionError(f"the {kind} {noun.name!r} is built in and cannot be changed")


def _check_open(project: Project) -> None:
    if project.archived:
        raise FailedPreconditionError(
            f"unarchive {project.name!r} first: project ({project.id}) is archived and cannot add new experiments"
        )


def _check_takes_projects(workspace: Workspace) -> None:
    if workspace.archived:
        raise FailedPreconditionError(
            f"unarchive it first: workspace ({workspace.id}) is archived and cannot add new projects"
        )


def _check_workspace_name(name: str) -> None:
    if not name:
        raise InvalidArgumentError(f"name '{name}' must be at least 1 character long")
    if not name.strip():
        raise InvalidArgumentError("name must contain at least non-whitespace letter")
    if len(name.encode()) > LONGEST_NAME:  # Determined's words have a smaller number than its rule
        raise InvalidArgumentError(
            f"{len(name.encode())} bytes are more than {LONGEST_NAME}: name '{name}' must be at most 53 character long"
        )


def _check_name(kind: str, name: str) -> None:
    if not name.strip():
        raise InvalidArgumentError(f"{kind} name must not be blank")
    if len(name.encode()) > LONGEST_NAME:
        raise InvalidArgumentError(f"{kind} name must have at most {LONGEST_NAME} bytes, not {len(name.encode())}")
