"""The calls about projects and repos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs.api.base import Calls, require
from minipdk.services.pachyderm.pfs.messages import project_info_message, repo_from, repo_info_message, repo_message
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT


class RepoCalls(Calls):
    def create_project(self, request: Any, _context: object) -> Any:
        require(request, "project")
        self._pfs.projects.create(request.project.name, request.description, update=request.update)
        return wire.Empty()

    def inspect_project(self, request: Any, _context: object) -> Any:
        require(request, "project")
        return project_info_message(self._pfs.projects.inspect(request.project.name))

    def inspect_project_v2(self, request: Any, _context: object) -> Any:
        info = self._pfs.projects.inspect(request.project.name)
        return wire.pfs.InspectProjectV2Response(
            info=project_info_message(info), defaults_json=self._project_defaults(info.name)
        )

    def list_project(self, _request: Any, _context: object) -> Iterator[Any]:
        return map(project_info_message, self._pfs.projects.all())

    def delete_project(self, request: Any, _context: object) -> Any:
        """``force`` would leave repos without a project behind, so it is refused while there are some, as without it."""
        self._pfs.projects.delete(request.project.name)
        return wire.Empty()

    def create_repo(self, request: Any, _context: object) -> Any:
        self._pfs.create_repo(repo_from(request.repo), request.description, update=request.update)
        return wire.Empty()

    def inspect_repo(self, request: Any, _context: object) -> Any:
        return repo_info_message(self._pfs.inspect_repo(repo_from(request.repo)), details=True)

    def list_repo(self, request: Any, _context: object) -> Iterator[Any]:
        found = self._pfs.list_repos(request.type, [project.name for project in request.projects])
        if request.HasField("page"):
            page = request.page
            if page.order != wire.pfs.RepoPageOrdering.Value("PROJECT_REPO"):
                raise PachydermError(f"cannot make page order bys for ordering {page.order}")
            if page.page_size <= 0 or page.page_index < 0:
                raise PachydermError("page size must be positive and page index must not be negative")
            found.sort(key=lambda info: info.repo)
            found = found[page.page_size * page.page_index :][: page.page_size]
        return map(repo_info_message, found)

    def delete_repo(self, request: Any, _context: object) -> Any:
        if not request.repo.name:
            raise InvalidRequestError("no repo specified")
        deleted = self._pfs.delete_repo(repo_from(request.repo), force=request.force)
        return wire.pfs.DeleteRepoResponse(deleted=deleted)

    def delete_repos(self, request: Any, _context: object) -> Any:
        projects = [project.name for project in request.projects]
        deleted = self._pfs.repos.delete_all(projects, force=request.force) if projects or request.all else []
        return wire.pfs.DeleteReposResponse(repos=[repo_message(repo) for repo in deleted])

    def delete_all(self, _request: Any, _context: object) -> Any:
        """Remove every repo and project but the default one."""
        with self._pfs.transaction():
            self._pfs.repos.delete_all([], force=True)
            for info in self._pfs.projects.all():
                if info.name != DEFAULT_PROJECT:
                    self._pfs.projects.delete(info.name)
        return wire.Empty()

    def repos_summary(self, request: Any, _context: object) -> Any:
        """How many repos the projects have, and their sizes; nothing of those that have none."""
        summaries = []
        for picker in request.projects:
            if not picker.name:
                raise PachydermError("project picker cannot be nil")
            if infos := self._pfs.list_repos("user", [picker.name]):
                summaries.append(
                    wire.pfs.ReposSummary(
                        project=wire.pfs.Project(name=picker.name),
                        user_repo_count=len(infos),
                        size_bytes=sum(info.size for info in infos),
                    )
                )
        return wire.pfs.ReposSummaryResponse(summaries=summaries)
