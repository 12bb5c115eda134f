"""Roles: the permissions of each, the users they are bound to, and a user's permissions on a resource.

Bindings cannot be changed, so they follow from who made a project or repo, as pachd binds roles on creation. The roles, the
order of their permissions and of the bindings come from pachd's ``src/server/auth/server``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.callers import ROOT_USER
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import DEFAULT_PROJECT, Pfs, Repo
from minipdk.services.pachyderm.pfs.model import SPEC, ProjectInfo, RepoInfo

ALL_USERS = "allClusterUsers"
CLUSTER, PROJECT, REPO, SPEC_REPO = "CLUSTER", "PROJECT", "REPO", "SPEC_REPO"

_REPO_READER = (
    "REPO_READ",
    "REPO_INSPECT_COMMIT",
    "REPO_LIST_COMMIT",
    "REPO_LIST_BRANCH",
    "REPO_LIST_FILE",
    "REPO_INSPECT_FILE",
    "REPO_ADD_PIPELINE_READER",
    "REPO_REMOVE_PIPELINE_READER",
    "PIPELINE_LIST_JOB",
)
_REPO_WRITER = (
    *_REPO_READER,
    "REPO_WRITE",
    "REPO_DELETE_COMMIT",
    "REPO_CREATE_BRANCH",
    "REPO_DELETE_BRANCH",
    "REPO_ADD_PIPELINE_WRITER",
)
_REPO_OWNER = (*_REPO_WRITER, "REPO_MODIFY_BINDINGS", "REPO_DELETE")
_PROJECT_VIEWER = ("PROJECT_LIST_REPO",)
_PROJECT_WRITER = (*_PROJECT_VIEWER, "PROJECT_CREATE_REPO")
_PROJECT_OWNER = (*_REPO_OWNER, *_PROJECT_WRITER, "PROJECT_DELETE", "PROJECT_MODIFY_BINDINGS", "PROJECT_SET_DEFAULTS")
_OIDC_APP_ADMIN = tuple(
    f"CLUSTER_IDENTITY_{call}"
    for call in (
        "DELETE_OIDC_CLIENT",
        "CREATE_OIDC_CLIENT",
        "UPDATE_OIDC_CLIENT",
        "LIST_OIDC_CLIENTS",
        "GET_OIDC_CLIENT",
    )
)
_IDP_ADMIN = tuple(f"CLUSTER_IDENTITY_{call}" for call in ("CREATE_IDP", "UPDATE_IDP", "LIST_IDPS", "GET_IDP", "DELETE_IDP"))
_IDENTITY_ADMIN = ("CLUSTER_IDENTITY_SET_CONFIG", "CLUSTER_IDENTITY_GET_CONFIG")
_DEBUGGER = ("CLUSTER_DEBUG_DUMP", "CLUSTER_GET_PACHD_LOGS", "CLUSTER_GET_LOKI_LOGS")
_ROBOT_USER = ("CLUSTER_AUTH_GET_ROBOT_TOKEN",)
_LICENSE_ADMIN = tuple(
    f"CLUSTER_LICENSE_{call}"
    for call in (
        "ACTIVATE",
        "GET_CODE",
        "ADD_CLUSTER",
        "UPDATE_CLUSTER",
        "DELETE_CLUSTER",
        "LIST_CLUSTERS",
    )
)
_SECRET_ADMIN = ("CLUSTER_CREATE_SECRET", "CLUSTER_LIST_SECRETS", "SECRET_INSPECT", "SECRET_DELETE")
_PROJECT_CREATOR = ("PROJECT_CREATE",)
_JOB_ADMIN = ("JOB_SKIP_CTX",)
_CLUSTER_ADMIN = (
    *_REPO_OWNER,
    *_OIDC_APP_ADMIN,
    *_IDP_ADMIN,
    *_IDENTITY_ADMIN,
    *_DEBUGGER,
    *_ROBOT_USER,
    *_LICENSE_ADMIN,
    *_SECRET_ADMIN,
    *_PROJECT_WRITER,
    "PROJECT_DELETE",
    "PROJECT_MODIFY_BINDINGS",
    "PROJECT_SET_DEFAULTS",
    *_PROJECT_CREATOR,
    *_JOB_ADMIN,
    "CLUSTER_MODIFY_BINDINGS",
    "CLUSTER_GET_BINDINGS",
    "CLUSTER_AUTH_ACTIVATE",
    "CLUSTER_AUTH_DEACTIVATE",
    "CLUSTER_AUTH_GET_CONFIG",
    "CLUSTER_AUTH_SET_CONFIG",
    "CLUSTER_AUTH_MODIFY_GROUP_MEMBERS",
    "CLUSTER_AUTH_GET_GROUPS",
    "CLUSTER_AUTH_GET_GROUP_USERS",
    "CLUSTER_AUTH_EXTRACT_TOKENS",
    "CLUSTER_AUTH_RESTORE_TOKEN",
    "CLUSTER_AUTH_ROTATE_ROOT_TOKEN",
    "CLUSTER_AUTH_DELETE_EXPIRED_TOKENS",
    "CLUSTER_AUTH_GET_PERMISSIONS_FOR_PRINCIPAL",
    "CLUSTER_AUTH_REVOKE_USER_TOKENS",
    "CLUSTER_ENTERPRISE_ACTIVATE",
    "CLUSTER_ENTERPRISE_HEARTBEAT",
    "CLUSTER_ENTERPRISE_GET_CODE",
    "CLUSTER_ENTERPRISE_DEACTIVATE",
    "CLUSTER_DELETE_ALL",
    "CLUSTER_ENTERPRISE_PAUSE",
    "CLUSTER_SET_DEFAULTS",
    "CLUSTER_EDIT_CLUSTER_METADATA",
    "CLUSTER_SNAPSHOTTER",
    "CLUSTER_RESTART_PACHYDERM",
)


@dataclass(frozen=True)
class Role:
    """``bound_to`` are the kinds of resources that it can be bound to, ``returned_for`` the ones on which it is shown."""

    permissions: Sequence[str]
    bound_to: Sequence[str] = (CLUSTER,)
    returned_for: Sequence[str] = (CLUSTER,)

    @property
    def numbers(self) -> list[int]:
        """The permissions as the protocol's numbers."""
        return [_PERMISSIONS[name] for name in self.permissions]


ROLES: Mapping[str, Role] = {
    "clusterAdmin": Role(_CLUSTER_ADMIN, returned_for=(CLUSTER, PROJECT, REPO)),
    "projectOwner": Role(_PROJECT_OWNER, (CLUSTER, PROJECT), (PROJECT, REPO)),
    "projectWriter": Role(_PROJECT_WRITER, (CLUSTER, PROJECT), (PROJECT,)),
    "projectViewer": Role(_PROJECT_VIEWER, (CLUSTER, PROJECT), (PROJECT,)),
    "projectCreator": Role(_PROJECT_CREATOR),
    "repoOwner": Role(_REPO_OWNER, (CLUSTER, PROJECT, REPO), (REPO,)),
    "repoWriter": Role(_REPO_WRITER, (CLUSTER, PROJECT, REPO), (REPO,)),
    "repoReader": Role(_REPO_READER, (CLUSTER, PROJECT, REPO), (REPO,)),
    "oidcAppAdmin": Role(_OIDC_APP_ADMIN),
    "idpAdmin": Role(_IDP_ADMIN),
    "identityAdmin": Role(_IDENTITY_ADMIN),
    "debugger": Role(_DEBUGGER),
    "lokiLogReader": Role(("CLUSTER_GET_LOKI_LOGS",)),
    "pachdLogReader": Role(("CLUSTER_GET_PACHD_LOGS",)),
    "robotUser": Role(_ROBOT_USER),
    "licenseAdmin": Role(_LICENSE_ADMIN),
    "secretAdmin": Role(_SECRET_ADMIN),
    "jobAdmin": Role(_JOB_ADMIN, ("JOB", CLUSTER), ("JOB", CLUSTER)),
}

_PERMISSIONS: Mapping[str, int] = dict(wire.auth.Permission.items())

Bindings = Mapping[str, Sequence[str]]
"""The roles of each user."""

_OF_CLUSTER: Bindings = {
    ROOT_USER: ["clusterAdmin"],
    "internal:auth-server": ["clusterAdmin"],
    ALL_USERS: ["projectCreator"],
}
_OF_SPECS: Bindings = {ALL_USERS: ["repoReader"]}


class Permissions(NamedTuple):
    """A user's roles on a resource in order of names, and the permissions of each in turn, as numbers."""

    roles: Sequence[str]
    numbers: Sequence[int]


class Access:
    """The roles that users have on the cluster, its projects and its repos."""

    def __init__(self, pfs: Pfs) -> None:
        self._pfs = pfs

    def bindings(self, kind: str, name: str) -> Bindings:
        """The roles that are bound to one resource alone. Raises NotFoundError for a missing project or repo."""
        if kind == PROJECT:
            return _of_project(self._pfs.inspect_project(name))
        if kind in (REPO, SPEC_REPO):
            return _of_repo(self._pfs.inspect_repo(_repo(name)))
        return _OF_CLUSTER if kind == CLUSTER else {}

    def permissions(self, user: str, kind: str, name: str) -> Permissions:
        """A user's permissions on a resource. Raises PachydermError if no user has a role on it."""
        levels = [_OF_SPECS] if kind == SPEC_REPO else []
        kind = REPO if kind == SPEC_REPO else kind
        levels.append(_OF_CLUSTER)
        if kind == REPO:
            levels.append(self._bindings_of_existing(PROJECT, _repo(name).project))
        if kind != CLUSTER:
            levels.append(self._bindings_of_existing(kind, name))
        return _permissions(tuple(_roles_of(user, levels)), kind)

    def _bindings_of_existing(self, kind: str, name: str) -> Bindings:
        try:
            return self.bindings(kind, name)
        except NotFoundError:
            raise PachydermError(f"no role binding exists for {kind} {name}") from None

    def auth_info(self, info: ProjectInfo | RepoInfo) -> wire.pfs.AuthInfo:
        """The permissions of root, the only user, with a project or repo."""
        if isinstance(info, ProjectInfo):
            permissions = self.permissions(ROOT_USER, PROJECT, info.name)
        else:
            kind = SPEC_REPO if info.repo.type == SPEC else REPO
            permissions = self.permissions(ROOT_USER, kind, f"{info.repo.project}/{info.repo.name}")
        return wire.pfs.AuthInfo(roles=permissions.roles, permissions=permissions.numbers)


def _of_project(info: ProjectInfo) -> Bindings:
    if info.name == DEFAULT_PROJECT:
        return {ALL_USERS: ["projectWriter"]}
    return {info.created_by or ROOT_USER: ["projectOwner"]}


def _of_repo(info: RepoInfo) -> Bindings:
    return {info.created_by or ROOT_USER: ["repoOwner"]}


def _repo(name: str) -> Repo:
    """The user's repo of a resource's name; a system repo has the roles of the user's repo with its name."""
    project, slash, repo = name.partition("/")
    return Repo(project, repo) if slash else Repo(DEFAULT_PROJECT, project)


def _roles_of(user: str, levels: Sequence[Bindings]) -> Iterator[str]:
    return chain.from_iterable(level.get(subject, ()) for level in levels for subject in (user, ALL_USERS))


@lru_cache(maxsize=128)
def _permissions(roles: tuple[str, ...], kind: str) -> Permissions:
    shown = sorted({role for role in roles if kind in ROLES[role].returned_for})
    return Permissions(shown, [number for role in shown for number in ROLES[role].numbers])
