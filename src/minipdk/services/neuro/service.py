"""The declaration of the Neu.ro platform to the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from minipdk.common.home import Home, private_dir
from minipdk.common.service import Port, Service

STORAGE, LOGS = "neuro-storage", "neuro-logs"
CLIENT = "neuro"
"""The clients' folder, with nothing else in it: `neuro-extras k8s generate-secret` puts every file of it in the secret."""


def client_folder(home: Home) -> Path:
    return home.path / CLIENT


def api_url(home: Home) -> str:
    return f"{home.url('neuro')}/api/v1"


def variables(home: Home) -> dict[str, str]:
    from minipdk.services.neuro.tokens import Tokens

    folder = str(client_folder(home))
    return {
        "NEURO_API": api_url(home),
        "NEURO_TOKEN": Tokens.of(home).permanent(),
        "APOLO_CONFIG": folder,
        "NEUROMATION_CONFIG": folder,
        # Before most commands the clients ask PyPI for a newer version, whatever network there is.
        "NEURO_CLI_DISABLE_PYPI_VERSION_CHECK": "1",
    }


def addresses(home: Home) -> Iterator[tuple[str, str]]:
    yield "Neu.ro", api_url(home)


def write_client_files(home: Home) -> None:
    from minipdk.services.neuro import client_config

    client_config.forget_old_addresses(private_dir(client_folder(home)), api_url(home))


SERVICE = Service(
    name="neuro",
    title="Neu.ro",
    ports=(Port("neuro", 8082),),
    folders=(STORAGE, LOGS),
    variables=variables,
    addresses=addresses,
    write_client_files=write_client_files,
)
