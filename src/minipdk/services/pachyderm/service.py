"""Pachyderm as declared to the cluster: ports, profile variables, client files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from minipdk.common.home import Home, write_private
from minipdk.common.service import Port, Service


def pachd_address(home: Home) -> str:
    return home.url("pachd", "grpc")


def s3_endpoint(home: Home) -> str:
    return home.url("s3")


def pach_config(home: Home) -> Path:
    """The file that PACH_CONFIG names: pachyderm_sdk and pachctl read the address and the token from it."""
    return home.path / "pachctl.json"


def variables(home: Home) -> dict[str, str]:
    return {
        "PACHD_ADDRESS": pachd_address(home),
        "PACH_CONFIG": str(pach_config(home)),
        "PACH_S3_ENDPOINT": s3_endpoint(home),
    }


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Pachyderm", pachd_address(home) + ("" if home.session_token else "  (no authentication)")
    yield "Pachyderm S3", s3_endpoint(home)


def write_client_files(home: Home) -> None:
    context = {"pachd_address": pachd_address(home), "project": "default"}
    if home.session_token:
        context["session_token"] = home.session_token
    config = {
        "user_id": home.identity.cluster_id.replace("-", ""),
        "v2": {"active_context": "minipdk", "contexts": {"minipdk": context}, "metrics": False},
    }
    write_private(pach_config(home), json.dumps(config, indent=2) + "\n")


SERVICE = Service(
    name="pachyderm",
    title="Pachyderm",
    ports=(Port("pachd", 30650), Port("s3", 30600)),
    folders=("blobs",),
    variables=variables,
    addresses=addresses,
    write_client_files=write_client_files,
)
