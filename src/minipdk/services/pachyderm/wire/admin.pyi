"""Written by minipdk.services.pachyderm.wire.stubs: do not edit."""

from collections.abc import Iterable, Mapping
from typing import Literal

from minipdk.services.pachyderm.wire import pfs as _pfs
from minipdk.services.pachyderm.wire import version as _version
from minipdk.services.pachyderm.wire.message import Message, Repeated, ScalarMap

class ClusterInfo(Message):
    id: str
    deployment_id: str
    warnings_ok: bool
    @property
    def warnings(self) -> Repeated[str]: ...
    proxy_host: str
    proxy_tls: bool
    paused: bool
    @property
    def web_resources(self) -> WebResource: ...
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    pending_restart: bool
    restart_info: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        deployment_id: str | None = ...,
        warnings_ok: bool | None = ...,
        warnings: Iterable[str] | None = ...,
        proxy_host: str | None = ...,
        proxy_tls: bool | None = ...,
        paused: bool | None = ...,
        web_resources: WebResource | None = ...,
        metadata: Mapping[str, str] | None = ...,
        pending_restart: bool | None = ...,
        restart_info: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["web_resources"]) -> bool: ...

class InspectClusterRequest(Message):
    @property
    def client_version(self) -> _version.Version: ...
    @property
    def current_project(self) -> _pfs.Project: ...
    def __init__(
        self,
        *,
        client_version: _version.Version | None = ...,
        current_project: _pfs.Project | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["client_version", "current_project"]) -> bool: ...

class RestartPachydermRequest(Message):
    reason: str
    def __init__(self, *, reason: str | None = ...) -> None: ...

class RestartPachydermResponse(Message):
    def __init__(self) -> None: ...

class WebResource(Message):
    archive_download_base_url: str
    create_pipeline_request_json_schema_url: str
    def __init__(
        self,
        *,
        archive_download_base_url: str | None = ...,
        create_pipeline_request_json_schema_url: str | None = ...,
    ) -> None: ...
