"""Many files in one stream: one commit and one round trip, where a call for each file would be thousands.

It is what ``pachctl put file -r`` does, from Python.
"""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from course.progress import Line
from pachctl import transfer

if TYPE_CHECKING:
    from pachyderm_sdk import Client
    from pachyderm_sdk.api import pfs

SHOW_AFTER = 2.0
MIB = 1 << 20


def put_files(
    client: Client,
    to: pfs.Branch | pfs.Commit,
    folder: str | Path,
    pattern: str = "**/*",
    *,
    path: str = "/",
    append: bool = False,
) -> list[str]:
    """Write the files of ``folder`` that match ``pattern`` below ``path``; return their paths in Pachyderm, in order.

    All of them are one stream: into an open commit, or into a branch as a commit of their own, finished (and then durable)
    when this returns; when it fails, none of them is there. A file that exists is replaced, or with ``append`` added to;
    files that are not sent stay. A transfer of over two seconds shows how far it is on stderr.

    Raises FileNotFoundError when nothing matches, `pachctl.errors.PachctlError` for a file that cannot be read, and
    grpc.RpcError when the cluster refuses.
    """
    from pachyderm_sdk.api import pfs

    root = Path(folder)
    found = sorted(one for one in root.glob(pattern) if one.is_file())
    if not found:
        raise FileNotFoundError(f"nothing in {root} matches {pattern!r}")
    target = PurePosixPath("/") / path
    uploads = [transfer.Upload(str(target / one.relative_to(root).as_posix()), str(one)) for one in found]
    commit = pfs.Commit(repo=to.repo, branch=to) if isinstance(to, pfs.Branch) else to
    total, sent, began, line = sum(one.size for one in uploads), 0, time.monotonic(), Line()

    def advance(count: int) -> None:
        nonlocal sent
        sent += count
        if (passed := time.monotonic() - began) > SHOW_AFTER:
            line.show(f"put: {sent / MIB:.1f} of {total / MIB:.1f} MiB ({passed:.0f} s)")

    try:
        transfer.send(client, commit, uploads, append=append, advance=advance)
    finally:
        line.show("")
    return [one.path for one in uploads]
