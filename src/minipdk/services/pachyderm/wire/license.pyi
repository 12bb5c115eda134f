"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable
from typing import Literal

from minipdk.services.pachyderm.wire import enterprise as _enterprise
from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import Message, RepeatedMessages

class ActivateRequest(Message):
    activation_code: str
    @property
    def expires(self) -> _google.Timestamp: ...
    def __init__(self, *, activation_code: str | None = ..., expires: _google.Timestamp | None = ...) -> None: ...
    def HasField(self, field_name: Literal["expires"]) -> bool: ...

class ActivateResponse(Message):
    @property
    def info(self) -> _enterprise.TokenInfo: ...
    def __init__(self, *, info: _enterprise.TokenInfo | None = ...) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class AddClusterRequest(Message):
    id: str
    address: str
    secret: str
    user_address: str
    cluster_deployment_id: str
    enterprise_server: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        address: str | None = ...,
        secret: str | None = ...,
        user_address: str | None = ...,
        cluster_deployment_id: str | None = ...,
        enterprise_server: bool | None = ...,
    ) -> None: ...

class AddClusterResponse(Message):
    secret: str
    def __init__(self, *, secret: str | None = ...) -> None: ...

class ClusterStatus(Message):
    id: str
    address: str
    version: str
    auth_enabled: bool
    client_id: str
    @property
    def last_heartbeat(self) -> _google.Timestamp: ...
    @property
    def created_at(self) -> _google.Timestamp: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        address: str | None = ...,
        version: str | None = ...,
        auth_enabled: bool | None = ...,
        client_id: str | None = ...,
        last_heartbeat: _google.Timestamp | None = ...,
        created_at: _google.Timestamp | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["last_heartbeat", "created_at"]) -> bool: ...

class DeactivateRequest(Message):
    def __init__(self) -> None: ...

class DeactivateResponse(Message):
    def __init__(self) -> None: ...

class DeleteAllRequest(Message):
    def __init__(self) -> None: ...

class DeleteAllResponse(Message):
    def __init__(self) -> None: ...

class DeleteClusterRequest(Message):
    id: str
    def __init__(self, *, id: str | None = ...) -> None: ...

class DeleteClusterResponse(Message):
    def __init__(self) -> None: ...

class GetActivationCodeRequest(Message):
    def __init__(self) -> None: ...

class GetActivationCodeResponse(Message):
    state: int
    @property
    def info(self) -> _enterprise.TokenInfo: ...
    activation_code: str
    def __init__(
        self,
        *,
        state: int | None = ...,
        info: _enterprise.TokenInfo | None = ...,
        activation_code: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class HeartbeatRequest(Message):
    id: str
    secret: str
    version: str
    auth_enabled: bool
    client_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        secret: str | None = ...,
        version: str | None = ...,
        auth_enabled: bool | None = ...,
        client_id: str | None = ...,
    ) -> None: ...

class HeartbeatResponse(Message):
    @property
    def license(self) -> _enterprise.LicenseRecord: ...
    def __init__(self, *, license: _enterprise.LicenseRecord | None = ...) -> None: ...
    def HasField(self, field_name: Literal["license"]) -> bool: ...

class ListClustersRequest(Message):
    def __init__(self) -> None: ...

class ListClustersResponse(Message):
    @property
    def clusters(self) -> RepeatedMessages[ClusterStatus]: ...
    def __init__(self, *, clusters: Iterable[ClusterStatus] | None = ...) -> None: ...

class ListUserClustersRequest(Message):
    def __init__(self) -> None: ...

class ListUserClustersResponse(Message):
    @property
    def clusters(self) -> RepeatedMessages[UserClusterInfo]: ...
    def __init__(self, *, clusters: Iterable[UserClusterInfo] | None = ...) -> None: ...

class UpdateClusterRequest(Message):
    id: str
    address: str
    user_address: str
    cluster_deployment_id: str
    secret: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        address: str | None = ...,
        user_address: str | None = ...,
        cluster_deployment_id: str | None = ...,
        secret: str | None = ...,
    ) -> None: ...

class UpdateClusterResponse(Message):
    def __init__(self) -> None: ...

class UserClusterInfo(Message):
    id: str
    cluster_deployment_id: str
    address: str
    enterprise_server: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        cluster_deployment_id: str | None = ...,
        address: str | None = ...,
        enterprise_server: bool | None = ...,
    ) -> None: ...
