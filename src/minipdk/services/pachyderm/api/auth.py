"""Authentication as its clients see it: one user, root, known by the cluster's token (`rpc` checks it on every call).

A pipeline that calls with a token of its own (`callers`) may do what root may, under its own name.
Root has the one role there is, on the whole cluster. There are no robots, groups or identity providers: calls that would
make some are refused by name, calls that list them find none. With `minipdk start --no-auth` there is no user at all.
"""

from __future__ import annotations

from typing import Any, NoReturn

from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import AuthActivatedError, AuthNotActivatedError, PachydermError

ROOT_USER = "pach:root"
ROLE = "clusterAdmin"


class AuthServicer:
    """auth_v2.API for a cluster with a single user who may do everything."""

    def who_am_i(self, _request: Any, _context: object) -> Any:
        caller = callers.current.get()
        username = f"pipeline:{caller.project}/{caller.pipeline}" if caller else ROOT_USER
        return wire.auth.WhoAmIResponse(username=username)

    def activate(self, _request: Any, _context: object) -> NoReturn:
        raise AuthActivatedError

    def authenticate(self, request: Any, _context: object) -> NoReturn:
        if request.oidc_state or request.id_token:
            raise PachydermError(_NO_PROVIDER)
        raise PachydermError("unrecognized authentication mechanism (old pachd?)")

    def get_oidc_login(self, _request: Any, _context: object) -> NoReturn:
        raise PachydermError(_NO_PROVIDER)

    def get_configuration(self, _request: Any, _context: object) -> Any:
        return wire.auth.GetConfigurationResponse(configuration=wire.auth.OidcConfig())

    def authorize(self, request: Any, _context: object) -> Any:
        return wire.auth.AuthorizeResponse(authorized=True, satisfied=request.permissions, principal=ROOT_USER)

    def get_permissions(self, _request: Any, _context: object) -> Any:
        return wire.auth.GetPermissionsResponse(permissions=_every_permission(), roles=[ROLE])

    def get_permissions_for_principal(self, request: Any, context: object) -> Any:
        """Nobody but root has any."""
        if request.principal != ROOT_USER:
            return wire.auth.GetPermissionsResponse()
        return self.get_permissions(request, context)

    def get_roles_for_permission(self, _request: Any, _context: object) -> Any:
        number = wire.auth.ResourceType.Value
        cluster, project, repo = number("CLUSTER"), number("PROJECT"), number("REPO")
        role = wire.auth.Role(
            name=ROLE,
            permissions=_every_permission(),
            can_be_bound_to=[cluster],
            returned_for=[cluster, project, repo],
        )
        return wire.auth.GetRolesForPermissionResponse(roles=[role])

    def get_role_binding(self, request: Any, _context: object) -> Any:
        """Nothing below the cluster has bindings of its own."""
        is_cluster = request.resource.type == wire.auth.ResourceType.Value("CLUSTER")
        entries = {ROOT_USER: wire.auth.Roles(roles={ROLE: True})} if is_cluster else {}
        return wire.auth.GetRoleBindingResponse(binding=wire.auth.RoleBinding(entries=entries))

    def get_groups(self, _request: Any, _context: object) -> Any:
        return wire.auth.GetGroupsResponse()

    def get_groups_for_principal(self, _request: Any, _context: object) -> Any:
        return wire.auth.GetGroupsResponse()

    def get_users(self, _request: Any, _context: object) -> Any:
        return wire.auth.GetUsersResponse()

    def extract_auth_tokens(self, _request: Any, _context: object) -> Any:
        """The tokens of robots: there are none."""
        return wire.auth.ExtractAuthTokensResponse()


class InactiveServicer:
    """auth_v2.API and identity_v2.API of a cluster without authentication: every call fails as pachd's does then."""

    def __getattr__(self, _call: str) -> Any:
        return _refuse


_NO_PROVIDER = "no OIDC provider is configured"


def _refuse(_request: Any, _context: object) -> NoReturn:
    raise AuthNotActivatedError


def _every_permission() -> list[int]:
    return [number for number in wire.auth.Permission.values() if number]
