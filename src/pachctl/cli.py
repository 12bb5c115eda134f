"""The ``pachctl`` command: finds the command to run, and turns every failure into one line and exit status 1."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Any, NoReturn

import typer.main

from pachctl import legacy, output
from pachctl.errors import PachctlError
from pachctl.verbs import app, singular

COMMANDS = (
    *("auth", "branch", "cluster", "commit", "completion", "config", "datum", "defaults", "file", "job", "logs", "metadata"),
    *("project", "repo", "secret", "status", "transaction"),
)
MODULES = {
    **{name: (name,) for name in COMMANDS},
    "pipeline": ("pipeline", "pipeline_spec"),
    "cron": ("pipeline",),
    "connect": ("config",),
    "default": ("defaults",),
    **dict.fromkeys(("all", "fsck", "version"), ("cluster",)),
    **dict.fromkeys(("kube-event", "loki", "task"), ("status",)),
}
"""Which modules of `pachctl.commands` register the commands of a first or second word, in the singular."""
ELSEWHERE = (
    *("mount", "unmount", "shell", "exit", "port-forward", "buildinfo", "debug", "enterprise", "license", "idp", "misc"),
    *("draw pipeline", "create snapshot", "list snapshot", "inspect snapshot", "delete snapshot"),
    *("run pfs-load-test", "run pps-load-test", "auth set-config", "auth get enterprise", "auth set enterprise"),
)
"""Commands of Pachyderm's own binary that are refused by name: they act on a deployment, or need more than its API."""


WITHOUT_EFFECT = {
    ("list", "file"): {"--full-timestamps": 0},
    ("glob", "file"): {"--full-timestamps": 0},
    ("diff", "file"): {"--full-timestamps": 0, "--no-pager": 0},
    ("list", "job"): {"--no-pager": 0},
    ("inspect", "branch"): {"--full-timestamps": 0},
    **{(verb, "pipeline"): dict.fromkeys(("--registry", "-r", "--username", "-u"), 1) for verb in ("create", "update")},
}
"""Flags of Pachyderm's own binary that change nothing here, with the number of their values.

No command uses a pager, these tables have no relative times, and images are not pushed.
"""


def main() -> None:
    """Run the command line."""
    logging.getLogger("grpc").setLevel(logging.CRITICAL)  # this command reports failures, once
    arguments = sys.argv[1:]
    go_flags = {"--progress=true": "--progress", "--progress=false": "--no-progress"}
    arguments = _global_options([go_flags.get(argument, argument) for argument in arguments])
    if (translated := legacy.translate(arguments)) is not None:
        output.note(legacy.hint(arguments, translated))
        arguments = translated
    arguments = _effective(arguments)
    if elsewhere := next((name for name in ELSEWHERE if arguments[: len(name.split())] == name.split()), None):
        fail(f"pachctl {elsewhere} is not supported by this pachctl; Pachyderm's own binary has it")
    command = commands_for(arguments)
    try:
        command.main(args=_or_help(command, arguments), prog_name="pachctl")
    except SystemExit as end:
        sys.exit(1 if end.code == 2 else end.code)  # the Go command ends with 1 on usage errors, too
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except _failures() as error:
        fail(explain(error))


def _global_options(arguments: list[str]) -> list[str]:
    """Take the options that are allowed anywhere; returns the command's own arguments."""
    if "--no-color" in arguments:
        arguments = [argument for argument in arguments if argument != "--no-color"]
        os.environ["NO_COLOR"] = "1"
    if {"-v", "--verbose"} & set(arguments):
        arguments = [argument for argument in arguments if argument not in ("-v", "--verbose")]
        os.environ["GRPC_VERBOSITY"], os.environ["GRPC_TRACE"] = "DEBUG", "http,client_channel"
    for at, word in enumerate(arguments):
        name, separator, value = word.partition("=")
        if name == "--rpc-timeout":
            if not separator:
                value = "".join(arguments[at + 1 : at + 2])
            from pachctl import client, specs

            try:
                client.limit_calls(specs.seconds(value, "rpc-timeout"))
            except PachctlError as error:
                fail(str(error))
            return arguments[:at] + arguments[at + (1 if separator else 2) :]
    return arguments


def _effective(arguments: list[str]) -> list[str]:
    """The arguments without the flags `WITHOUT_EFFECT` and their values."""
    words = tuple(map(singular, arguments[:2]))
    flags = WITHOUT_EFFECT.get((words[0], words[1]), {}) if len(words) == 2 else {}
    kept, skipped = [], 0
    for word in arguments:
        name, separator, _ = word.partition("=")
        if skipped:
            skipped -= 1
        elif name in flags:
            skipped = 0 if separator else flags[name]
        else:
            kept.append(word)
    return kept


def commands_for(arguments: list[str]) -> Any:
    """The part of the command tree that these arguments can reach; loading all of it takes three times as long."""
    words = [form for word in arguments[:2] for form in (word, singular(word))]
    modules = next((MODULES[word] for word in words if word in MODULES), None)
    for name in modules or dict.fromkeys(name for names in MODULES.values() for name in names):
        importlib.import_module(f"pachctl.commands.{name}")
    return typer.main.get_command(app)


def _or_help(command: Any, arguments: list[str]) -> list[str]:
    """``pachctl create`` alone lists the objects to create."""
    node = command
    for word in arguments:
        if not hasattr(node, "get_command") or (node := node.get_command(None, word)) is None:
            return arguments
    return [*arguments, "--help"] if hasattr(node, "get_command") else arguments


def _failures() -> tuple[type[BaseException], ...]:
    """The exceptions that a command may raise; only commands that speak to a cluster import gRPC."""
    import grpc

    return (PachctlError, OSError, grpc.RpcError, NotImplementedError, ValueError, RuntimeError)


def explain(error: BaseException) -> str:
    """One line for a failure: the cluster's own words if it answered, else how to reach it."""
    import grpc
    from pachyderm_sdk.errors import AuthServiceNotActivated

    from pachctl import client

    if isinstance(error, grpc.RpcError):
        code, said = error.code(), error.details() or ""  # it is a grpc.Call, too
        if code == grpc.StatusCode.UNAVAILABLE:
            return unreachable(client.target())
        if code == grpc.StatusCode.UNAUTHENTICATED:
            return f"{said} (context {client.target().context!r}); give it a token: pachctl auth use-auth-token"
        return said or str(code.name)
    if isinstance(error, ConnectionError) and not isinstance(error, AuthServiceNotActivated):
        return unreachable(client.target())
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def unreachable(target: object) -> str:
    return f"could not connect to pachd at {target}: is the cluster running? Other clusters: pachctl config list context"


def fail(message: str) -> NoReturn:
    """End with one line on standard error."""
    sys.stdout.flush()
    output.note(" ".join(message.split()))
    sys.exit(1)
