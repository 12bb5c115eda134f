"""The calls that clients make first: the cluster's identity, its version, its enterprise licence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from minipdk.common.home import Home
from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs

VERSION = (2, 12, 2)


class AdminServicer:
    """admin_v2.API."""

    def __init__(self, home: Home, pfs: Pfs, metadata: Callable[[], Mapping[str, str]]) -> None:
        self._id = home.identity.cluster_id.replace("-", "")
        self._pfs, self._metadata = pfs, metadata

    def inspect_cluster(self, request: wire.admin.InspectClusterRequest, _context: object) -> wire.admin.ClusterInfo:
        """Fails with NOT_FOUND when the client's current project does not exist."""
        if request.current_project.name:
            self._pfs.inspect_project(request.current_project.name)
        return wire.admin.ClusterInfo(id=self._id, deployment_id=self._id, warnings_ok=True, metadata=self._metadata())


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
