"""The embedded profile: the variables that the vendors' clients and the course's notebooks read, and its file.

`minipdk start --profile FILE` makes ``FILE`` the cluster's: each start writes it again, because ports can change.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from minipdk.cluster.services import SERVICES
from minipdk.common.environment import exemptions
from minipdk.common.home import Home, HomeError, write_private

ID = "PACHD_CLUSTER_ID"
"""The variable that says whose profile a file is."""


def environment(home: Home) -> dict[str, str]:
    """The variables of every service, and the cluster's own: the course's repository, images, and no proxy for loopback."""
    return {
        **_addresses(home),
        "COURSE_GIT_URL": home.identity.course_git_url,
        "IMAGE_BUILD": shlex.join(["minipdk", "image", "build", "--home", str(home.path)]),
        "IMAGE_RUN": shlex.join(["minipdk", "image", "run", "--home", str(home.path)]),
        **exemptions(os.environ),
    }


def dotenv(variables: Mapping[str, str]) -> str:
    """``variables`` as a dotenv file."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def file(home: Home) -> Path | None:
    """The file that starts of the cluster write; None when there is none."""
    return Path(os.path.normpath(home.path / home.identity.profile)) if home.identity.profile else None


def write(home: Home, *, named: bool) -> str:
    """Write the cluster's file, if it has one; return why that was left undone.

    If this start has ``named`` the file, it may be another cluster's. Raises HomeError when it was and cannot be written.
    """
    path = file(home)
    if path is None:
        return ""
    problem = _problem(home, path, named=named)
    if problem and named:
        raise HomeError(problem)
    if not problem:
        write_private(path, dotenv(environment(home)))
    return problem


def remove(home: Home) -> None:
    """Remove the cluster's file, unless it has become another's."""
    path = file(home)
    if path is not None and values(path).get(ID) == _addresses(home)[ID]:
        path.unlink()


def is_current(home: Home, variables: Mapping[str, str | None]) -> bool:
    """Whether ``variables`` have the addresses of the cluster as they are now."""
    return all(variables.get(name) == value for name, value in _addresses(home).items())


def values(path: Path) -> dict[str, str | None]:
    """The variables of a profile; none of a file that is missing or no text."""
    try:
        return dotenv_values(path, interpolate=False)
    except UnicodeDecodeError:
        return {}


def _addresses(home: Home) -> dict[str, str]:
    return {name: value for service in SERVICES for name, value in service.variables(home).items()}


def _problem(home: Home, path: Path, *, named: bool) -> str:
    """Why this cluster must not write ``path``; empty when it may."""
    another = "name another file with --profile"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} for the profile: {another}"
    if not path.exists():
        return ""
    variables = values(path)
    if ID not in variables and not str(variables.get("IMAGE_BUILD", "")).startswith("minipdk "):  # older ones have no id
        return f"{path} was not written by minipdk and stays as it is: move it away, or {another}"
    if not named and variables.get(ID) not in (None, _addresses(home)[ID]):
        return f"{path} is the profile of another cluster now: `minipdk start --profile {path}` makes it this one's again"
    return ""
