"""Notice an attendee's work before a command replaces it: answers in labs/, and commits and experiments on the cluster.

Each check ends with WorkError, whose message names the work, the way to keep it, and the way to go on without it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course.labs.index import Lab
    from course.profile import Profile

GENERATED = ("labs", "solutions/model-server/packages")
"""The folders that `make labs` writes."""

SHOWN = 5


class WorkError(Exception):
    """A command would destroy work."""


def check_files(root: Path, folders: tuple[str, ...] = GENERATED) -> None:
    """Raise WorkError if a file in ``folders`` is not in Git as it is now."""
    options = ["--porcelain", "-z", "--no-renames", "--untracked-files=all"]
    command = ["git", "-c", f"safe.directory={root}", "status", *options, "--", *folders]
    status = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if status.returncode:
        raise WorkError(
            f"{root} is not a Git repository ({status.stderr.decode(errors='replace').strip()}), so it is unknown whether "
            f"{' and '.join(folders)} have answers. `make labs OVERWRITE=1` replaces them"
        )
    changed = [entry[3:] for entry in status.stdout.decode(errors="replace").split("\0") if entry]
    if changed:
        raise WorkError(
            f"these files have changes that are not in Git: {_listed(changed)}. To keep them, commit them or copy them to "
            "another folder; `make labs OVERWRITE=1` replaces them"
        )


def check_project(profile: Profile, lab: Lab) -> None:
    """Raise WorkError if the project that ``lab`` empties has commits other than those of the solution's last run."""
    commits = _commits(profile, lab)
    if commits and commits != _records(_record_path(profile, lab)).get(profile["PACHD_ADDRESS"]):
        raise WorkError(
            f"the project {lab.project} has work in it, and the solution of {lab.name} empties it. To keep the work, run "
            f"the solution on another cluster: make {lab.target} MINIPDK_HOME=/another/folder. "
            f"To start over: make {lab.target} START_OVER=1"
        )


def record_run(profile: Profile, lab: Lab) -> None:
    """Note the commits that the solution of ``lab`` has made on this cluster, so that its next run may replace them."""
    path = _record_path(profile, lab)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_records(path) | {profile["PACHD_ADDRESS"]: _commits(profile, lab)}))


def check_cluster(profile: Profile) -> None:
    """Raise WorkError if the cluster is not empty: stored outputs come from a first run."""
    namespace = profile["KSERVE_NAMESPACE"]
    work = [f"the project {info.project.name}" for info in profile.pachyderm.pfs.list_project()]
    work = [name for name in work if name != "the project default"]
    work += [f"the experiment {experiment.id}" for experiment in profile.determined.list_experiments()]
    services = profile.kserve.get(namespace=namespace)["items"]
    work += [f"the InferenceService {service['metadata']['name']}" for service in services]
    if work:
        raise WorkError(
            f"outputs are stored from an empty cluster, and this one has {_listed(work)}. To keep them, use another "
            "cluster: make notebooks MINIPDK_HOME=/another/folder. `minipdk reset` forgets them"
        )


def _commits(profile: Profile, lab: Lab) -> list[str]:
    from pachyderm_sdk.api import pfs

    project = pfs.Project(name=lab.project)
    if not lab.project or not profile.pachyderm.pfs.project_exists(project):
        return []
    return sorted(info.commit_set.id for info in profile.pachyderm.pfs.list_commit_set(project=project))


def _record_path(profile: Profile, lab: Lab) -> Path:
    return profile.root / "build" / lab.name / "commits.json"


def _records(path: Path) -> dict[str, list[str]]:
    """The commits of the solution's last run on each cluster, by pachd's address."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
