"""The cluster's folder: where it is, its identity, its ports and credentials, and the files that vendor clients read.

Everything a cluster remembers lies below one folder (``MINIPDK_HOME``, by default ``~/.minipdk``), readable by its owner
alone. Two clusters are two folders. The layout::

    cluster.json      identity, token, ports, resource pools (this module)
    pachctl.json      what PACH_CONFIG names: the address and token that pachyderm_sdk and pachctl read
    kubeconfig        what KUBECONFIG names
    tls/              the generated CA and the Kubernetes API's certificate
    db/<service>.db   one SQLite database for each service
    blobs/            content-addressed files
    images/           images built by `minipdk image build`
    volumes/          a folder for each persistent volume claim: <namespace>/<claim>
    containers/       the private layers of running containers
    shared_fs/        Determined's checkpoint storage, /determined_shared_fs in a trial
    logs/<service>.log
    logs/pods/<namespace>/<pod>/<container>.log
    run/              pid files; run/envoy is what the ingress is told
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import string
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
VENDOR_PORTS = {"pachd": 30650, "s3": 30600, "determined": 8080, "kubernetes": 6443, "ingress": 8081}
MODELS_NAMESPACE = "models"
DETERMINED_USER = "determined"
TOKEN_LENGTH = 40


class HomeError(Exception):
    """The cluster's folder is missing, unreadable or not one of minipdk's."""


@dataclass(frozen=True)
class Identity:
    """What a cluster is created with and keeps for life.

    ``token`` is the one secret: Pachyderm's session token, Determined's password, the Kubernetes bearer token and both
    halves of the S3 credentials. ``ports`` maps the keys of VENDOR_PORTS to the TCP ports on loopback. Without ``auth``
    Pachyderm asks for no token, and nothing that its clients read holds one.
    """

    cluster_id: str
    token: str
    ports: dict[str, int]
    resource_pools: list[str] = field(default_factory=lambda: ["default"])
    course_git_url: str = ""
    auth: bool = True


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
        """Pachyderm's session token for its one user; empty where Pachyderm runs without authentication."""
        return self.identity.token if self.identity.auth else ""

    def port(self, name: str) -> int:
        """The TCP port of ``name``, one of VENDOR_PORTS' keys."""
        return self.identity.ports[name]

    def database(self, service: str) -> Path:
        return _private_dir(self.path / "db") / f"{service}.db"

    def folder(self, name: str) -> Path:
        """A folder of the cluster, made on first use: blobs, images, containers, shared_fs, logs, run, tls."""
        return _private_dir(self.path / name)

    def log_file(self, service: str) -> Path:
        return self.folder("logs") / f"{service}.log"

    def pod_log(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> Path:
        """Where whoever runs a pod appends a container's output, and the Kubernetes API reads it for `kubectl logs`.

        ``previous`` is the log of the container's last run before a restart: rename the file to it, then start anew.
        """
        name = f"{container}.previous.log" if previous else f"{container}.log"
        return self.folder("logs") / "pods" / namespace / pod / name

    @property
    def pachd_address(self) -> str:
        return f"grpc://{HOST}:{self.port('pachd')}"

    @property
    def s3_endpoint(self) -> str:
        return f"http://{HOST}:{self.port('s3')}"

    @property
    def determined_master(self) -> str:
        return f"http://{HOST}:{self.port('determined')}"

    @property
    def kubernetes_server(self) -> str:
        return f"https://{HOST}:{self.port('kubernetes')}"

    @property
    def pach_config(self) -> Path:
        return self.path / "pachctl.json"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def ca_certificate(self) -> Path:
        return self.folder("tls") / "ca.crt"


def default_path() -> Path:
    """The folder that commands use when none is named.

    It is $MINIPDK_HOME; else the nearest cluster in a ``.minipdk`` of this folder or one above, as the course's Makefile
    makes it; else ~/.minipdk.
    """
    if named := os.environ.get("MINIPDK_HOME"):
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".minipdk" / "cluster.json").exists():
            return folder / ".minipdk"
    return Path.home() / ".minipdk"


def create(
    path: Path, *, resource_pools: list[str] | None = None, course_git_url: str = "", auth: bool | None = None
) -> Home:
    """Make a new cluster's folder at ``path``, or open the one that is there with the settings given.

    A new cluster's Pachyderm asks for its token unless ``auth`` is False.

    Ports are the vendors' own, or the next free one where those are taken.
    """
    if (path / "cluster.json").exists():
        old = load(path).identity
        identity = Identity(
            cluster_id=old.cluster_id,
            token=old.token,
            ports=old.ports,
            resource_pools=resource_pools or old.resource_pools,
            course_git_url=course_git_url or old.course_git_url,
            auth=old.auth if auth is None else auth,
        )
    else:
        if path.is_dir() and any(path.iterdir()):
            raise HomeError(f"{path} is not empty and not a minipdk home: choose another folder with --home")
        _private_dir(path)
        identity = Identity(
            cluster_id=str(uuid.uuid4()),
            token=new_token(),
            ports=choose_ports({}),
            resource_pools=resource_pools or ["default"],
            course_git_url=course_git_url,
            auth=auth is not False,
        )
    return save(path, identity)


def save(path: Path, identity: Identity) -> Home:
    """Write ``identity`` to the folder at ``path`` and return the home."""
    write_private(path / "cluster.json", json.dumps(asdict(identity), indent=2) + "\n")
    return Home(path, identity)


def load(path: Path) -> Home:
    """Open the cluster's folder at ``path``. Raises HomeError when there is none."""
    try:
        return Home(path, Identity(**json.loads((path / "cluster.json").read_text())))
    except FileNotFoundError:
        raise HomeError(f"there is no cluster at {path}: create one with `minipdk start --home {path}`") from None
    except (ValueError, TypeError) as error:
        raise HomeError(f"{path / 'cluster.json'} is damaged ({error}): remove the folder and start again") from error


def new_token() -> str:
    """A random secret of letters and digits, of every kind that Determined asks of a password."""
    while True:
        token = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(TOKEN_LENGTH))
        if any(map(str.islower, token)) and any(map(str.isupper, token)) and any(map(str.isdigit, token)):
            return token


def choose_ports(preferred: dict[str, int]) -> dict[str, int]:
    """A free loopback port for each service: the preferred or the vendor's own, else the next that is free."""
    chosen: dict[str, int] = {}
    for name, vendor_port in VENDOR_PORTS.items():
        port = preferred.get(name, vendor_port)
        while port in chosen.values() or not port_is_free(port):
            port += 1
        chosen[name] = port
    return chosen


def port_is_free(port: int) -> bool:
    """Whether a service could listen on ``port`` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


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


def _private_dir(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
