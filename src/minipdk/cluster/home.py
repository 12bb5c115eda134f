"""Create a cluster's folder, or open an existing one: its place, identity, settings and credentials."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from minipdk.cluster.services import VENDOR_PORTS
from minipdk.common.home import Home, HomeError, Identity, load, private_dir, save

TOKEN_LENGTH = 40


@dataclass(frozen=True)
class Settings:
    """The settings of a cluster; an empty value leaves it as it is.

    A new cluster has the resource pool ``default`` and asks for Pachyderm's token. ``profile`` is a file that each start
    writes again.
    """

    resource_pools: tuple[str, ...] = ()
    course_git_url: str = ""
    auth: bool | None = None
    profile: Path | None = None

    def applied(self, path: Path, identity: Identity) -> Identity:
        """``identity``, of the cluster at ``path``, with these settings."""
        return replace(
            identity,
            resource_pools=list(self.resource_pools) or identity.resource_pools,
            course_git_url=self.course_git_url or identity.course_git_url,
            auth=identity.auth if self.auth is None else self.auth,
            # relative: a clone and the cluster in it may be moved together
            profile=os.path.relpath(self.profile, path) if self.profile else identity.profile,
        )


def default_path() -> Path:
    """The folder that commands use when none is named.

    It is $MINIPDK_HOME; else the nearest cluster in a ``.minipdk`` of this folder or one above, as the course's Makefile
    makes it; else ~/.minipdk.
    """
    if named := os.environ.get("MINIPDK_HOME"):
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_home(folder / ".minipdk"):
            return folder / ".minipdk"
    return Path.home() / ".minipdk"


def is_home(path: Path) -> bool:
    """Whether there is a cluster's folder at ``path``."""
    return (path / "cluster.json").exists()


def create(path: Path, settings: Settings | None = None) -> Home:
    """Make a new cluster's folder at ``path``, or open the existing one with these settings.

    Raises HomeError when the folder holds something else.
    """
    with locked(path):
        return prepare(path, settings or Settings())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One command at a time may create, start or stop the cluster at ``path``, which is made if nothing is there."""
    try:
        folder = os.open(private_dir(path), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise HomeError(f"{path} cannot be a cluster's folder ({reason}): choose another with --home") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def prepare(path: Path, settings: Settings) -> Home:
    """`create`, for a caller that has locked ``path``. A new cluster has the vendors' ports until it starts."""
    if is_home(path):
        before = load(path).identity
        identity = settings.applied(path, before)
        return Home(path, before) if identity == before else save(path, identity)
    if any(path.iterdir()):
        raise HomeError(f"{path} is not empty and not a minipdk home: choose another folder with --home")
    new = Identity(cluster_id=str(uuid.uuid4()), token=new_token(), ports=dict(VENDOR_PORTS))
    return save(path, settings.applied(path, new))


def new_token() -> str:
    """A random secret of letters and digits, of every kind that Determined requires in a password."""
    while True:
        token = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(TOKEN_LENGTH))
        if any(map(str.islower, token)) and any(map(str.isupper, token)) and any(map(str.isdigit, token)):
            return token
