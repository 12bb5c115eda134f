"""A profile: the dotenv file of variables through which the vendors' clients find a cluster.

``embedded`` is written whenever the embedded cluster starts; ``cluster`` is filled in by an instructor from
``profiles/cluster.env.example``. Loading one puts its variables into the environment, where `pachctl`, `det`, `kubectl`
and the Python clients look for them, and exempts a cluster on this machine from the environment's proxies.
"""

from __future__ import annotations

import codecs
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from course import hints

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
CLUSTER_ID = "PACHD_CLUSTER_ID"
"""The variable that says which cluster the profile is of, as `pachctl inspect cluster` shows it; it may be left out."""
LOOPBACK = ("127.0.0.1", "localhost")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
ANSWER_SECONDS = 10.0


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

    def compare_cluster(self) -> None:
        """Compare the cluster that answers with the profile's, if that names one. Raises ProfileError when they differ.

        A cluster on this machine can have other ports after a start, and another cluster the former ones.
        """
        from grpc import RpcError
        from pachyderm_sdk.api.admin import ClusterInfo, InspectClusterRequest

        address, expected = self["PACHD_ADDRESS"], self.variables.get(CLUSTER_ID)
        if not expected:
            return
        channel = self.pachyderm._channel  # its generated calls take no deadline
        inspect = channel.unary_unary("/admin_v2.API/InspectCluster", bytes, ClusterInfo.FromString)
        try:
            answering = inspect(InspectClusterRequest(), timeout=ANSWER_SECONDS).id
        except (RpcError, ConnectionError) as error:
            raise ProfileError(f"Pachyderm does not answer at PACHD_ADDRESS, {address}: {hints.START}") from error
        if answering != expected:
            raise ProfileError(
                f"another cluster answers at PACHD_ADDRESS, {address}: its id is {answering} and the profile's "
                f"{CLUSTER_ID} is {expected}. {self._remedy}"
            )

    @property
    def _remedy(self) -> str:
        if self.name == "embedded":
            return "Run `make setup`, which starts the embedded cluster and writes the profile again"
        return "Correct the profile, or leave the id out"

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
    variables = {key: value or "" for key, value in dotenv_values(stream=StringIO(_text(path))).items()}
    if missing := [key for key in REQUIRED if key not in variables or (not variables[key] and key != "DET_PASS")]:
        raise ProfileError(f"{path} does not set {', '.join(missing)}: profiles/cluster.env.example explains each")
    for key in FILES:
        variables[key] = str(Path(variables[key]).expanduser())
        if not Path(variables[key]).exists():
            raise ProfileError(f"{key} in {path} names {variables[key]}, which is not there")
    os.environ.update(variables | _exemptions(variables))
    _find_commands()
    return Profile(name, root, variables)


def _text(path: Path) -> str:
    """A profile's text, with or without a byte order mark; editors of Windows also save UTF-16. Raises ProfileError."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(UTF16) else "utf-8-sig")
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path} is not text in UTF-8: save it with this encoding") from error
    if "\0" in text:
        raise ProfileError(f"{path} is not text in UTF-8: save it with this encoding")
    return text


def _exemptions(variables: dict[str, str]) -> dict[str, str]:
    """The variables that name the hosts to reach without a proxy: the environment's, the profile's, and a local cluster's.

    Clients read either spelling of no_proxy; gRPC ignores it where no_grpc_proxy is set.
    """
    local = ",".join(LOOPBACK) if urlsplit(variables["PACHD_ADDRESS"]).hostname in LOOPBACK else ""
    sources = (os.environ, variables)
    general = _joined(*(source.get("no_proxy") or source.get("NO_PROXY", "") for source in sources), local)
    special = _joined(*(source.get("no_grpc_proxy", "") for source in sources))
    both = {"no_proxy": general, "NO_PROXY": general}
    return both | {"no_grpc_proxy": _joined(special, local)} if special else both


def _joined(*lists: str) -> str:
    """The hosts of all ``lists``, each once."""
    hosts = (host.strip() for hosts in lists for host in hosts.split(","))
    return ",".join(dict.fromkeys(filter(None, hosts)))


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
        return f"{path} is not there: run `make setup` (or `minipdk start --profile profiles/embedded.env`)"
    if name == "cluster":
        return f"{path} is not there: copy profiles/cluster.env.example to profiles/cluster.env and fill it in"
    if path.name == name or "/" in name:
        return f"there is no file {name}"
    known = sorted({"embedded", "cluster"} | {file.stem for file in path.parent.glob("*.env")})
    return f"there is no profile {name!r}: choose one of {', '.join(known)}"
