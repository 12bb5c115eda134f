"""The arguments and options that many commands share, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Project = Annotated[str | None, typer.Option("--project", help="The project [default: the context's].", show_default=False)]
AllProjects = Annotated[bool, typer.Option("--all-projects", "-A", help="Across all projects.")]
Raw = Annotated[bool, typer.Option("--raw", help="Print the whole object instead of a table.")]
Form = Annotated[str, typer.Option("--output", "-o", help="With --raw: json (default) or yaml.", show_default=False)]
Full = Annotated[bool, typer.Option("--full-timestamps", "-f", help="Absolute times.")]
FullLong = Annotated[bool, typer.Option("--full-timestamps", help="Absolute times.")]  # where -f has another meaning
Force = Annotated[bool, typer.Option("--force", "-f", help="Go on even if other objects depend on it.")]
Description = Annotated[str, typer.Option("--description", "-d", help="A description.", show_default=False)]

RepoName = Annotated[str, typer.Argument(metavar="REPO", show_default=False)]
BranchName = Annotated[str, typer.Argument(metavar="REPO@BRANCH", show_default=False)]
CommitName = Annotated[str, typer.Argument(metavar="REPO@BRANCH-OR-COMMIT", show_default=False)]
FileName = Annotated[str, typer.Argument(metavar="REPO@BRANCH-OR-COMMIT:PATH", show_default=False)]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", show_default=False)]
JobName = Annotated[str, typer.Argument(metavar="PIPELINE@JOB", show_default=False)]
