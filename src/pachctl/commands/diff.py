"""``diff file``: the changes between two versions of a file or directory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from pachyderm_sdk.api import pfs

from pachctl import client, output, verbs
from pachctl.errors import PachctlError
from pachctl.options import Project

NOTHING = "/dev/null"


@verbs.diff.command("file")
def diff_file(
    new: Annotated[str, typer.Argument(metavar="NEW", show_default=False)],
    old: Annotated[str | None, typer.Argument(metavar="[OLD]", show_default=False)] = None,
    *,
    shallow: Annotated[bool, typer.Option("--shallow", "-s", help="Do not descend into directories.")] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Only the names of changed files.")] = False,
    command: Annotated[str, typer.Option("--diff-command", help="The program that compares two files.")] = "",
    project: Project = None,
    old_project: Annotated[str | None, typer.Option(help="The old file's project.", show_default=False)] = None,
) -> None:
    """Compare files; both are REPO@BRANCH-OR-COMMIT:PATH. OLD is the parent commit's when it is not given."""
    cluster = client.connect()
    changes = cluster.pfs.diff_file(
        new_file=client.file(new, project),
        old_file=client.file(old, old_project or project) if old else None,
        shallow=shallow,
    )
    if not name_only:
        return _contents(cluster, changes, _program(command))
    rows = []
    for change in changes:
        for mark, colour, info in (("+", output.GREEN, change.new_file), ("-", output.RED, change.old_file)):
            if info.file.path:
                rows.append([output.colour(mark, colour), output.size(info.size_bytes), info.file.path])
    return output.table("OP\tSIZE\tNAME", rows)


def _program(command: str) -> list[str]:
    if command:
        return command.split()
    if shutil.which("git"):
        colour = "always" if sys.stdout.isatty() else "never"
        return ["git", "-c", f"color.ui={colour}", "--no-pager", "diff", "--no-index"]
    return ["diff", "-u"]


def _contents(cluster: Any, changes: Any, program: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for change in changes:
            files = [info for info in (change.old_file, change.new_file) if info.file_type == pfs.FileType.FILE]
            if not files:
                continue  # a directory differs because files in it do
            old = _download(cluster, change.old_file, Path(folder), "old")
            new = _download(cluster, change.new_file, Path(folder), "new")
            output.flush()
            try:
                done = subprocess.run([*program, old, new], cwd=folder, check=False)
            except OSError as error:
                raise PachctlError(f"cannot run the diff command {program[0]}: {error.strerror}") from error
            if done.returncode not in (0, 1):  # 1: the files differ
                raise PachctlError(f"the diff command {program[0]} ended with exit status {done.returncode}")


def _download(cluster: Any, info: pfs.FileInfo, folder: Path, side: str) -> str:
    """The file's local copy below ``folder``: ``old/PATH`` or ``new/PATH``, so that the comparison names it."""
    if info.file_type != pfs.FileType.FILE:
        return NOTHING
    place = folder / side / info.file.path.lstrip("/")
    if ".." in place.parts:
        raise PachctlError(f"the cluster sent a path that leaves its directory: {info.file.path}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as out:
        for part in cluster.pfs.get_file(file=info.file):
            out.write(part.value)
    return str(place.relative_to(folder))
