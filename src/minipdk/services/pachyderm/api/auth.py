"""Authentication as its clients see it: one user, root, known by the cluster's token (`rpc` checks it on every call).

A pipeline that calls with its own token (`callers`) has root's permissions, under its own name. Roles are bound as pachd
binds them on creation (`roles`), and stay so. There are no robots, groups or identity providers: calls that would make some
are refused by name, calls that list them return none. With `minipdk start --no-auth` there is no user at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.callers import ROOT_USER
from minipdk.services.pachyderm.errors import AuthActivatedError, AuthNotActivatedError, NotFoundError, PachydermError
from minipdk.services.pachyderm.required_fields import require
from minipdk.services.pachyderm.roles import ROLES, Access, Role

if TYPE_CHECKING:
    from minipdk.services.pachyderm.wire.message import EnumType


class AuthServicer:
    """auth_v2.API for a cluster with a single user who has every permission."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def who_am_i(self, _request: wire.auth.WhoAmIRequest, _context: object) -> wire.auth.WhoAmIResponse:
        return wire.auth.WhoAmIResponse(username=callers.username(auth=True))

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
        self, request: wire.auth.GetPermissionsRequest, _context: object
    ) -> wire.auth.GetPermissionsResponse:
        require(request, "resource")
        return self._permissions(ROOT_USER, request.resource)

    def get_permissions_for_principal(
        self, request: wire.auth.GetPermissionsForPrincipalRequest, _context: object
    ) -> wire.auth.GetPermissionsResponse:
        require(request, "resource")
        return self._permissions(request.principal, request.resource)

    def _permissions(self, user: str, resource: wire.auth.Resource) -> wire.auth.GetPermissionsResponse:
        roles, numbers = self._access.permissions(user, _kind(resource), resource.name)
        return wire.auth.GetPermissionsResponse(permissions=numbers, roles=roles)

    def get_roles_for_permission(
        self, request: wire.auth.GetRolesForPermissionRequest, _context: object
    ) -> wire.auth.GetRolesForPermissionResponse:
        permission = _name(wire.auth.Permission, request.permission)
        roles = [_role_message(name, role) for name, role in ROLES.items() if permission in role.permissions]
        return wire.auth.GetRolesForPermissionResponse(roles=roles)

    def get_role_binding(
        self, request: wire.auth.GetRoleBindingRequest, _context: object
    ) -> wire.auth.GetRoleBindingResponse:
        """The roles on this resource alone; none for a resource that does not exist."""
        require(request, "resource")
        try:
            bindings = self._access.bindings(_kind(request.resource), request.resource.name)
        except NotFoundError:
            bindings = {}
        entries = {user: wire.auth.Roles(roles=dict.fromkeys(roles, True)) for user, roles in bindings.items()}
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


def _name(kind: EnumType[Any], number: int) -> str:
    """An enum value's name; as in protobuf's text, a number without a name stands for itself."""
    return str(kind.Name(number)) if number in kind.values() else str(number)


def _kind(resource: wire.auth.Resource) -> str:
    return _name(wire.auth.ResourceType, resource.type)


def _role_message(name: str, role: Role) -> wire.auth.Role:
    kinds: dict[str, int] = dict(wire.auth.ResourceType.items())
    return wire.auth.Role(
        name=name,
        permissions=role.numbers,
        can_be_bound_to=[kinds[kind] for kind in role.bound_to],
        returned_for=[kinds[kind] for kind in role.returned_for],
    )
