"""The ``minipdk`` command. Every verb calls one function; an error is one line with the remedy, and exit status 1."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from minipdk import __version__, cluster
from minipdk.cluster.home import create, default_path, is_home
from minipdk.cluster.profile import dotenv
from minipdk.cluster.profile import file as profile_file
from minipdk.common.home import Home, HomeError, keep_private, load

app = typer.Typer(
    help="An embedded Pachyderm, Determined and KServe cluster for learning, developing and CI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
image_app = typer.Typer(help="Build images from ordinary Dockerfiles, run and list them.", no_args_is_help=True)
app.add_typer(image_app, name="image")
console = Console(highlight=False, soft_wrap=True)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The cluster's folder [default: $MINIPDK_HOME or ~/.minipdk].")
]


LOGS = (*(process.name for process in cluster.PROCESSES), "supervisor")
NOT_RUN = 125
"""The exit status of `docker run` when it could not run the command at all."""


class Format(StrEnum):
    shell = "shell"
    dotenv = "dotenv"
    json = "json"


def main() -> None:
    """Run the command line; a failure that has a clear message is printed as one."""
    from minipdk.images.errors import ImageError
    from minipdk.sandbox.errors import SandboxError

    keep_private()
    try:
        app(prog_name="minipdk")
    except (HomeError, cluster.ClusterError, ImageError, SandboxError) as error:
        fail(str(error))


def fail(message: str, status: int = 1) -> NoReturn:
    """End with ``message`` on stderr and exit status 1, or ``status``."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"minipdk: {message}", markup=False)
    sys.exit(status)


@app.command()
def start(
    home: HomeOption = None,
    resource_pools: Annotated[
        str, typer.Option(help="Comma-separated names of Determined resource pools for this machine's slots.")
    ] = "",
    course_git_url: Annotated[
        str, typer.Option(help="The Git URL pipelines clone experiments from [default: this folder's repository].")
    ] = "",
    auth: Annotated[
        bool | None,
        typer.Option("--auth/--no-auth", help="Whether Pachyderm asks for a token [default: as before, else yes]."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="A file for the variables of `minipdk env`: this and every later start writes it.")
    ] = None,
) -> None:
    """Start the cluster, or find it running; returns when every service answers. A cluster keeps its settings."""
    path = home or default_path()
    known = load(path) if is_home(path) else None
    git_url = course_git_url or ("" if known and known.identity.course_git_url else _repository_here())
    pools = tuple(name.strip() for name in resource_pools.split(",") if name.strip())
    began = time.monotonic()
    started = cluster.start(path, cluster.Settings(pools, git_url, auth, profile.absolute() if profile else None))
    opened = started.home
    console.print(f"[green]The cluster is ready[/green] ({time.monotonic() - began:.1f} s) at {opened.path}")
    console.print(_addresses(opened))
    _print_changes(started)
    if known and opened.identity.auth != known.identity.auth:
        console.print("Secrets that hold a Pachyderm token were made for the old setting: create them again.")
    console.print('Next: [bold]eval "$(minipdk env)"[/bold], then open notebooks/01_connect.ipynb with `make lab`.')


@app.command()
def status(home: HomeOption = None) -> None:
    """Show each service's state and address; exit status 3 when the cluster is not running."""
    opened = _open(home)
    if not cluster.is_running(opened):
        console.print(f"The cluster at {opened.path} is not running. Start it with: minipdk start")
        sys.exit(3)
    table = Table(box=None, header_style="bold")
    for title in ("SERVICE", "STATE", "PID", "RESTARTS", "PORTS"):
        table.add_column(title)
    for running in cluster.status(opened):
        ports = ", ".join(f"{name} {opened.port(name)}" for name in running.process.ports)
        table.add_row(running.process.name, running.state, str(running.pid or "-"), str(running.restarts), ports)
    console.print(table)
    _print_service_tables(opened)


@app.command()
def stop(home: HomeOption = None) -> None:
    """Stop every service. Data, models and images stay."""
    opened = _open(home)
    console.print("The cluster has stopped." if cluster.stop(opened) else "The cluster was not running.")


@app.command()
def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the cluster and forget its data, experiments and models. Credentials, ports and images stay."""
    opened = _open(home)
    if not yes:
        typer.confirm(f"Forget everything in the cluster at {opened.path}?", abort=True)
    cluster.reset(opened)
    console.print("The cluster is empty. Start it with: minipdk start")


@app.command()
def delete(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the cluster and remove its folder with everything in it, and the profile that it wrote."""
    opened = _open(home)
    if not yes:
        typer.confirm(f"Remove the cluster at {opened.path}, its data, credentials and images?", abort=True)
    cluster.delete(opened)
    console.print(f"The cluster at {opened.path} is gone.")


@app.command()
def env(
    home: HomeOption = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the variables.")] = Format.shell,
) -> None:
    """Print the variables that the vendors' clients and the notebooks read."""
    variables = cluster.environment(_open(home))
    if output is Format.json:
        typer.echo(json.dumps(variables, indent=2))
        return
    if output is Format.dotenv:
        typer.echo(dotenv(variables), nl=False)
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(LOGS)}.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines as they come.")] = False,
    home: HomeOption = None,
) -> None:
    """Print the log of one service, or of all."""
    opened = _open(home)
    if service and service not in LOGS:
        fail(f"there is no service {service!r}: choose one of {', '.join(LOGS)}")
    files = [str(opened.log_file(name)) for name in ([service] if service else LOGS) if opened.log_file(name).exists()]
    if not files:
        fail("there are no logs yet: start the cluster with `minipdk start`")
    try:
        subprocess.run(["tail", "-n", "200" if follow else "+1", *(["-F"] if follow else []), *files], check=False)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def doctor(home: HomeOption = None) -> None:
    """Check whether this machine can run a cluster, and show the remedy for each fault."""
    from minipdk.doctor import examine

    checks = examine(_open_or_create(home))
    for check in checks:
        mark = "[green]ok[/green]     " if check.ok else "[red]missing[/red]" if check.needed else "[yellow]note[/yellow]   "
        console.print(f"{mark} {check.subject}: {check.detail}" + ("" if check.ok else f"\n        remedy: {check.remedy}"))
    if any(check.needed and not check.ok for check in checks):
        sys.exit(1)


@image_app.command("build")
def image_build(
    folder: Annotated[Path, typer.Argument(help="The build context: a folder with a Dockerfile.")],
    tag: Annotated[str, typer.Option("--tag", "-t", help="The image's name, NAME[:TAG].")],
    file: Annotated[Path | None, typer.Option("--file", "-f", help="The Dockerfile [default: FOLDER/Dockerfile].")] = None,
    home: HomeOption = None,
) -> None:
    """Build an image without Docker."""
    from minipdk.images import ImageStore

    image = ImageStore(_open_or_create(home)).build(folder, tag, dockerfile=file, progress=_show_step)
    console.print(f"Built [bold]{image.name}[/bold]")


@image_app.command("pull")
def image_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Images that come with minipdk [default: all].")] = None,
    home: HomeOption = None,
) -> None:
    """Build the images that come with minipdk, in place of fetching them from a registry as a real node does."""
    from minipdk.images import ImageStore

    store = ImageStore(_open_or_create(home))
    for name in names or cluster.IMAGES:
        source = cluster.IMAGES.get(name)
        if source is None:
            fail(f"{name} does not come with minipdk: choose from {', '.join(cluster.IMAGES)}, or build it")
        console.print(f"Building the image {name} ...")
        store.build(source.context, name, dockerfile=source.dockerfile, arguments=source.arguments, progress=_show_step)


@image_app.command("run", context_settings={"allow_interspersed_args": False})
def image_run(
    image: Annotated[str, typer.Argument(help="The image's name, NAME[:TAG].")],
    command: Annotated[list[str] | None, typer.Argument(help="The command, in place of the image's CMD.")] = None,
    *,
    rm: Annotated[bool, typer.Option("--rm", help="Always in force: nothing of a container outlives it.")] = False,  # noqa: ARG001
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE, or NAME with its value here.")] = None,
    publish: Annotated[
        list[str] | None, typer.Option("--publish", "-p", help="HOST_PORT:CONTAINER_PORT, on 127.0.0.1 only.")
    ] = None,
    mount: Annotated[list[str] | None, typer.Option(help="type=bind,source=PATH,target=PATH[,readonly]")] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", help="SOURCE:TARGET[:ro], both paths.")] = None,
    workdir: Annotated[str | None, typer.Option("--workdir", "-w", help="The working folder in the container.")] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="NAME-OR-UID[:GROUP-OR-GID]")] = None,
    entrypoint: Annotated[str | None, typer.Option(help="In place of the image's ENTRYPOINT.")] = None,
    network: Annotated[str, typer.Option(help="bridge, a private network, or host, this machine's.")] = "bridge",
    home: HomeOption = None,
) -> None:
    """Run an image in the foreground, as docker run does; exit status 125 if it cannot run, else the command's."""
    from minipdk.images import ImageStore, run, run_options
    from minipdk.images.errors import ImageError
    from minipdk.sandbox import ContainerSpec
    from minipdk.sandbox.errors import SandboxError

    opened = _open_or_create(home)
    try:
        resolved = ImageStore(opened).resolve(image)
        spec = ContainerSpec(
            resolved,
            run.arguments(resolved.config, entrypoint, command or ()),
            env=run_options.variables(env or ()),
            working_dir=workdir,
            user=user,
            mounts=[*map(run_options.mount, mount or ()), *map(run_options.volume, volume or ())],
        )
        sys.exit(run.run(opened, spec, run_options.published(publish or (), network)))
    except (ImageError, SandboxError) as error:
        fail(str(error), NOT_RUN)


@image_app.command("list")
def image_list(home: HomeOption = None) -> None:
    """List the images this cluster has."""
    from minipdk.images import ImageStore

    table = Table(box=None, header_style="bold")
    for title in ("IMAGE", "ID", "CREATED", "SIZE"):
        table.add_column(title)
    for image in ImageStore(_open(home)).list():
        created = time.strftime("%Y-%m-%d %H:%M", time.localtime(image.created))
        table.add_row(image.name, image.id[:12], created, f"{image.size / 1024:.0f} KiB")
    console.print(table)


@app.command()
def version() -> None:
    """Print minipdk's version."""
    typer.echo(__version__)


def _show_step(line: str) -> None:
    """Print a line of a build, except pip's hundred lines on requirements that are satisfied."""
    if not line.startswith("Requirement already satisfied"):
        typer.echo(line)


def _open(home: Path | None) -> Home:
    return load(home or default_path())


def _open_or_create(home: Path | None) -> Home:
    """The cluster's folder, created if it is missing: checking a machine and building images need no running cluster."""
    path = home or default_path()
    return load(path) if is_home(path) else create(path)


def _repository_here() -> str:
    """The file:// URL of the Git repository around the current folder; empty outside of one."""
    git = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False)
    return Path(git.stdout.removesuffix("\n")).as_uri() if git.returncode == 0 else ""


def _print_changes(started: cluster.Started) -> None:
    """Which ports moved, and where the addresses are that no longer hold."""
    if started.moved:
        moves = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in started.moved.items())
        console.print(f"Ports that others have taken moved: {moves}. Terminals and notebooks load the addresses again.")
    path = profile_file(started.home)
    if started.unwritten:
        console.print(f"[yellow]The profile is not up to date[/yellow]: {started.unwritten}")
    elif path is not None:
        console.print(f"Profile: {path}")


def _print_service_tables(home: Home) -> None:
    """The tables of the services, such as the requests that the ingress has forwarded."""
    for shown in (table for service in cluster.SERVICES for table in service.tables(home) if table.rows):
        table = Table(*shown.columns, box=None, header_style="bold")
        for row in shown.rows:
            table.add_row(*row)
        console.print(table)


def _addresses(home: Home) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    for title, address in (address for service in cluster.SERVICES for address in service.addresses(home)):
        table.add_row(title, address)
    return table
