"""Create a cluster's folder, or open an existing one: its place, identity, ports and credentials."""

from __future__ import annotations

import os
import secrets
import string
import uuid
from itertools import count
from pathlib import Path

from minipdk.cluster.services import VENDOR_PORTS
from minipdk.common.home import Home, HomeError, Identity, load, private_dir, save
from minipdk.common.ports import first_free

TOKEN_LENGTH = 40


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
    """Make a new cluster's folder at ``path``, or open the existing one with the settings given.

    A new cluster's Pachyderm requires its token unless ``auth`` is False. Raises HomeError when the folder holds something
    else.
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
        private_dir(path)
        identity = Identity(
            cluster_id=str(uuid.uuid4()),
            token=new_token(),
            ports=choose_ports({}),
            resource_pools=resource_pools or ["default"],
            course_git_url=course_git_url,
            auth=auth is not False,
        )
    return save(path, identity)


def new_token() -> str:
    """A random secret of letters and digits, of every kind that Determined requires in a password."""
    while True:
        token = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(TOKEN_LENGTH))
        if any(map(str.islower, token)) and any(map(str.isupper, token)) and any(map(str.isdigit, token)):
            return token


def choose_ports(preferred: dict[str, int]) -> dict[str, int]:
    """A free loopback port for each port of the services: the preferred or the vendor's own, else the next free one."""
    chosen: dict[str, int] = {}
    for name, vendor_port in VENDOR_PORTS.items():
        candidates = (port for port in count(preferred.get(name, vendor_port)) if port not in chosen.values())
        port = first_free(candidates)
        assert port is not None, "count() does not end"
        chosen[name] = port
    return chosen
