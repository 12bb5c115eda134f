"""The checks of the MNIST lab: after each step, ticks for each part that works, or a hint on the first mistake."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit

import requests

from course import Profile, check, commands
from course.checks import step
from course.labs.mnist import answer, deployment, dockerfile, neuro, reference, training, wrapper
from course.labs.mnist import secrets as cluster_secrets
from course.progress import WaitTimeoutError, wait_for

IMAGE, STORAGE, MODEL = "image:examples/mnist", "storage:examples/mnist", "model.pkl"
TRAINING, SERVER = "train-mnist", "example-mnist"
"""The names of the two jobs."""

NAMESPACE, DEPLOYMENT = "seldon", "neuro-model"
SERVER_PORT = "5000"
PACKAGE, PICTURE, DATA = Path("pkg"), Path("img_103.jpg"), Path("data")
WRAPPER_IMAGE = "mnist-wrapper:check"
SMALLEST_MODEL, LARGEST_MODEL = 4_700_000, 4_900_000
"""Bytes of the saved network."""

TIMEOUT_SECONDS, START_SECONDS = 10, 120
NOT_YET = {502, 503, 504}
"""The ingress's answers while a job's server starts."""

VARIABLES = ("NEURO_API", "APOLO_CONFIG", "NEUROMATION_CONFIG")


class Checks:
    """One method for each step of the lab. None of them changes anything on the platform or the cluster."""

    def __init__(self, profile: Profile, folder: Path = Path()) -> None:
        self._profile, self._folder = profile, folder

    @step
    def logged_in(self) -> None:
        missing = [name for name in VARIABLES if not self._profile.variables.get(name)]
        hint = f"{', '.join(missing)} is not in it: `make setup` writes the embedded one, cluster.env.example explains each"
        check("the profile names a platform", not missing, hint)
        self._expect_folder()
        rows = neuro.table(neuro.ask("config", "show"))
        expected, actual = self._profile["NEURO_API"], rows.get("API URL", "")
        hint = f'you are logged in at {actual}: neuro config login-with-token "$NEURO_TOKEN" "$NEURO_API"'
        check("you are logged in at the profile's platform", _origin(actual) == _origin(expected), hint)
        for label in ("User Name", "Current Cluster", "Current Project"):
            value = rows.get(label, "")
            hint = f"`neuro config show` has none: neuro config switch-{label.split()[-1].lower()}"
            check(f"{label.lower()}: {value}", value and not value.startswith("<no"), hint)

    @step
    def program(self) -> None:
        training.judge_epochs(self._read("main.py"))
        training.judge_data(self._folder / DATA)
        result = commands.run([sys.executable, "main.py", "--dry-run", "--epochs", "1"], self._folder, seconds=120)
        hint = commands.last_line(result.stderr, result.stdout)
        check("a step on 64 digits works", result.returncode == 0 and "Test set" in result.stdout, hint)

    @step
    def dockerfile(self) -> None:
        dockerfile.judge(self._read("train.Dockerfile"))

    @step
    def built(self, tag: str, build: CompletedProcess[str]) -> None:
        judge_build(build)
        self._expect_tag(tag)

    @step
    def tagged(self) -> None:
        self._expect_tag("train")

    @step
    def trained(self, run: CompletedProcess[str], logs: CompletedProcess[str]) -> None:
        judge_command(run)
        job = neuro.wait(TRAINING, lambda _: False)
        training.judge_mount(job)
        training.judge_end(job, logs.stdout)
        training.judge_accuracy(logs.stdout)

    @step
    def stored(self) -> None:
        size = self._model_size()
        hint = f"it has {size:,} bytes: is it another model's, or the end of one that was cut off? Run the job again"
        check("it has 4.8 MB", SMALLEST_MODEL < size < LARGEST_MODEL, hint)

    @step
    def scaffolded(self) -> None:
        for name in ("seldon_model.py", "seldon.Dockerfile"):
            hint = (
                f"neuro-extras seldon init-package {PACKAGE}: it makes a new folder, so `.` is refused. "
                f"Delete {PACKAGE}/ to repeat it"
            )
            check(f"{PACKAGE}/{name} is there", (self._folder / PACKAGE / name).is_file(), hint)

    @step
    def wrapper(self) -> None:
        for name in ("seldon_model.py", "seldon.Dockerfile", "main.py", "requirements.txt"):
            hint = "do step 8" if name.startswith("seldon") else f"cp {name} {PACKAGE}/"
            check(f"{PACKAGE}/{name} is there", (self._folder / PACKAGE / name).is_file(), hint)
        build, run = (shlex.split(os.environ.get(name, "")) for name in ("IMAGE_BUILD", "IMAGE_RUN"))
        check("the profile can build and run images", build and run, "IMAGE_BUILD and IMAGE_RUN are not in it")
        package = self._folder / PACKAGE
        result = commands.run([*build, "-f", package / "seldon.Dockerfile", "-t", WRAPPER_IMAGE, package])
        check("its image can be built", result.returncode == 0, commands.last_line(result.stderr, result.stdout))
        with self._model() as model:
            try:
                seen = wrapper.run(
                    [*run, "--rm", WRAPPER_IMAGE],
                    model=model,
                    picture=self._folder / PICTURE,
                    digits=self._folder / DATA,
                )
            except wrapper.WrapperError as error:
                wrapper.judge_error(error)
                return
        wrapper.judge(seen)

    @step
    def running(self, run: CompletedProcess[str]) -> None:
        judge_command(run)
        job = neuro.wait(SERVER, lambda job: job.status == "running")
        reason = f" ({job.reason})" if job.reason else ""
        hint = f"it is {job.status}{reason}: `neuro logs {SERVER}` has its last words"
        check(f"the job {SERVER} is running", job.status == "running", hint)
        hint = f"it is {job.port}: Seldon's server listens on {SERVER_PORT}, so run it with --http {SERVER_PORT}"
        check(f"its HTTP port is {SERVER_PORT}", job.port == SERVER_PORT, hint)
        mount = next((volume for volume in job.volumes if volume.split()[0] == wrapper.STORAGE), "")
        hint = f"-v {STORAGE}:{wrapper.STORAGE}:ro mounts the model at the place where the wrapper looks for it"
        check(f"it has {wrapper.STORAGE}", mount, hint)
        check("and may only read there", "READONLY" in mount, f"a server needs no more: -v {STORAGE}:{wrapper.STORAGE}:ro")
        answers = _wait_for_server(job.url)
        check("its server answers", answers, f"it does not start: `neuro logs {SERVER}` shows why; Ctrl-C ends it")

    @step
    def answered(self, curl: CompletedProcess[str]) -> None:
        judge_script(curl)
        answer.judge(curl, self._expected())

    @step
    def killed(self) -> None:
        job = neuro.job(SERVER)
        check(f"there was a job {SERVER}", job, "do step 10 first")
        hint = f"it is {job.status if job else ''}: neuro kill {SERVER}"
        check(f"{SERVER} is cancelled", job and job.status == "cancelled", hint)

    @step
    def secrets(self) -> None:
        own = self._secrets(NAMESPACE)
        names = (cluster_secrets.REGISTRY, cluster_secrets.CONFIG)
        other = ("default", self._profile["KSERVE_NAMESPACE"])
        elsewhere = {name: place for place in other for name in names if name not in own and name in self._secrets(place)}
        url = neuro.table(neuro.ask("config", "show")).get("Docker Registry URL", "")
        cluster_secrets.judge(own, elsewhere, namespace=NAMESPACE, registry=urlsplit(url).netloc)
        token = self._profile.variables.get("NEURO_TOKEN", "")
        cluster_secrets.judge_files(self._folder, cluster_secrets.passwords(own) | ({token} if token else set()))

    @step
    def deployed(self) -> None:
        obstacle = deployment.wait(self._profile, NAMESPACE, DEPLOYMENT)
        check(f"{DEPLOYMENT} is available", not obstacle, obstacle)

    @step
    def cleared(self) -> None:
        left = deployment.find(self._profile, NAMESPACE, DEPLOYMENT)
        check(f"{DEPLOYMENT} is gone", left is None, f"kubectl -n {NAMESPACE} delete sdep {DEPLOYMENT}")

    # Shared by several steps

    def _expect_folder(self) -> None:
        """The environment names the profile's folder of the client's configuration."""
        for name in ("APOLO_CONFIG", "NEUROMATION_CONFIG"):
            hint = f"it is {os.environ.get(name) or 'not set'}, another folder than the profile's: run the first cells again"
            check(f"{name} is the profile's", os.environ.get(name) == self._profile[name], hint)

    def _expect_tag(self, tag: str) -> None:
        existing = neuro.tags(IMAGE)
        hint = f"it has {', '.join(existing)}: build {IMAGE}:{tag}" if existing else f"it has none: build {IMAGE}:{tag}"
        check(f"the registry has {IMAGE}:{tag}", tag in existing, hint)

    def _read(self, name: str) -> str:
        path = self._folder / name
        check(f"{name} is here", path.is_file(), f"copy it from solutions/{self._folder.resolve().name}")
        return path.read_text(errors="replace")

    def _model_size(self) -> int:
        """The bytes of the trained model. Raises CheckError if the storage has none."""
        sizes = neuro.files(STORAGE)
        others = f"there is {', '.join(sizes)}" if sizes else "the folder is empty"
        hint = f"{others}: is MODEL_PATH in step 6 below the folder where the storage is mounted, /var/storage/{MODEL}?"
        check(f"{STORAGE} has {MODEL}", MODEL in sizes, hint)
        return sizes[MODEL]

    @contextmanager
    def _model(self) -> Iterator[Path]:
        """A copy of the trained model."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL
            try:
                neuro.ask("cp", f"{STORAGE}/{MODEL}", path)
            except neuro.NeuroError:
                self._model_size()  # the better hint, if there is none
                raise
            yield path

    def _expected(self) -> list[float]:
        with self._model() as model:
            return reference.output(self._folder, model, self._folder / PICTURE)

    def _secrets(self, namespace: str) -> dict[str, cluster_secrets.Secret]:
        items = self._profile.kubernetes.list_namespaced_secret(namespace).items
        return {item.metadata.name: cluster_secrets.Secret(item.type, item.data or {}) for item in items}


def judge_build(build: CompletedProcess[str]) -> None:
    """Check the end of ``neuro-extras image build``. Raises CheckError that names the mistake."""
    judge_script(build)
    script = script_of(build)
    text = f"{build.stdout}\n{build.stderr}"
    said = commands.last_line(build.stderr, build.stdout)
    if " exists" in text and "force-overwrite" in text:
        said = "the image exists already: with -F the build replaces it"
    elif not {"-f", "--file"} & set(shlex.split(script, comments=True)) and build.returncode:
        said = f"without -f it looks for a file called Dockerfile: -f train.Dockerfile, or -f seldon.Dockerfile ({said})"
    check("the platform has built it", build.returncode == 0, said)


def judge_command(result: CompletedProcess[str]) -> None:
    """Check that a command was filled in and has succeeded. Raises CheckError."""
    judge_script(result)
    check("the command has succeeded", result.returncode == 0, commands.last_line(result.stderr, result.stdout))


def judge_script(result: CompletedProcess[str]) -> None:
    check("there is a command", script_of(result).strip(), "fill in the command of this step")


def script_of(result: CompletedProcess[Any]) -> str:
    """The script that ``result`` is of."""
    return str(result.args[-1]) if result.args else ""


def _wait_for_server(url: str) -> bool:
    """Wait until the server behind ``url`` answers; return whether it does."""

    def look() -> tuple[bool, str, None]:
        try:
            status = requests.get(url, timeout=TIMEOUT_SECONDS).status_code
        except requests.RequestException:
            return False, "no answer yet", None
        return status not in NOT_YET, f"answers {status}", None

    try:
        wait_for("Seldon's server", look, seconds=START_SECONDS)
    except WaitTimeoutError:
        return False
    return True


def _origin(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port
