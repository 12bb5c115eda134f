"""The declaration of Determined to the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from minipdk.common.home import Home
from minipdk.common.service import Port, Service

USER = "determined"


def master_url(home: Home) -> str:
    return home.url("determined")


def variables(home: Home) -> dict[str, str]:
    return {"DET_MASTER": master_url(home), "DET_USER": USER, "DET_PASS": home.token}


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Determined", f"{master_url(home)}  (user {USER})"


SERVICE = Service(
    name="determined",
    title="Determined",
    ports=(Port("determined", 8080),),
    folders=("shared_fs",),
    variables=variables,
    addresses=addresses,
)
