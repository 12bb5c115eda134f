"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import EnumType, Message, MessageMap, Repeated, RepeatedMessages, ScalarMap

Permission: EnumType[
    Literal[
        "PERMISSION_UNKNOWN",
        "CLUSTER_MODIFY_BINDINGS",
        "CLUSTER_GET_BINDINGS",
        "CLUSTER_GET_PACHD_LOGS",
        "CLUSTER_GET_LOKI_LOGS",
        "CLUSTER_AUTH_ACTIVATE",
        "CLUSTER_AUTH_DEACTIVATE",
        "CLUSTER_AUTH_GET_CONFIG",
        "CLUSTER_AUTH_SET_CONFIG",
        "CLUSTER_AUTH_GET_ROBOT_TOKEN",
        "CLUSTER_AUTH_MODIFY_GROUP_MEMBERS",
        "CLUSTER_AUTH_GET_GROUPS",
        "CLUSTER_AUTH_GET_GROUP_USERS",
        "CLUSTER_AUTH_EXTRACT_TOKENS",
        "CLUSTER_AUTH_RESTORE_TOKEN",
        "CLUSTER_AUTH_GET_PERMISSIONS_FOR_PRINCIPAL",
        "CLUSTER_AUTH_DELETE_EXPIRED_TOKENS",
        "CLUSTER_AUTH_REVOKE_USER_TOKENS",
        "CLUSTER_AUTH_ROTATE_ROOT_TOKEN",
        "CLUSTER_ENTERPRISE_ACTIVATE",
        "CLUSTER_ENTERPRISE_HEARTBEAT",
        "CLUSTER_ENTERPRISE_GET_CODE",
        "CLUSTER_ENTERPRISE_DEACTIVATE",
        "CLUSTER_ENTERPRISE_PAUSE",
        "CLUSTER_IDENTITY_SET_CONFIG",
        "CLUSTER_IDENTITY_GET_CONFIG",
        "CLUSTER_IDENTITY_CREATE_IDP",
        "CLUSTER_IDENTITY_UPDATE_IDP",
        "CLUSTER_IDENTITY_LIST_IDPS",
        "CLUSTER_IDENTITY_GET_IDP",
        "CLUSTER_IDENTITY_DELETE_IDP",
        "CLUSTER_IDENTITY_CREATE_OIDC_CLIENT",
        "CLUSTER_IDENTITY_UPDATE_OIDC_CLIENT",
        "CLUSTER_IDENTITY_LIST_OIDC_CLIENTS",
        "CLUSTER_IDENTITY_GET_OIDC_CLIENT",
        "CLUSTER_IDENTITY_DELETE_OIDC_CLIENT",
        "CLUSTER_DEBUG_DUMP",
        "CLUSTER_LICENSE_ACTIVATE",
        "CLUSTER_LICENSE_GET_CODE",
        "CLUSTER_LICENSE_ADD_CLUSTER",
        "CLUSTER_LICENSE_UPDATE_CLUSTER",
        "CLUSTER_LICENSE_DELETE_CLUSTER",
        "CLUSTER_LICENSE_LIST_CLUSTERS",
        "CLUSTER_CREATE_SECRET",
        "CLUSTER_LIST_SECRETS",
        "SECRET_DELETE",
        "SECRET_INSPECT",
        "CLUSTER_EDIT_CLUSTER_METADATA",
        "CLUSTER_DELETE_ALL",
        "CLUSTER_SNAPSHOTTER",
        "CLUSTER_RESTART_PACHYDERM",
        "REPO_READ",
        "REPO_WRITE",
        "REPO_MODIFY_BINDINGS",
        "REPO_DELETE",
        "REPO_INSPECT_COMMIT",
        "REPO_LIST_COMMIT",
        "REPO_DELETE_COMMIT",
        "REPO_CREATE_BRANCH",
        "REPO_LIST_BRANCH",
        "REPO_DELETE_BRANCH",
        "REPO_INSPECT_FILE",
        "REPO_LIST_FILE",
        "REPO_ADD_PIPELINE_READER",
        "REPO_REMOVE_PIPELINE_READER",
        "REPO_ADD_PIPELINE_WRITER",
        "PIPELINE_LIST_JOB",
        "CLUSTER_SET_DEFAULTS",
        "PROJECT_SET_DEFAULTS",
        "PROJECT_CREATE",
        "PROJECT_DELETE",
        "PROJECT_LIST_REPO",
        "PROJECT_CREATE_REPO",
        "PROJECT_MODIFY_BINDINGS",
        "JOB_SKIP_CTX",
    ]
]
ResourceType: EnumType[Literal["RESOURCE_TYPE_UNKNOWN", "CLUSTER", "REPO", "SPEC_REPO", "PROJECT", "JOB"]]

class ActivateRequest(Message):
    root_token: str
    def __init__(self, *, root_token: str | None = ...) -> None: ...

class ActivateResponse(Message):
    pach_token: str
    def __init__(self, *, pach_token: str | None = ...) -> None: ...

class AuthenticateRequest(Message):
    oidc_state: str
    id_token: str
    def __init__(self, *, oidc_state: str | None = ..., id_token: str | None = ...) -> None: ...

class AuthenticateResponse(Message):
    pach_token: str
    def __init__(self, *, pach_token: str | None = ...) -> None: ...

class AuthorizeRequest(Message):
    @property
    def resource(self) -> Resource: ...
    @property
    def permissions(self) -> Repeated[int]: ...
    def __init__(self, *, resource: Resource | None = ..., permissions: Iterable[int] | None = ...) -> None: ...
    def HasField(self, field_name: Literal["resource"]) -> bool: ...

class AuthorizeResponse(Message):
    authorized: bool
    @property
    def satisfied(self) -> Repeated[int]: ...
    @property
    def missing(self) -> Repeated[int]: ...
    principal: str
    def __init__(
        self,
        *,
        authorized: bool | None = ...,
        satisfied: Iterable[int] | None = ...,
        missing: Iterable[int] | None = ...,
        principal: str | None = ...,
    ) -> None: ...

class DeactivateRequest(Message):
    def __init__(self) -> None: ...

class DeactivateResponse(Message):
    def __init__(self) -> None: ...

class DeleteExpiredAuthTokensRequest(Message):
    def __init__(self) -> None: ...

class DeleteExpiredAuthTokensResponse(Message):
    def __init__(self) -> None: ...

class ExtractAuthTokensRequest(Message):
    def __init__(self) -> None: ...

class ExtractAuthTokensResponse(Message):
    @property
    def tokens(self) -> RepeatedMessages[TokenInfo]: ...
    def __init__(self, *, tokens: Iterable[TokenInfo] | None = ...) -> None: ...

class GetConfigurationRequest(Message):
    def __init__(self) -> None: ...

class GetConfigurationResponse(Message):
    @property
    def configuration(self) -> OidcConfig: ...
    def __init__(self, *, configuration: OidcConfig | None = ...) -> None: ...
    def HasField(self, field_name: Literal["configuration"]) -> bool: ...

class GetGroupsForPrincipalRequest(Message):
    principal: str
    def __init__(self, *, principal: str | None = ...) -> None: ...

class GetGroupsRequest(Message):
    def __init__(self) -> None: ...

class GetGroupsResponse(Message):
    @property
    def groups(self) -> Repeated[str]: ...
    def __init__(self, *, groups: Iterable[str] | None = ...) -> None: ...

class GetOidcLoginRequest(Message):
    def __init__(self) -> None: ...

class GetOidcLoginResponse(Message):
    login_url: str
    state: str
    def __init__(self, *, login_url: str | None = ..., state: str | None = ...) -> None: ...

class GetPermissionsForPrincipalRequest(Message):
    @property
    def resource(self) -> Resource: ...
    principal: str
    def __init__(self, *, resource: Resource | None = ..., principal: str | None = ...) -> None: ...
    def HasField(self, field_name: Literal["resource"]) -> bool: ...

class GetPermissionsRequest(Message):
    @property
    def resource(self) -> Resource: ...
    def __init__(self, *, resource: Resource | None = ...) -> None: ...
    def HasField(self, field_name: Literal["resource"]) -> bool: ...

class GetPermissionsResponse(Message):
    @property
    def permissions(self) -> Repeated[int]: ...
    @property
    def roles(self) -> Repeated[str]: ...
    def __init__(self, *, permissions: Iterable[int] | None = ..., roles: Iterable[str] | None = ...) -> None: ...

class GetRobotTokenRequest(Message):
    robot: str
    ttl: int
    def __init__(self, *, robot: str | None = ..., ttl: int | None = ...) -> None: ...

class GetRobotTokenResponse(Message):
    token: str
    def __init__(self, *, token: str | None = ...) -> None: ...

class GetRoleBindingRequest(Message):
    @property
    def resource(self) -> Resource: ...
    def __init__(self, *, resource: Resource | None = ...) -> None: ...
    def HasField(self, field_name: Literal["resource"]) -> bool: ...

class GetRoleBindingResponse(Message):
    @property
    def binding(self) -> RoleBinding: ...
    def __init__(self, *, binding: RoleBinding | None = ...) -> None: ...
    def HasField(self, field_name: Literal["binding"]) -> bool: ...

class GetRolesForPermissionRequest(Message):
    permission: int
    def __init__(self, *, permission: int | None = ...) -> None: ...

class GetRolesForPermissionResponse(Message):
    @property
    def roles(self) -> RepeatedMessages[Role]: ...
    def __init__(self, *, roles: Iterable[Role] | None = ...) -> None: ...

class GetUsersRequest(Message):
    group: str
    def __init__(self, *, group: str | None = ...) -> None: ...

class GetUsersResponse(Message):
    @property
    def usernames(self) -> Repeated[str]: ...
    def __init__(self, *, usernames: Iterable[str] | None = ...) -> None: ...

class Groups(Message):
    @property
    def groups(self) -> ScalarMap[str, bool]: ...
    def __init__(self, *, groups: Mapping[str, bool] | None = ...) -> None: ...

class ModifyMembersRequest(Message):
    group: str
    @property
    def add(self) -> Repeated[str]: ...
    @property
    def remove(self) -> Repeated[str]: ...
    def __init__(
        self,
        *,
        group: str | None = ...,
        add: Iterable[str] | None = ...,
        remove: Iterable[str] | None = ...,
    ) -> None: ...

class ModifyMembersResponse(Message):
    def __init__(self) -> None: ...

class ModifyRoleBindingRequest(Message):
    @property
    def resource(self) -> Resource: ...
    principal: str
    @property
    def roles(self) -> Repeated[str]: ...
    def __init__(
        self,
        *,
        resource: Resource | None = ...,
        principal: str | None = ...,
        roles: Iterable[str] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["resource"]) -> bool: ...

class ModifyRoleBindingResponse(Message):
    def __init__(self) -> None: ...

class OidcConfig(Message):
    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    @property
    def scopes(self) -> Repeated[str]: ...
    require_email_verified: bool
    localhost_issuer: bool
    user_accessible_issuer_host: str
    def __init__(
        self,
        *,
        issuer: str | None = ...,
        client_id: str | None = ...,
        client_secret: str | None = ...,
        redirect_uri: str | None = ...,
        scopes: Iterable[str] | None = ...,
        require_email_verified: bool | None = ...,
        localhost_issuer: bool | None = ...,
        user_accessible_issuer_host: str | None = ...,
    ) -> None: ...

class Resource(Message):
    type: int
    name: str
    def __init__(self, *, type: int | None = ..., name: str | None = ...) -> None: ...

class RestoreAuthTokenRequest(Message):
    @property
    def token(self) -> TokenInfo: ...
    def __init__(self, *, token: TokenInfo | None = ...) -> None: ...
    def HasField(self, field_name: Literal["token"]) -> bool: ...

class RestoreAuthTokenResponse(Message):
    def __init__(self) -> None: ...

class RevokeAuthTokenRequest(Message):
    token: str
    def __init__(self, *, token: str | None = ...) -> None: ...

class RevokeAuthTokenResponse(Message):
    number: int
    def __init__(self, *, number: int | None = ...) -> None: ...

class RevokeAuthTokensForUserRequest(Message):
    username: str
    def __init__(self, *, username: str | None = ...) -> None: ...

class RevokeAuthTokensForUserResponse(Message):
    number: int
    def __init__(self, *, number: int | None = ...) -> None: ...

class Role(Message):
    name: str
    @property
    def permissions(self) -> Repeated[int]: ...
    @property
    def can_be_bound_to(self) -> Repeated[int]: ...
    @property
    def returned_for(self) -> Repeated[int]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        permissions: Iterable[int] | None = ...,
        can_be_bound_to: Iterable[int] | None = ...,
        returned_for: Iterable[int] | None = ...,
    ) -> None: ...

class RoleBinding(Message):
    @property
    def entries(self) -> MessageMap[str, Roles]: ...
    def __init__(self, *, entries: Mapping[str, Roles] | None = ...) -> None: ...

class Roles(Message):
    @property
    def roles(self) -> ScalarMap[str, bool]: ...
    def __init__(self, *, roles: Mapping[str, bool] | None = ...) -> None: ...

class RotateRootTokenRequest(Message):
    root_token: str
    def __init__(self, *, root_token: str | None = ...) -> None: ...

class RotateRootTokenResponse(Message):
    root_token: str
    def __init__(self, *, root_token: str | None = ...) -> None: ...

class SessionInfo(Message):
    nonce: str
    email: str
    conversion_err: bool
    def __init__(self, *, nonce: str | None = ..., email: str | None = ..., conversion_err: bool | None = ...) -> None: ...

class SetConfigurationRequest(Message):
    @property
    def configuration(self) -> OidcConfig: ...
    def __init__(self, *, configuration: OidcConfig | None = ...) -> None: ...
    def HasField(self, field_name: Literal["configuration"]) -> bool: ...

class SetConfigurationResponse(Message):
    def __init__(self) -> None: ...

class SetGroupsForUserRequest(Message):
    username: str
    @property
    def groups(self) -> Repeated[str]: ...
    def __init__(self, *, username: str | None = ..., groups: Iterable[str] | None = ...) -> None: ...

class SetGroupsForUserResponse(Message):
    def __init__(self) -> None: ...

class TokenInfo(Message):
    subject: str
    @property
    def expiration(self) -> _google.Timestamp: ...
    hashed_token: str
    def __init__(
        self,
        *,
        subject: str | None = ...,
        expiration: _google.Timestamp | None = ...,
        hashed_token: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["expiration"]) -> bool: ...

class Users(Message):
    @property
    def usernames(self) -> ScalarMap[str, bool]: ...
    def __init__(self, *, usernames: Mapping[str, bool] | None = ...) -> None: ...

class WhoAmIRequest(Message):
    def __init__(self) -> None: ...

class WhoAmIResponse(Message):
    username: str
    @property
    def expiration(self) -> _google.Timestamp: ...
    def __init__(self, *, username: str | None = ..., expiration: _google.Timestamp | None = ...) -> None: ...
    def HasField(self, field_name: Literal["expiration"]) -> bool: ...
