"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable

from minipdk.services.pachyderm.wire.message import Message, Repeated

class CancelRequest(Message):
    job_id: str
    @property
    def data_filters(self) -> Repeated[str]: ...
    def __init__(self, *, job_id: str | None = ..., data_filters: Iterable[str] | None = ...) -> None: ...

class CancelResponse(Message):
    success: bool
    def __init__(self, *, success: bool | None = ...) -> None: ...

class NextDatumRequest(Message):
    error: str
    def __init__(self, *, error: str | None = ...) -> None: ...

class NextDatumResponse(Message):
    @property
    def env(self) -> Repeated[str]: ...
    def __init__(self, *, env: Iterable[str] | None = ...) -> None: ...
