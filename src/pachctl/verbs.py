"""The command tree: ``pachctl VERB OBJECT``. Modules of `commands` register their functions on these verbs."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

app = typer.Typer(
    name="pachctl",
    help="Version data and run pipelines on a Pachyderm cluster.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def singular(name: str) -> str:
    """``repos`` as ``repo``; the words that end in an s for other reasons stay."""
    if name == "logs":
        return name
    return name.removesuffix("es") if name == "branches" else name.removesuffix("s")


class ObjectGroup(TyperGroup):
    """A verb's objects, found in the singular and in the plural: ``list repo`` and ``list repos``."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        return super().get_command(ctx, singular(cmd_name)) if command is None else command


def group(parent: typer.Typer, name: str, summary: str) -> typer.Typer:
    """A word of ``parent`` that needs another word after it."""
    made = typer.Typer(cls=ObjectGroup, help=summary, rich_markup_mode=None)
    parent.add_typer(made, name=name)
    return made


def _verb(name: str, summary: str) -> typer.Typer:
    return group(app, name, summary)


create = _verb("create", "Create a project, repo, branch, pipeline, secret or defaults.")
update = _verb("update", "Change a project, repo, pipeline or defaults.")
inspect = _verb("inspect", "Show one object in full.")
list_ = _verb("list", "Show the objects of a kind.")
delete = _verb("delete", "Delete an object, or everything.")
start = _verb("start", "Start a commit, a transaction, or a stopped pipeline.")
finish = _verb("finish", "Finish a commit or a transaction.")
stop = _verb("stop", "Stop a pipeline or a job; leave a transaction for later.")
resume = _verb("resume", "Take up a transaction again.")
wait = _verb("wait", "Wait for a commit or a job to finish.")
find = _verb("find", "Find the commits that changed a file.")
squash = _verb("squash", "Merge a commit into its child.")
subscribe = _verb("subscribe", "Follow the commits of a branch.")
put = _verb("put", "Write files.")
get = _verb("get", "Read files.")
copy = _verb("copy", "Copy files within Pachyderm.")
glob = _verb("glob", "Find files by a pattern.")
diff = _verb("diff", "Compare files.")
rerun = _verb("rerun", "Run a pipeline again.")
run = _verb("run", "Run a pipeline or a cron input now.")
restart = _verb("restart", "Restart a datum or the cluster.")
edit = _verb("edit", "Edit a pipeline's spec, or an object's metadata.")
next_ = _verb("next", "In a batching pipeline's code: take the next datum.")
check = _verb("check", "Check how pipelines do.")
validate = _verb("validate", "Check a spec without the cluster.")
auth = _verb("auth", "Log in, and manage roles and permissions.")
config = _verb("config", "Which clusters there are, and which one commands use.")
completion = _verb("completion", "Complete commands in your shell.")
