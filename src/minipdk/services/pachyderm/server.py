"""pachd: PFS and PPS over gRPC on one port, the S3 gateway on another, in one process."""

from __future__ import annotations

import ctypes
import functools

from minipdk.common import service, web
from minipdk.common.home import Home
from minipdk.services.pachyderm import callers, rpc, wire
from minipdk.services.pachyderm.api.admin import AdminServicer, EnterpriseServicer, LicenseServicer, VersionServicer
from minipdk.services.pachyderm.api.auth import AuthServicer, InactiveServicer
from minipdk.services.pachyderm.api.metadata import MetadataServicer
from minipdk.services.pachyderm.api.transactions import TransactionServicer
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.service import PfsServicer, StorageServicer, modification
from minipdk.services.pachyderm.pps import Pps
from minipdk.services.pachyderm.s3 import gateway
from minipdk.services.pachyderm.s3.chunk_urls import ChunkUrls
from minipdk.services.pachyderm.service import SERVICE

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BUFFER = 1 << 20


def serve(home: Home) -> None:
    """Serve until `service.stopping` is set; unfinished jobs are taken up again first."""
    # Messages of 19 MiB would otherwise leave holes in the heap, and each thread one of its own: memory for large ones goes
    # back to the system at once, and the rest is in few heaps.
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER)
    libc.mallopt(M_ARENA_MAX, 2)
    pfs = Pfs(home)
    pps = Pps(home, pfs)

    def project_defaults(project: str) -> str:
        request = wire.pps.GetProjectDefaultsRequest(project=wire.pfs.Project(name=project))
        return str(pps.servicer.get_project_defaults(request, None).project_defaults_json)

    of_users = {"auth": AuthServicer()} if home.session_token else dict.fromkeys(("auth", "identity"), InactiveServicer())
    transactions = TransactionServicer(pfs, PfsServicer(pfs, project_defaults), pps.servicer)
    metadata = MetadataServicer(pfs, pps)
    chunk_urls = ChunkUrls(home, pfs)
    server = rpc.Server(
        home.port("pachd"),
        home.session_token,
        {
            "admin": AdminServicer(home, pfs, metadata.of_cluster),
            **of_users,
            "enterprise": EnterpriseServicer(),
            "license": LicenseServicer(),
            "metadata": metadata,
            "pfs": transactions.pfs_servicer,
            "pps": transactions.pps_servicer,
            "storage": StorageServicer(pfs, chunk_urls.url),
            "transaction": transactions,
            "version": VersionServicer(),
        },
        dict.fromkeys(("/pfs_v2.API/ModifyFile", "/pfs_v2.API/CreateFileSet"), modification.parse),
        functools.partial(callers.identify, home.token),
    )
    pfs.triggers.start()
    pps.start()
    pfs.garbage.start()
    server.start()
    try:
        web.serve(gateway.application(home, pfs, pps.s3_view, chunk_urls.route), home.port("s3"))
    finally:
        pps.stop()
        pfs.triggers.stop()
        server.stop()
        pfs.garbage.stop()


if __name__ == "__main__":
    service.run(SERVICE.name, serve)
