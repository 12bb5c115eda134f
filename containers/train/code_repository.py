"""Fetch the experiment's code from Git and read its configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml
from training_errors import TrainingError


def clone(url: str, ref: str, target: Path) -> str:
    """Clone ``url`` into ``target``, check out ``ref`` (a branch, tag or commit) and return the commit's id."""
    if not url:
        raise TrainingError("no Git repository is named: pass --git-url")
    print(f"Cloning {url}, {ref}")
    _git("clone", "--quiet", "--", url, str(target))
    commit = _git(
        "-C", str(target), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", check=False
    )
    if not commit:
        # A branch that exists on the remote side only.
        commit = _git("-C", str(target), "rev-parse", "--verify", "--quiet", f"origin/{ref}^{{commit}}", check=False)
    if not commit:
        raise TrainingError(f"{url} has no branch, tag or commit {ref!r}: change --git-ref")
    _git("-C", str(target), "checkout", "--quiet", "--detach", commit)
    return commit


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """The experiment configuration ``folder/name``. Raises TrainingError if it is invalid or lacks data.pachyderm."""
    path = folder / name
    try:
        config = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise TrainingError(f"the repository has no file {name} in {folder.name}/: change --sub-dir or --config") from None
    except yaml.YAMLError as error:
        raise TrainingError(f"{name} is not valid YAML: {error}") from error
    data = config.get("data") if isinstance(config, dict) else None
    if not isinstance(data, dict) or "pachyderm" not in data:
        raise TrainingError(f"{name} has no data.pachyderm section to fill in: is the experiment ported?")
    return dict(config)


def _git(*arguments: str, check: bool = True) -> str:
    """Run git without ever asking for a password; return its output."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError:
        raise TrainingError("git is not installed in this image") from None
    if check and done.returncode:
        raise TrainingError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip() if not done.returncode else ""
