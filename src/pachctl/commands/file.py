"""``put|copy|get|inspect|list|glob|diff|delete file``."""

from __future__ import annotations

import csv
import posixpath
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from pachyderm_sdk.api import pfs

from pachctl import client, output, specs, transfer, verbs
from pachctl.errors import PachctlError
from pachctl.options import FileName, Form, Project, Raw
from pachctl.transfer import Upload

Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="The files below a directory.")]
Append = Annotated[bool, typer.Option("--append", "-a", help="Add to the file's content instead of replacing it.")]
ShowProgress = Annotated[
    bool | None,
    typer.Option("--progress/--no-progress", help="Show a bar on stderr [default: on a terminal].", show_default=False),
]
MaybeFile = Annotated[str, typer.Argument(metavar="REPO@BRANCH-OR-COMMIT[:PATH]", show_default=False)]
COLUMNS = "SIZE\tNAME"
NO_FILE = "/dev/null"


@verbs.put.command("file")
def put_file(
    file: MaybeFile,
    *,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", help="Local files or URLs, separated by commas; - is standard input.", show_default="-"
        ),
    ] = None,
    input_file: Annotated[str, typer.Option("--input-file", "-i", help="A file that lists sources, one on a line.")] = "",
    recursive: Recursive = False,
    append: Append = False,
    full_path: Annotated[
        bool, typer.Option("--full-path", help="Keep the source's whole path as the target's name.")
    ] = False,
    untar: Annotated[bool, typer.Option("--untar", help="Write the files in .tar, .tar.gz and .tgz archives.")] = False,
    compress: Annotated[bool, typer.Option("--compress", "-c", help="Send the data gzipped.")] = False,
    parallelism: Annotated[
        int | None,
        typer.Option("--parallelism", "-p", help="Has no effect: all files go in one stream.", show_default=False),
    ] = None,
    show: ShowProgress = None,
    project: Project = None,
) -> None:
    """Write files into an open commit, or into a new commit of the branch. Existing files are replaced."""
    if parallelism is not None:
        output.note("notice: --parallelism has no effect: all files go in one stream")
    where = client.file(file, project)
    if sources and input_file:
        raise PachctlError("cannot set both --file (-f) and --input-file (-i)")
    named = _listed(input_file) if input_file else list(chain.from_iterable(csv.reader(sources or ["-"])))
    uploads = [upload for source in named for upload in _uploads(source, where.path, len(named), recursive, full_path)]
    if untar:
        uploads = [replace(upload, untar=upload.source.endswith((".tar", ".tar.gz", ".tgz"))) for upload in uploads]
    transfer.check(uploads)
    cluster = client.connect(compress=compress)
    cluster.pfs.inspect_repo(repo=where.commit.repo)  # a wrong name fails before anything is sent
    with transfer.progress(sum(upload.size for upload in uploads), "put", show) as advance:
        transfer.send(cluster, where.commit, uploads, append=append, advance=advance)


def _listed(name: str) -> list[str]:
    """The sources that a file, a URL or standard input names, one on a line."""
    return [line for line in specs.read_text(name).splitlines() if line]


def _uploads(source: str, path: str, count: int, recursive: bool, full_path: bool) -> list[Upload]:
    """The files that one source stands for, at the paths that the Go command would give them."""
    if source == "-":
        if recursive:
            raise PachctlError("cannot set -r and read from stdin: name a directory with -f")
        if not path:
            raise PachctlError("must specify a filename when reading data from stdin: REPO@BRANCH:PATH")
    local = urlsplit(source).path if transfer.is_url(source) else source
    target = local if full_path else PurePosixPath(local).name
    if not path:
        place = target
    elif count > 1 or (recursive and full_path) or (not recursive and path.endswith("/")):
        place = f"{path.rstrip('/')}/{target.lstrip('/')}"
    else:
        place = path
    place = posixpath.normpath("/" + place.lstrip("/"))
    if recursive and not transfer.is_url(source):
        return list(transfer.walk(source, place))
    return [Upload(place, source, recursive)]


@verbs.copy.command("file")
def copy_file(
    source: Annotated[str, typer.Argument(metavar="SOURCE", show_default=False)],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", show_default=False)],
    *,
    append: Append = False,
    project: Project = None,
    src_project: Annotated[str | None, typer.Option(help="The source's project.", show_default=False)] = None,
    dest_project: Annotated[str | None, typer.Option(help="The destination's project.", show_default=False)] = None,
) -> None:
    """Copy a file or directory without moving its data. Both are REPO@BRANCH-OR-COMMIT:PATH."""
    src, dst = client.file(source, src_project or project), client.file(destination, dest_project or project)
    client.connect().pfs.copy_file(commit=dst.commit, src=src, dst=dst.path, append=append)


@verbs.get.command("file")
def get_file(
    file: FileName,
    *,
    recursive: Recursive = False,
    target: Annotated[str, typer.Option("--output", "-o", help="The local file or directory to write.")] = "",
    offset: Annotated[int, typer.Option(min=0, help="Skip this many bytes.")] = 0,
    retry: Annotated[bool, typer.Option("--retry", help="Append the missing rest to an existing local file.")] = False,
    show: ShowProgress = None,
    project: Project = None,
) -> None:
    """Read a file to standard output or, with -o, to a local file; -r reads a directory."""
    where, cluster = client.file(file, project), client.connect()
    if recursive:
        if not target:
            raise PachctlError("an output path needs to be specified when using the --recursive flag: -o DIRECTORY")
        info = cluster.pfs.inspect_file(file=where)
        with cluster.pfs.pfs_tar_file(file=where) as archive, transfer.progress(info.size_bytes, "get", show) as advance:
            return transfer.extract(archive, info.file.path, target, advance)
    if not target:
        for part in _read(cluster, where, offset):
            sys.stdout.buffer.write(part.value)
        return None
    if transfer.is_url(target):
        deque(cluster.pfs.get_file(file=where, url=target, offset=offset), maxlen=0)
        return None
    if Path(target).is_dir():
        raise PachctlError(f"{target} is a directory: name the file to write")
    if not Path(target).absolute().parent.is_dir():
        raise PachctlError(f"{target}: there is no directory {Path(target).parent}")
    info = cluster.pfs.inspect_file(file=where)
    resume = retry and Path(target).is_file()
    start = Path(target).stat().st_size if resume and not offset else offset
    with transfer.progress(info.size_bytes - start, "get", show) as advance:
        return transfer.receive(_read(cluster, where, start), target, advance, resume)


def _read(cluster: Any, file: pfs.File, offset: int) -> Any:
    import grpc

    try:
        yield from cluster.pfs.get_file(file=file, offset=offset)
    except grpc.RpcError as error:
        said = error.details() or ""
        if "GetFileTAR" not in said:
            raise
        raise PachctlError(f"{said.split('. Use GetFileTAR')[0]}: try again with -r -o DIRECTORY") from error


def kind(info: pfs.FileInfo) -> str:
    return "dir" if info.file_type == pfs.FileType.DIR else "file"


def row(info: pfs.FileInfo) -> list[str]:
    return [output.size(info.size_bytes), info.file.path]


@verbs.inspect.command("file")
def inspect_file(file: FileName, raw: Raw = False, form: Form = "", project: Project = None) -> None:
    """Show a file or directory."""
    output.check_form(raw, form)
    info = client.connect().pfs.inspect_file(file=client.file(file, project))
    if raw:
        return output.raw([info], form)
    return output.fields(
        [
            ("Path", info.file.path),
            ("Datum", info.file.datum),
            ("Type", kind(info)),
            ("Size", output.size(info.size_bytes)),
        ]
    )


@verbs.list_.command("file")
def list_file(file: MaybeFile, raw: Raw = False, form: Form = "", project: Project = None) -> None:
    """List the files in a directory."""
    output.check_form(raw, form)
    output.show(client.connect().pfs.list_file(file=client.file(file, project)), raw, form, COLUMNS, row)


@verbs.glob.command("file")
def glob_file(pattern: FileName, raw: Raw = False, form: Form = "", project: Project = None) -> None:
    """List the files whose path matches a pattern, such as 'images@master:/*.png'."""
    output.check_form(raw, form)
    where = client.file(pattern, project)
    files = client.connect().pfs.glob_file(commit=where.commit, pattern=where.path)
    output.show(files, raw, form, COLUMNS, row)


@verbs.delete.command("file")
def delete_file(file: FileName, recursive: Recursive = False, project: Project = None) -> None:
    """Delete a file, or with -r a directory."""
    where = client.file(file, project)
    if not where.path:
        raise PachctlError(f'invalid format "{file}": expected <repo>@<branch-or-commit>:<path>')
    path = where.path.rstrip("/") + "/" if recursive else where.path
    client.connect().pfs.delete_file(commit=where.commit, path=path)


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
        return NO_FILE
    place = folder / side / info.file.path.lstrip("/")
    if ".." in place.parts:
        raise PachctlError(f"the cluster sent a path that leaves its directory: {info.file.path}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as out:
        for part in cluster.pfs.get_file(file=info.file):
            out.write(part.value)
    return str(place.relative_to(folder))
