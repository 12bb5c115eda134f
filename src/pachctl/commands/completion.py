"""``completion bash|zsh|fish``: print or install the code that completes commands in a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script  # typer.completion has it, too, but does not export it

from pachctl import output, verbs

Install = Annotated[bool, typer.Option("--install", help="Write the code to --path instead of printing it.")]
Place = Annotated[str, typer.Option("--path", help="Where --install writes.")]


def _complete(shell: str, install: bool, place: str) -> None:
    code = get_completion_script(prog_name="pachctl", complete_var="_PACHCTL_COMPLETE", shell=shell)
    if not install:
        return output.line(code)
    path = Path(place).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + "\n")
    return output.line(f'Completions installed in "{path}", you must restart your terminal to enable them.')


@verbs.completion.command("bash")
def completion_bash(install: Install = False, path: Place = "~/.local/share/bash-completion/completions/pachctl") -> None:
    """Completion for bash: source <(pachctl completion bash)."""
    _complete("bash", install, path)


@verbs.completion.command("zsh")
def completion_zsh(install: Install = False, path: Place = "_pachctl") -> None:
    """Completion for zsh: install it in a folder of $fpath."""
    _complete("zsh", install, path)


@verbs.completion.command("fish")
def completion_fish(install: Install = False, path: Place = "~/.config/fish/completions/pachctl.fish") -> None:
    """Completion for fish."""
    _complete("fish", install, path)
