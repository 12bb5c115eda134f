"""A cluster's folder as its services see it: identity, ports, credentials, and the place of everything else.

Everything a cluster remembers is below one folder (``MINIPDK_HOME``, by default ``~/.minipdk``), readable by its owner
alone. Two clusters are two folders. The layout::

    cluster.json      identity, token, ports, resource pools (this module)
    pachctl.json, kubeconfig, ...   files that vendors' clients read, written by their services
    tls/              the generated CA and the Kubernetes API's certificate
    db/<service>.db   one SQLite database for each service
    blobs/            content-addressed files
    images/           images built by `minipdk image build`
    volumes/          a folder for each persistent volume claim: <namespace>/<claim>
    containers/       the private layers of running containers
    shared_fs/        Determined's checkpoint storage, /determined_shared_fs in a trial
    logs/<service>.log
    logs/pods/<namespace>/<pod>/<container>.log
    run/              locks, sockets; run/envoy holds the ingress's configuration

`minipdk.cluster.home` makes such a folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from minipdk.common.ports import HOST

MODELS_NAMESPACE = "models"
OTHERS = 0o077
"""The permissions of users other than the owner."""


class HomeError(Exception):
    """The cluster's folder is missing, unreadable or not one of minipdk's."""


@dataclass(frozen=True)
class Identity:
    """The settings that a cluster is created with and keeps for life.

    ``token`` is the one secret: Pachyderm's session token, Determined's password, the Kubernetes bearer token and both
    halves of the S3 credentials. ``ports`` maps the names of the services' ports to TCP ports on loopback, as of the last
    start. Without ``auth`` Pachyderm asks for no token, and nothing that its clients read holds one. ``profile`` is the
    path, relative to the cluster's folder, of the profile that each start writes; empty for none.
    """

    cluster_id: str
    token: str
    ports: dict[str, int]
    resource_pools: list[str] = field(default_factory=lambda: ["default"])
    course_git_url: str = ""
    auth: bool = True
    profile: str = ""


@dataclass(frozen=True)
class Home:
    """One cluster's folder and identity."""

    path: Path
    identity: Identity

    @property
    def token(self) -> str:
        return self.identity.token

    @property
    def session_token(self) -> str:
        """Pachyderm's session token for its one user; empty if Pachyderm runs without authentication."""
        return self.identity.token if self.identity.auth else ""

    def port(self, name: str) -> int:
        """The TCP port on loopback that a service declares as ``name``."""
        return self.identity.ports[name]

    def database(self, service: str) -> Path:
        return private_dir(self.path / "db") / f"{service}.db"

    def folder(self, name: str) -> Path:
        """A folder of the cluster, made on first use: blobs, images, containers, shared_fs, logs, run, tls."""
        return private_dir(self.path / name)

    def log_file(self, service: str) -> Path:
        return self.folder("logs") / f"{service}.log"

    def pod_log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> Path:
        """The log of a container: the node appends its output, and the Kubernetes API reads it for `kubectl logs`.

        ``previous`` is the log of the run before a restart: rename the current file to it, then start a new one.
        """
        name = f"{container}.previous.log" if previous else f"{container}.log"
        return self.folder("logs") / "pods" / namespace / pod / name

    @property
    def kubelet_socket(self) -> Path:
        """Where the node serves the sessions of `kubectl exec`, `attach` and `port-forward` to the Kubernetes API."""
        return self.folder("run") / "kubelet.sock"

    def url(self, port: str, scheme: str = "http") -> str:
        """The address of the port that a service declares as ``port``."""
        return f"{scheme}://{HOST}:{self.port(port)}"

    @property
    def ca_certificate(self) -> Path:
        return self.folder("tls") / "ca.crt"


def save(path: Path, identity: Identity) -> Home:
    """Write ``identity`` to the folder at ``path`` and return the home."""
    write_private(private_dir(path) / "cluster.json", json.dumps(asdict(identity), indent=2) + "\n")
    return Home(path, identity)


def load(path: Path) -> Home:
    """Open the cluster's folder at ``path``. Raises HomeError when there is none."""
    try:
        return Home(path, Identity(**json.loads((path / "cluster.json").read_text())))
    except FileNotFoundError:
        raise HomeError(f"there is no cluster at {path}: create one with `minipdk start --home {path}`") from None
    except (ValueError, TypeError) as error:
        raise HomeError(f"{path / 'cluster.json'} is damaged ({error}): remove the folder and start again") from error


def write_private(path: Path, content: str | bytes) -> None:
    """Replace ``path`` in one step with a file only its owner can read."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def private_dir(path: Path) -> Path:
    """Make the folder ``path``, or take one that exists; only its owner has access to it afterwards."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_mode & OTHERS:
        path.chmod(0o700)
    return path


def keep_private() -> None:
    """Let no other user read the files that this process and its children make from now on, under any umask."""
    os.umask(OTHERS)
