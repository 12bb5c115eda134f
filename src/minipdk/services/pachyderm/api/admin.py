"""The calls that clients make first: the cluster's identity, its version, its enterprise licence."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import NoReturn

import grpc

from minipdk.common.home import Home
from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.service import cluster_id

VERSION = (2, 12, 2)


class AdminServicer:
    """admin_v2.API."""

    def __init__(self, home: Home, pfs: Pfs, metadata: Callable[[], Mapping[str, str]]) -> None:
        self._id = cluster_id(home)
        self._token, self._pfs, self._metadata = home.session_token, pfs, metadata

    def inspect_cluster(
        self, request: wire.admin.InspectClusterRequest, context: grpc.ServicerContext
    ) -> wire.admin.ClusterInfo:
        """The vendor's pachctl asks this before every command, and prints the warnings."""
        warnings = [_version_warning(request.client_version if request.HasField("client_version") else None)]
        if request.current_project.name and self._is_signed_in(context):
            warnings.append(self._project_warning(request.current_project.name))
        return wire.admin.ClusterInfo(
            id=self._id,
            deployment_id=self._id,
            warnings_ok=True,
            warnings=[warning for warning in warnings if warning],
            metadata=self._metadata(),
        )

    def _is_signed_in(self, context: grpc.ServicerContext) -> bool:
        """Whether the caller may know which projects exist: this call is answered before a user has logged in."""
        tokens = [str(value).encode() for key, value in context.invocation_metadata() if key == "authn-token"]
        is_root = any(hmac.compare_digest(token, self._token.encode()) for token in tokens)
        return not self._token or is_root or callers.current.get() is not None

    def _project_warning(self, name: str) -> str:
        try:
            self._pfs.inspect_project(name)
        except NotFoundError as error:
            return (
                f'WARNING: Could not inspect project "{name}": error getting project "{name}": get project by name: {error}'
            )
        return ""


def _version_warning(client: wire.version.Version | None) -> str:
    """Why a client may not fit this server, as pachd's ``versionpb.IsCompatible`` decides; "" if it does."""
    if client is None:
        return (
            "WARNING: The client used to connect to Pachyderm did not send its version, which means that it is likely "
            "too old.  Please upgrade it."
        )
    version = (client.major, client.minor, client.micro)
    if not any(version):  # a development build
        return ""
    if client.additional:
        return (
            "WARNING: The client used to connect to Pachyderm is a pre-release version not compatible with the server; "
            f"please use a released version compatible with v{'.'.join(map(str, VERSION))}."
        )
    if version[:2] < VERSION[:2]:
        return "WARNING: The client used to connect to Pachyderm is much older than the server; please upgrade the client."
    if version[:2] > VERSION[:2]:
        return (
            "WARNING: The client used to connect to Pachyderm is much newer than the server; please use a version of the "
            "client that matches the server."
        )
    return ""


class VersionServicer:
    """versionpb_v2.API."""

    def get_version(self, _request: wire.Empty, _context: object) -> wire.version.Version:
        major, minor, micro = VERSION
        return wire.version.Version(major=major, minor=minor, micro=micro)


class EnterpriseServicer:
    """enterprise_v2.API: Pachyderm 2.12 needs no licence any more, and fails every call so."""

    def __getattr__(self, _call: str) -> Callable[[wire.Message, object], NoReturn]:
        return self._refuse

    def _refuse(self, _request: wire.Message, _context: object) -> NoReturn:
        raise PachydermError("enterprise server is deprecated")


class LicenseServicer:
    """license_v2.API: as retired as the enterprise server, except for one call."""

    def list_user_clusters(
        self, _request: wire.license.ListUserClustersRequest, _context: object
    ) -> wire.license.ListUserClustersResponse:
        return wire.license.ListUserClustersResponse()

    def __getattr__(self, _call: str) -> Callable[[wire.Message, object], NoReturn]:
        return self._refuse

    def _refuse(self, _request: wire.Message, _context: object) -> NoReturn:
        raise PachydermError("license server is deprecated")
