"""The declaration of the Kubernetes API: its port, profile variables, addresses and client files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from minipdk.common.home import Home
from minipdk.common.service import Port, Service
from minipdk.services.kubernetes.certificates import KUBECONFIG, ensure_tls, write_kubeconfig


def server_url(home: Home) -> str:
    return home.url("kubernetes", "https")


def kubeconfig(home: Home) -> Path:
    """The file that KUBECONFIG names."""
    return home.path / KUBECONFIG


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Kubernetes", server_url(home)


def write_client_files(home: Home) -> None:
    ensure_tls(home)
    write_kubeconfig(home)


SERVICE = Service(
    name="kubernetes",
    title="Kubernetes API",
    ports=(Port("kubernetes", 6443, "https"),),
    folders=("volumes",),
    variables=lambda home: {"KUBECONFIG": str(kubeconfig(home))},
    addresses=addresses,
    write_client_files=write_client_files,
)
