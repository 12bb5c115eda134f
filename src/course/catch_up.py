"""Prepare a cluster for a notebook by running the notebooks before it that have not done their work yet."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from traitlets.config import Config

from course import hints
from course.private import private
from course.profile import Profile, load

PROJECT = "pdk-customer-churn"
DATA_REPO = "customer-churn-data"
WORKSPACE = "PDK Demos"
KERNEL = Config(
    KernelManager={"transport": "ipc"},  # private sockets instead of open TCP ports
    NotebookClient={"extra_arguments": ["--IPKernelApp.log_level=CRITICAL"]},
)


def catch_up(profile_name: str, *, before: int) -> Profile:
    """Load the profile and run each notebook before number ``before`` that has not done its work on the cluster.

    Returns the profile. Finished work is left alone, so a second call costs a few look-ups. Raises ProfileError when another
    cluster answers than the profile's.
    """
    profile = load(profile_name)
    hints.install()
    profile.compare_cluster()
    for number, done in _DONE.items():
        if number < before and not done(profile):
            notebook = next((profile.root / "notebooks").glob(f"{number:02d}_*.ipynb"))
            sys.stderr.write(f"Catching up: running {notebook.name} first ...\n")
            execute(notebook, profile)
    return profile


def executed_copy(notebook: Path, profile: Profile) -> Path:
    """The path of the copy that `execute` makes of ``notebook``."""
    return profile.root / "build" / notebook.resolve().parent.name / notebook.name


def execute(notebook: Path, profile: Profile) -> Path:
    """Execute ``notebook`` with papermill; return the executed copy, in build/ below the name of the notebook's folder."""
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    build = profile.root / "build"
    target = executed_copy(notebook, profile)
    with private(build):
        target.parent.mkdir(parents=True, exist_ok=True)
        papermill.execute_notebook(
            notebook,
            target,
            parameters={"PROFILE": profile.name},
            kernel_name="python3",
            cwd=str(notebook.parent),
            progress_bar=False,
            config=KERNEL,
        )
    return target


def _data_is_committed(profile: Profile) -> bool:
    from pachyderm_sdk.api import pfs

    branch = f"{PROJECT}/{DATA_REPO}@master"
    client = profile.pachyderm.pfs
    return bool(
        client.branch_exists(pfs.Branch.from_uri(branch))
        and client.path_exists(pfs.File.from_uri(f"{branch}:/data_part1.csv"))
    )


def _project_exists(profile: Profile) -> bool:
    from determined.common.api.errors import NotFoundException

    try:
        workspace = profile.determined.get_workspace(WORKSPACE)
    except NotFoundException:
        return False
    return workspace is not None and any(project.name == PROJECT for project in workspace.list_projects())


def _endpoint_is_ready(profile: Profile) -> bool:
    from course.endpoint import SERVICE

    try:
        return bool(profile.kserve.is_isvc_ready(SERVICE, namespace=profile["KSERVE_NAMESPACE"]))
    except RuntimeError:  # KServeClient raises it if there is no such service
        return False


def _model_was_retrained(profile: Profile) -> bool:
    from course.endpoint import MODEL

    models = [model for model in profile.determined.list_models(name=MODEL) if model.name == MODEL]
    return bool(models) and len(models[0].list_versions()) > 1


_DONE: dict[int, Callable[[Profile], bool]] = {
    2: _data_is_committed,
    3: _project_exists,
    4: _endpoint_is_ready,
    6: _model_was_retrained,
}
