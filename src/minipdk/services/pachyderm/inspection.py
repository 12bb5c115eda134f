"""Which cluster answers at an address of pachd."""

from __future__ import annotations

from urllib.parse import urlsplit

SECONDS = 5.0


def answering(address: str) -> str:
    """The id of the cluster whose pachd answers at ``address``, ``grpc://HOST:PORT``; empty when none does.

    pachd answers InspectCluster without a token.
    """
    import grpc
    from pachyderm_sdk.api.admin import ClusterInfo, InspectClusterRequest

    with grpc.insecure_channel(urlsplit(address).netloc, [("grpc.enable_http_proxy", 0)]) as channel:
        inspect = channel.unary_unary("/admin_v2.API/InspectCluster", bytes, ClusterInfo.FromString)
        try:
            return str(inspect(InspectClusterRequest(), timeout=SECONDS).id)
        except grpc.RpcError:
            return ""
