"""Authentication as its clients see it: one user, root, known by the cluster's token (`rpc` checks it on every call)."""

from __future__ import annotations

from typing import Any

from minipdk.pachyderm import wire

ROOT_USER = "pach:root"
ROLE = "clusterAdmin"


class AuthServicer:
    """auth_v2.API for a cluster with a single user who may do everything."""

    def who_am_i(self, _request: Any, _context: object) -> Any:
        return wire.auth.WhoAmIResponse(username=ROOT_USER)

    def authorize(self, request: Any, _context: object) -> Any:
        return wire.auth.AuthorizeResponse(authorized=True, satisfied=request.permissions, principal=ROOT_USER)

    def get_permissions(self, _request: Any, _context: object) -> Any:
        every = [number for number in wire.auth.Permission.values() if number]
        return wire.auth.GetPermissionsResponse(permissions=every, roles=[ROLE])
