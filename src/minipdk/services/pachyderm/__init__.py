"""Pachyderm: versioned data (PFS) and data-driven pipelines (PPS) over pachd's own gRPC protocol, and its S3 gateway.

``wire`` holds the protocol's messages, ``rpc`` carries calls to the objects that answer them, ``errors`` names every way a
call can fail, ``pfs`` and ``pps`` hold the state and the rules, ``s3`` serves PFS to S3 clients, ``server`` runs it all.
"""
