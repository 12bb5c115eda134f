"""Many files in one stream: one commit and one round trip, while a call for each file would need thousands.

From Python it does the same as ``pachctl put file -r``.
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

    All of them are one stream: into an open commit, or into a branch as a new commit, which is finished (and then durable)
    when this returns; if it fails, none of them is stored. A file that exists is replaced, or with ``append`` extended;
    files that are not sent stay. A transfer of over two seconds shows its progress on stderr.

    Raises FileNotFoundError if nothing matches, `pachctl.errors.PachctlError` for a file that cannot be read, and
    grpc.RpcError when the cluster refuses.
    """
    from pachyderm_sdk.api import pfs

    root = Path(folder)
    files = sorted(path for path in root.glob(pattern) if path.is_file())
    if not files:
        raise FileNotFoundError(f"nothing in {root} matches {pattern!r}")
    target = PurePosixPath("/") / path
    uploads = [transfer.Upload(str(target / file.relative_to(root).as_posix()), str(file)) for file in files]
    commit = pfs.Commit(repo=to.repo, branch=to) if isinstance(to, pfs.Branch) else to
    total, sent, began, line = sum(upload.size for upload in uploads), 0, time.monotonic(), Line()

    def advance(count: int) -> None:
        nonlocal sent
        sent += count
        if (passed := time.monotonic() - began) > SHOW_AFTER:
            line.show(f"put: {sent / MIB:.1f} of {total / MIB:.1f} MiB ({passed:.0f} s)")

    try:
        transfer.send(client, commit, uploads, append=append, advance=advance)
    finally:
        line.show("")
    return [upload.path for upload in uploads]
