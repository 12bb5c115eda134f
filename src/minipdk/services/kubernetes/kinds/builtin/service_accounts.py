"""Service accounts, as which pods act. Their tokens are in `api.authentication`."""

from __future__ import annotations

from minipdk.services.kubernetes.kinds.builtin.reviews import AUTHENTICATION
from minipdk.services.kubernetes.kinds.columns import AGE, NAME, count
from minipdk.services.kubernetes.model import CREATE_ONLY, Column, Resource, Strategy, Subresource

SERVICE_ACCOUNTS = Resource(
    *("", "v1", "ServiceAccount", "serviceaccounts", ("sa",)),
    subresources=(Subresource("token", "TokenRequest", CREATE_ONLY, AUTHENTICATION, "v1"),),
    model="V1ServiceAccount",
    description="Whom a pod acts as: the secrets it may use, and tokens for this API.",
    strategy=Strategy(returns_deleted=True),
    columns=(NAME, Column("Secrets", count("secrets"), kind="integer"), AGE),
)
