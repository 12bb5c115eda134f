"""Calls about projects and repos."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError, PachydermError
from minipdk.services.pachyderm.pfs.api.base import Calls
from minipdk.services.pachyderm.pfs.messages import project_info_message, repo_from, repo_info_message, repo_message
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT, ProjectInfo, RepoInfo, validate_name
from minipdk.services.pachyderm.required_fields import require


class RepoCalls(Calls):
    # Projects

    def create_project(self, request: wire.pfs.CreateProjectRequest, _context: object) -> wire.Empty:
        require(request, "project")
        self._pfs.projects.create(request.project.name, request.description, update=request.update)
        return wire.Empty()

    def inspect_project(self, request: wire.pfs.InspectProjectRequest, _context: object) -> wire.pfs.ProjectInfo:
        require(request, "project")
        return self._project_message(self._pfs.projects.inspect(request.project.name))

    def _project_message(self, info: ProjectInfo) -> wire.pfs.ProjectInfo:
        return project_info_message(info, self._auth_info(info))

    def inspect_project_v2(
        self, request: wire.pfs.InspectProjectV2Request, _context: object
    ) -> wire.pfs.InspectProjectV2Response:
        info = self._pfs.projects.inspect(request.project.name)
        return wire.pfs.InspectProjectV2Response(
            info=self._project_message(info), defaults_json=self._project_defaults(info.name)
        )

    def list_project(self, _request: wire.pfs.ListProjectRequest, _context: object) -> Iterator[wire.pfs.ProjectInfo]:
        return map(self._project_message, self._pfs.projects.all())

    def delete_project(self, request: wire.pfs.DeleteProjectRequest, _context: object) -> wire.Empty:
        """``force`` changes nothing: it would leave repos without a project, so a project with repos is refused."""
        self._pfs.projects.delete(request.project.name)
        return wire.Empty()

    # Repos

    def create_repo(self, request: wire.pfs.CreateRepoRequest, _context: object) -> wire.Empty:
        if request.HasField("repo"):
            validate_name(request.repo.name)  # here an empty name is a name, not an unset repo
        self._pfs.create_repo(repo_from(request.repo), request.description, update=request.update)
        return wire.Empty()

    def inspect_repo(self, request: wire.pfs.InspectRepoRequest, _context: object) -> wire.pfs.RepoInfo:
        info = self._pfs.inspect_repo(repo_from(request.repo))
        return repo_info_message(info, self._auth_info(info), details=True)

    def list_repo(self, request: wire.pfs.ListRepoRequest, _context: object) -> Iterator[wire.pfs.RepoInfo]:
        infos = self._pfs.list_repos(request.type, [project.name for project in request.projects])
        listed = _page(infos, request.page) if request.HasField("page") else infos
        return (repo_info_message(info, self._auth_info(info)) for info in listed)

    def delete_repo(self, request: wire.pfs.DeleteRepoRequest, _context: object) -> wire.pfs.DeleteRepoResponse:
        if not request.repo.name:
            raise InvalidRequestError("no repo specified")
        deleted = self._pfs.delete_repo(repo_from(request.repo), force=request.force)
        return wire.pfs.DeleteRepoResponse(deleted=deleted)

    def delete_repos(self, request: wire.pfs.DeleteReposRequest, _context: object) -> wire.pfs.DeleteReposResponse:
        projects = [project.name for project in request.projects]
        deleted = self._pfs.repos.delete_all(projects, force=request.force) if projects or request.all else []
        return wire.pfs.DeleteReposResponse(repos=[repo_message(repo) for repo in deleted])

    def delete_all(self, _request: wire.Empty, _context: object) -> wire.Empty:
        """Remove every repo, and every project but the default one."""
        with self._pfs.transaction():
            self._pfs.repos.delete_all([], force=True)
            for info in self._pfs.projects.all():
                if info.name != DEFAULT_PROJECT:
                    self._pfs.projects.delete(info.name)
        return wire.Empty()

    def repos_summary(self, request: wire.pfs.ReposSummaryRequest, _context: object) -> wire.pfs.ReposSummaryResponse:
        """The number of repos and their total size for each project that has repos."""
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


def _page(infos: list[RepoInfo], page: wire.pfs.RepoPage) -> list[RepoInfo]:
    """One page of the repos in order of their names."""
    if page.order != wire.pfs.RepoPageOrdering.Value("PROJECT_REPO"):
        raise PachydermError(f"cannot make page order bys for ordering {page.order}")
    if page.page_size <= 0 or page.page_index < 0:
        raise PachydermError("page size must be positive and page index must not be negative")
    return infos[page.page_size * page.page_index :][: page.page_size]
