"""Pachyderm as declared to the cluster: ports, profile variables, client files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minipdk.common.home import Home, write_private
from minipdk.common.service import Port, Service

CONTEXT = "minipdk"


def pachd_address(home: Home) -> str:
    return home.url("pachd", "grpc")


def s3_endpoint(home: Home) -> str:
    return home.url("s3")


def cluster_id(home: Home) -> str:
    """The cluster's id as pachd answers it."""
    return home.identity.cluster_id.replace("-", "")


def pach_config(home: Home) -> Path:
    """The file that PACH_CONFIG names: pachyderm_sdk and pachctl read the address and the token from it."""
    return home.path / "pachctl.json"


def variables(home: Home) -> dict[str, str]:
    return {
        "PACHD_ADDRESS": pachd_address(home),
        "PACHD_CLUSTER_ID": cluster_id(home),
        "PACH_CONFIG": str(pach_config(home)),
        "PACH_S3_ENDPOINT": s3_endpoint(home),
    }


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Pachyderm", pachd_address(home) + ("" if home.session_token else "  (no authentication)")
    yield "Pachyderm S3", s3_endpoint(home)


def write_client_files(home: Home) -> None:
    """Write this cluster's context and make it active. Other contexts stay, and users' settings in this one.

    An empty cluster, new or reset, has neither the project nor the transaction that was set.
    """
    config = _config(home)
    contexts = config["v2"]["contexts"]
    kept = contexts.get(CONTEXT, {}) if home.database("pachyderm").exists() else {}
    context = {"project": "default", **kept, "pachd_address": pachd_address(home)}
    context.pop("session_token", None)
    if home.session_token:
        context["session_token"] = home.session_token
    contexts[CONTEXT] = context
    config["v2"]["active_context"] = CONTEXT
    write_private(pach_config(home), json.dumps(config, indent=2) + "\n")


def _config(home: Home) -> dict[str, Any]:
    """The config as users have left it; a new one if it is missing or damaged."""
    new = {"user_id": cluster_id(home), "v2": {"active_context": CONTEXT, "contexts": {}, "metrics": False}}
    try:
        config = json.loads(pach_config(home).read_text())
        return config if isinstance(config["v2"]["contexts"], dict) else new
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return new


SERVICE = Service(
    name="pachyderm",
    title="Pachyderm",
    ports=(Port("pachd", 30650, "grpc"), Port("s3", 30600)),
    folders=("blobs",),
    variables=variables,
    addresses=addresses,
    write_client_files=write_client_files,
)
