"""The base of the servicer's parts."""

from __future__ import annotations

from collections.abc import Callable

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.pfs.facade import Pfs
from minipdk.services.pachyderm.pfs.model import ProjectInfo, RepoInfo


class Calls:
    """A part of the service, over one `Pfs`.

    ``project_defaults`` returns a project's pipeline defaults as JSON; PPS has them. ``auth_info`` returns what the user may
    do with a project or repo; None without authentication.
    """

    def __init__(
        self,
        pfs: Pfs,
        project_defaults: Callable[[str], str],
        auth_info: Callable[[ProjectInfo | RepoInfo], wire.pfs.AuthInfo | None],
    ) -> None:
        self._pfs = pfs
        self._project_defaults = project_defaults
        self._auth_info = auth_info
