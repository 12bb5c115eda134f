"""startup-hook.sh runs before the trial, in the trial's layer."""

from __future__ import annotations

import importlib.util

from tests.conftest import wheel
from tests.minipdk.services.determined.conftest import Cluster, finish

NAME, CONTENT = wheel("minipdk_hooked", "VALUE = 'from the hook'\n")
INSTALL = f"pip install --quiet --no-index --no-deps --disable-pip-version-check ./{NAME}\n"
SCRIPT = "import minipdk_hooked; print(minipdk_hooked.VALUE)"


def test_packages_that_the_hook_installs_are_private_to_the_trial(cluster: Cluster) -> None:
    files: dict[str, str | bytes] = {"startup-hook.sh": INSTALL, NAME: CONTENT, "main.py": SCRIPT}
    experiment = cluster.submit(files, entrypoint="python3 main.py")
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    assert "from the hook" in cluster.logs(experiment)
    assert importlib.util.find_spec("minipdk_hooked") is None
    other = cluster.submit({"main.py": SCRIPT}, entrypoint="python3 main.py")
    assert finish(other) == "ERROR"
    assert "ModuleNotFoundError: No module named 'minipdk_hooked'" in cluster.logs(other)


def test_trial_sees_the_variables_and_files_of_the_hook(cluster: Cluster) -> None:
    hook = "export COLOUR='dark  red'\ntouch made-by-hook\necho hook in $PWD\n"
    script = "import os; print(os.environ['COLOUR'], os.path.exists('made-by-hook'))"
    experiment = cluster.submit({"startup-hook.sh": hook, "main.py": script}, entrypoint="python3 main.py")
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    logs = cluster.logs(experiment)
    assert "hook in /run/determined/workdir" in logs
    assert "dark  red True" in logs


def test_failing_hook_fails_the_trial(cluster: Cluster) -> None:
    experiment = cluster.submit(
        {"startup-hook.sh": "echo before\nfalse\necho after\n", "main.py": ""}, entrypoint="python3 main.py"
    )
    assert finish(experiment) == "ERROR"
    logs = cluster.logs(experiment)
    assert "|| before" in logs
    assert "|| after" not in logs
    assert "failed: exit code 1" in logs


def test_entrypoint_keeps_the_folder_the_umask_and_the_limits_of_the_hook(cluster: Cluster) -> None:
    hook = "cd /tmp\numask 027\nulimit -n 512\nexport COLOUR=red\n"
    experiment = cluster.submit({"startup-hook.sh": hook}, entrypoint="pwd; umask; ulimit -n; echo $COLOUR")
    assert finish(experiment) == "COMPLETED", cluster.logs(experiment)
    [trial] = experiment.list_trials()
    printed = [line.partition("|| ")[2].strip() for line in trial.iter_logs(stdtypes=["stdout"])]
    assert printed == ["/tmp", "0027", "512", "red"]


def test_hook_may_end_the_trial(cluster: Cluster) -> None:
    experiment = cluster.submit({"startup-hook.sh": "exit 0\n"}, entrypoint="echo never")
    assert finish(experiment) == "COMPLETED"
    assert "|| never" not in cluster.logs(experiment)
