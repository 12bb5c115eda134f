"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from typing import Literal

from minipdk.services.pachyderm.wire import google as _google
from minipdk.services.pachyderm.wire.message import EnumType, Message

PauseStatusResponsePauseStatus: EnumType[Literal["UNPAUSED", "PARTIALLY_PAUSED", "PAUSED"]]
State: EnumType[Literal["NONE", "ACTIVE", "EXPIRED", "HEARTBEAT_FAILED"]]

class ActivateRequest(Message):
    license_server: str
    id: str
    secret: str
    def __init__(self, *, license_server: str | None = ..., id: str | None = ..., secret: str | None = ...) -> None: ...

class ActivateResponse(Message):
    def __init__(self) -> None: ...

class DeactivateRequest(Message):
    def __init__(self) -> None: ...

class DeactivateResponse(Message):
    def __init__(self) -> None: ...

class EnterpriseConfig(Message):
    license_server: str
    id: str
    secret: str
    def __init__(self, *, license_server: str | None = ..., id: str | None = ..., secret: str | None = ...) -> None: ...

class EnterpriseRecord(Message):
    @property
    def license(self) -> LicenseRecord: ...
    @property
    def last_heartbeat(self) -> _google.Timestamp: ...
    heartbeat_failed: bool
    def __init__(
        self,
        *,
        license: LicenseRecord | None = ...,
        last_heartbeat: _google.Timestamp | None = ...,
        heartbeat_failed: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["license", "last_heartbeat"]) -> bool: ...

class GetActivationCodeRequest(Message):
    def __init__(self) -> None: ...

class GetActivationCodeResponse(Message):
    state: int
    @property
    def info(self) -> TokenInfo: ...
    activation_code: str
    def __init__(
        self,
        *,
        state: int | None = ...,
        info: TokenInfo | None = ...,
        activation_code: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class GetStateRequest(Message):
    def __init__(self) -> None: ...

class GetStateResponse(Message):
    state: int
    @property
    def info(self) -> TokenInfo: ...
    activation_code: str
    def __init__(
        self,
        *,
        state: int | None = ...,
        info: TokenInfo | None = ...,
        activation_code: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["info"]) -> bool: ...

class HeartbeatRequest(Message):
    def __init__(self) -> None: ...

class HeartbeatResponse(Message):
    def __init__(self) -> None: ...

class LicenseRecord(Message):
    activation_code: str
    @property
    def expires(self) -> _google.Timestamp: ...
    def __init__(self, *, activation_code: str | None = ..., expires: _google.Timestamp | None = ...) -> None: ...
    def HasField(self, field_name: Literal["expires"]) -> bool: ...

class PauseRequest(Message):
    def __init__(self) -> None: ...

class PauseResponse(Message):
    def __init__(self) -> None: ...

class PauseStatusRequest(Message):
    def __init__(self) -> None: ...

class PauseStatusResponse(Message):
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...

class TokenInfo(Message):
    @property
    def expires(self) -> _google.Timestamp: ...
    def __init__(self, *, expires: _google.Timestamp | None = ...) -> None: ...
    def HasField(self, field_name: Literal["expires"]) -> bool: ...

class UnpauseRequest(Message):
    def __init__(self) -> None: ...

class UnpauseResponse(Message):
    def __init__(self) -> None: ...
