"""Authentication as its clients see it: one user, root, known by the cluster's token (`rpc` checks it on every call).

A pipeline that calls with its own token (`callers`) has root's permissions, under its own name. Root has the only role, on
the whole cluster. There are no robots, groups or identity providers: calls that would make some are refused by name, calls
that list them return none. With `minipdk start --no-auth` there is no user at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import AuthActivatedError, AuthNotActivatedError, PachydermError

ROOT_USER = "pach:root"
ROLE = "clusterAdmin"


class AuthServicer:
    """auth_v2.API for a cluster with a single user who has every permission."""

    def who_am_i(self, _request: wire.auth.WhoAmIRequest, _context: object) -> wire.auth.WhoAmIResponse:
        caller = callers.current.get()
        username = f"pipeline:{caller.project}/{caller.pipeline}" if caller else ROOT_USER
        return wire.auth.WhoAmIResponse(username=username)

    def activate(self, _request: wire.auth.ActivateRequest, _context: object) -> NoReturn:
        raise AuthActivatedError

    def authenticate(self, request: wire.auth.AuthenticateRequest, _context: object) -> NoReturn:
        if request.oidc_state or request.id_token:
            raise PachydermError(_NO_PROVIDER)
        raise PachydermError("unrecognized authentication mechanism (old pachd?)")

    def get_oidc_login(self, _request: wire.auth.GetOidcLoginRequest, _context: object) -> NoReturn:
        raise PachydermError(_NO_PROVIDER)

    def get_configuration(
        self, _request: wire.auth.GetConfigurationRequest, _context: object
    ) -> wire.auth.GetConfigurationResponse:
        return wire.auth.GetConfigurationResponse(configuration=wire.auth.OidcConfig())

    def authorize(self, request: wire.auth.AuthorizeRequest, _context: object) -> wire.auth.AuthorizeResponse:
        return wire.auth.AuthorizeResponse(authorized=True, satisfied=request.permissions, principal=ROOT_USER)

    def get_permissions(
        self, _request: wire.auth.GetPermissionsRequest, _context: object
    ) -> wire.auth.GetPermissionsResponse:
        return _permissions_of_root()

    def get_permissions_for_principal(
        self, request: wire.auth.GetPermissionsForPrincipalRequest, _context: object
    ) -> wire.auth.GetPermissionsResponse:
        """Only root has any."""
        return _permissions_of_root() if request.principal == ROOT_USER else wire.auth.GetPermissionsResponse()

    def get_roles_for_permission(
        self, _request: wire.auth.GetRolesForPermissionRequest, _context: object
    ) -> wire.auth.GetRolesForPermissionResponse:
        number = wire.auth.ResourceType.Value
        cluster, project, repo = number("CLUSTER"), number("PROJECT"), number("REPO")
        role = wire.auth.Role(
            name=ROLE,
            permissions=_every_permission(),
            can_be_bound_to=[cluster],
            returned_for=[cluster, project, repo],
        )
        return wire.auth.GetRolesForPermissionResponse(roles=[role])

    def get_role_binding(
        self, request: wire.auth.GetRoleBindingRequest, _context: object
    ) -> wire.auth.GetRoleBindingResponse:
        """Only the cluster has bindings, nothing below it."""
        is_cluster = request.resource.type == wire.auth.ResourceType.Value("CLUSTER")
        entries = {ROOT_USER: wire.auth.Roles(roles={ROLE: True})} if is_cluster else {}
        return wire.auth.GetRoleBindingResponse(binding=wire.auth.RoleBinding(entries=entries))

    def get_groups(self, _request: wire.auth.GetGroupsRequest, _context: object) -> wire.auth.GetGroupsResponse:
        return wire.auth.GetGroupsResponse()

    def get_groups_for_principal(
        self, _request: wire.auth.GetGroupsForPrincipalRequest, _context: object
    ) -> wire.auth.GetGroupsResponse:
        return wire.auth.GetGroupsResponse()

    def get_users(self, _request: wire.auth.GetUsersRequest, _context: object) -> wire.auth.GetUsersResponse:
        return wire.auth.GetUsersResponse()

    def extract_auth_tokens(
        self, _request: wire.auth.ExtractAuthTokensRequest, _context: object
    ) -> wire.auth.ExtractAuthTokensResponse:
        """The tokens of robots, which do not exist."""
        return wire.auth.ExtractAuthTokensResponse()


class InactiveServicer:
    """auth_v2.API and identity_v2.API of a cluster without authentication: every call fails like pachd's."""

    def __getattr__(self, _call: str) -> Callable[[wire.Message, object], NoReturn]:
        return _refuse


_NO_PROVIDER = "no OIDC provider is configured"


def _refuse(_request: wire.Message, _context: object) -> NoReturn:
    raise AuthNotActivatedError


def _permissions_of_root() -> wire.auth.GetPermissionsResponse:
    return wire.auth.GetPermissionsResponse(permissions=_every_permission(), roles=[ROLE])


def _every_permission() -> list[int]:
    return [number for number in wire.auth.Permission.values() if number]
