"""pachd: the gRPC API on one port, the S3 gateway on another, in one process."""

from __future__ import annotations

import ctypes
import functools

from minipdk.common import service
from minipdk.common.home import Home
from minipdk.common.web.server import serve as serve_http
from minipdk.services.pachyderm import callers, rpc
from minipdk.services.pachyderm.api.admin import AdminServicer, EnterpriseServicer, LicenseServicer, VersionServicer
from minipdk.services.pachyderm.api.auth import AuthServicer, InactiveServicer
from minipdk.services.pachyderm.api.metadata import MetadataServicer
from minipdk.services.pachyderm.api.transactions import TransactionServicer
from minipdk.services.pachyderm.metadata import Metadata
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.api import PfsServicer, StorageServicer, modify_file
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT
from minipdk.services.pachyderm.pps.api.servicer import PpsServicer
from minipdk.services.pachyderm.pps.system import Pps
from minipdk.services.pachyderm.roles import Access
from minipdk.services.pachyderm.s3.api.gateway import Gateway
from minipdk.services.pachyderm.s3.chunk_urls import ChunkUrls
from minipdk.services.pachyderm.service import SERVICE

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BUFFER = 1 << 20


def serve(home: Home) -> None:
    """Serve until `service.stopping` is set; unfinished jobs are resumed first."""
    _limit_heaps()
    pfs = Pfs(home)
    pps = Pps(home, pfs)
    chunk_urls = ChunkUrls(home, pfs)
    server = rpc.Server(
        home.port("pachd"),
        home.session_token,
        _servicers(home, pfs, pps, chunk_urls),
        dict.fromkeys(("/pfs_v2.API/ModifyFile", "/pfs_v2.API/CreateFileSet"), modify_file.parse),
        functools.partial(callers.identify, home.token),
    )
    pfs.triggers.start()
    pps.start()
    pfs.garbage.start()
    server.start()
    try:
        gateway = Gateway(home, pfs, pps.s3_view)
        serve_http(gateway.application(chunk_urls.route), home.port("s3"), gateway.policy())
    finally:
        pps.stop()
        pfs.triggers.stop()
        server.stop()
        pfs.garbage.stop()


def _servicers(home: Home, pfs: Pfs, pps: Pps, chunk_urls: ChunkUrls) -> dict[str, object]:
    """The servicers by the SDK's packages."""

    def project_defaults(project: str) -> str:
        return pps.defaults.get(project or DEFAULT_PROJECT).json

    access = Access(pfs) if home.session_token else None
    users = {"auth": AuthServicer(access)} if access else dict.fromkeys(("auth", "identity"), InactiveServicer())
    pfs_servicer = PfsServicer(pfs, project_defaults, access.auth_info if access else lambda _: None)
    transactions = TransactionServicer(pfs, pfs_servicer, PpsServicer(pps))
    metadata = Metadata(pfs, pps)
    return {
        "admin": AdminServicer(home, pfs, metadata.of_cluster),
        **users,
        "enterprise": EnterpriseServicer(),
        "license": LicenseServicer(),
        "metadata": MetadataServicer(metadata),
        "pfs": transactions.pfs_servicer,
        "pps": transactions.pps_servicer,
        "storage": StorageServicer(pfs, chunk_urls.url),
        "transaction": transactions,
        "version": VersionServicer(),
    }


def _limit_heaps() -> None:
    """Return the memory of large buffers to the system immediately, and keep the rest in few heaps.

    Messages of 19 MiB would otherwise leave holes in a heap for each thread.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER)
    libc.mallopt(M_ARENA_MAX, 2)


if __name__ == "__main__":
    service.run(SERVICE.name, serve)
