"""A profile: the dotenv file of variables through which the vendors' clients find a cluster.

``embedded`` is written by `minipdk env --format dotenv`; ``cluster`` is filled in by an instructor from
``profiles/cluster.env.example``. Loading one puts its variables into the environment, where `pachctl`, `det`, `kubectl`
and the Python clients look for them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

if TYPE_CHECKING:
    from determined.experimental import Determined
    from kserve import KServeClient
    from pachyderm_sdk import Client

REQUIRED = (
    "PACHD_ADDRESS",
    "PACH_CONFIG",
    "DET_MASTER",
    "DET_USER",
    "DET_PASS",
    "KUBECONFIG",
    "KSERVE_NAMESPACE",
    "INGRESS_HOST",
    "INGRESS_PORT",
    "COURSE_GIT_URL",
)
FILES = ("PACH_CONFIG", "KUBECONFIG")


class ProfileError(Exception):
    """The profile is unknown, incomplete, or its cluster does not answer; the message contains the remedy."""


@dataclass(frozen=True)
class Profile:
    """The variables of one cluster, and the vendors' clients made from them."""

    name: str
    root: Path
    variables: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.variables[name]

    @cached_property
    def pachyderm(self) -> Client:
        """A pachyderm_sdk client, with the session token of PACH_CONFIG."""
        from pachyderm_sdk import Client
        from pachyderm_sdk.config import ConfigFile

        token = ConfigFile.from_path(self["PACH_CONFIG"]).active_context.session_token
        return Client.from_pachd_address(self["PACHD_ADDRESS"], auth_token=token)

    @cached_property
    def pachyderm_token(self) -> str:
        """The Pachyderm session token; empty on a cluster without authentication."""
        return self.pachyderm.auth_token or ""

    @cached_property
    def determined(self) -> Determined:
        """A client of the Determined master, logged in as DET_USER."""
        from determined.experimental import Determined

        return Determined(master=self["DET_MASTER"], user=self["DET_USER"], password=self["DET_PASS"])

    @cached_property
    def kserve(self) -> KServeClient:
        """A KServeClient on KUBECONFIG's current context."""
        from kserve import KServeClient

        return KServeClient(config_file=self["KUBECONFIG"])

    @cached_property
    def kubernetes(self) -> Any:
        """The typed core/v1 client of the `kubernetes` package."""
        from kubernetes import client, config

        config.load_kube_config(self["KUBECONFIG"])
        return client.CoreV1Api()

    @property
    def s3_endpoint(self) -> str:
        """Where predictors reach Pachyderm's S3 gateway: PACH_S3_ENDPOINT, else pachd's host on the vendor's port."""
        host = urlsplit(self["PACHD_ADDRESS"]).hostname
        return self.variables.get("PACH_S3_ENDPOINT") or f"http://{host}:30600"

    @property
    def ingress(self) -> str:
        return f"http://{self['INGRESS_HOST']}:{self['INGRESS_PORT']}"


def load(name: str = "embedded", root: Path | None = None) -> Profile:
    """Read ``profiles/<name>.env``, or the file that ``name`` is the path of, and put its variables into the environment.

    Raises ProfileError that names the missing profile, file or variable.
    """
    root = root or find_root()
    path = Path(name) if name.endswith(".env") else root / "profiles" / f"{name}.env"
    if not path.exists():
        raise ProfileError(_missing(name, path))
    variables = {key: value or "" for key, value in dotenv_values(path).items()}
    if missing := [key for key in REQUIRED if key not in variables or (not variables[key] and key != "DET_PASS")]:
        raise ProfileError(f"{path} does not set {', '.join(missing)}: profiles/cluster.env.example explains each")
    for key in FILES:
        variables[key] = str(Path(variables[key]).expanduser())
        if not Path(variables[key]).exists():
            raise ProfileError(f"{key} in {path} names {variables[key]}, which is not there")
    os.environ.update(variables)
    _find_commands()
    return Profile(name, root, variables)


def _find_commands() -> None:
    """Put this environment's `pachctl`, `det` and others on the PATH for ``!``, however Jupyter was started."""
    folder, before = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    if folder not in before.split(os.pathsep):
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"


def find_root() -> Path:
    """The repository's root: the nearest folder above this one that holds ``profiles/``."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "profiles" / "cluster.env.example").exists():
            return folder
    raise ProfileError("there is no profiles/ folder here or above: open the notebook from a clone of the course")


def _missing(name: str, path: Path) -> str:
    if name == "embedded":
        return f"{path} is not there: run `make setup` (or `minipdk env --format dotenv > profiles/embedded.env`)"
    if name == "cluster":
        return f"{path} is not there: copy profiles/cluster.env.example to profiles/cluster.env and fill it in"
    if path.name == name or "/" in name:
        return f"there is no file {name}"
    known = sorted({"embedded", "cluster"} | {file.stem for file in path.parent.glob("*.env")})
    return f"there is no profile {name!r}: choose one of {', '.join(known)}"
