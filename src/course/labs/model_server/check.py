"""The checks of the model-server lab: after each step, ticks for each part that works, or a hint on the first mistake."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pachyderm_sdk.api import pfs

from course import Profile, check
from course.checks import CheckError, step
from course.labs.model_server import manifest, old_names, probe
from course.labs.model_server.inference_service import Endpoint, storage_uri
from course.local_server import LocalServer
from course.progress import wait_for

PACKAGE = Path("packages") / "sklearn"
SERVER, SERVICE = "sklearnserver", "sklearnserver-test"
IMAGE = "sklearnserver:0.1.0"
PROJECT, REPO = "pdk-model-server", "models"
REPOSITORY = pfs.Repo(name=REPO, type="user", project=pfs.Project(name=PROJECT))
BUCKET = f"s3://master.{REPO}.{PROJECT}"
ACCOUNT = "model-reader"
SETOSA, OVERLAPPING = [5.1, 3.5, 1.4, 0.2], [7.0, 3.2, 4.7, 1.4]
"""A flower that every model names right, and a versicolor that looks like a virginica by its sepals."""

TIMEOUT_SECONDS = 30


class Checks:
    """One method for each step of the lab. None of them changes anything, here or on the cluster."""

    def __init__(self, profile: Profile, package: Path = PACKAGE) -> None:
        self._profile, self._package = profile, package
        self._namespace = profile["KSERVE_NAMESPACE"]
        self._endpoint = Endpoint(profile, SERVICE)

    @step
    def connected(self) -> None:
        hint = "install it: https://kubernetes.io/docs/tasks/tools (Debian: apt-get install kubernetes-client)"
        check("kubectl is here", shutil.which("kubectl"), hint)
        exists = self._profile.pachyderm.pfs.repo_exists(REPOSITORY)
        check(f"the repository {REPO} is there", exists, "run the cell above that makes it")

    # The package

    @step
    def preprocess(self) -> None:
        self._expect_todays_names()
        seen = self._probe("preprocess")
        hint = {
            "all": "those are all four: index the table's second axis by the positions of `columns` in config.MEASURES",
            "order": "those are the right columns in another order: keep the order of `columns`",
            "same": "those are the same columns for every value of `columns`: find their positions in config.MEASURES",
            "rows": "those are rows: the columns are the table's second axis, table[:, ...]",
            "None": "prep_func returns None: return the columns",
        }.get(seen["got"], f"prep_func returned {seen['got']}")
        check("the columns are the requested ones, in their order", seen["right"], hint)
        check("bad input is refused", seen["refuses"], "leave the checks above your part as they were")

    @step
    def predict(self) -> None:
        self._expect_todays_names()
        seen = self._probe("predict")
        hint = {
            "None": "predict returns None: return the result of self.postprocess for the probabilities",
            "probabilities": "those are probabilities, one column for each class: postprocess them",
            "columns": "the model was asked about all four columns: preprocess the flowers first",
        }.get(seen["got"], f"predict returned {seen['got']}")
        check("two flowers have two classes", seen["right"], hint)

    @step
    def trained(self, version: str, columns: tuple[str, ...]) -> None:
        options = "" if version == "0001" else f" --version {version} --columns {' '.join(columns)}"
        path = f"{SERVER}/trainer/{version}"
        exists = (self._package / path / "model.joblib").exists()
        check(f"{path}/model.joblib is there", exists, f"train it: python -m {SERVER}.trainer{options}")
        seen = self._probe("trained", path)
        hint = f"it looks at {', '.join(seen['columns'])}: python -m {SERVER}.trainer{options}"
        check(f"it looks at {' and '.join(columns)}", tuple(seen["columns"]) == columns, hint)
        hint = f"{seen['right']} of {seen['flowers']} is no better than guessing: do the checks before this one pass?"
        check(f"it names {seen['right']} of {seen['flowers']} unseen flowers right", seen["accuracy"] > 0.6, hint)

    @step
    def load_and_predict(self) -> None:
        self._expect_todays_names()
        seen = self._probe("inferencer")
        hint = "give MyModel the local folder that Storage.download returns"
        check("load() fetches from a storage", seen["fetches"], hint)
        check("it keeps the model", seen["keeps"], "keep the MyModel as self._model")
        check("load() returns True", seen["returns"] is True, f"it returns {seen['returns']}: return self.ready")
        check("the model is ready then", seen["ready"], "KServe asks self.ready: set it to True once the model is loaded")
        check("a v1 request is answered in v1", seen["v1_right"], _hint(seen["v1"]))
        check("a v2 request is answered in v2", seen["v2_right"], _hint(seen["v2"]))
        check("the answer names the model", seen["named"] == "flowers", f"it names {seen['named']}: give it self.name")
        check("bad input is refused with 400", seen["refuses"], "leave the two `except` below your part as they were")

    @step
    def repository(self) -> None:
        self._expect_todays_names()
        seen = self._probe("repository")
        hint = "the model has to be loaded too: call its load()"
        check("load_model loads the model", seen["loaded"], hint)
        check("it is registered", seen["registered"], "self.update(model) makes the server know it")
        check("load_model returns True", seen["returns"] is True, f"it returns {seen['returns']}: return model.ready")
        check("each name is its own folder", seen["own"], "the model's folder is its name below self.models_dir")

    @step
    def tests(self, tests: subprocess.CompletedProcess[str]) -> None:
        failed = [
            line.removeprefix("FAILED ") for line in tests.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))
        ]
        hint = failed[0] if failed else _last(tests.stdout + tests.stderr)
        check("the package's own tests pass", tests.returncode == 0, hint)

    # A server on this machine, an image, a storage

    @step
    def serving(self, server: LocalServer, *models: str) -> None:
        missing = sorted(set(models) - set(self._expect_models(server)))
        hint = f"{', '.join(missing)} is not loaded: POST /v2/repository/models/{missing[0]}/load" if missing else ""
        check(f"the server has {' and '.join(models)}", not missing, hint)
        for name in models:
            self._expect_setosa(server, name, f"{name} knows a setosa", "is it the model that you have trained?")

    @step
    def built(self, build: subprocess.CompletedProcess[str]) -> None:
        check(f"the image {IMAGE} is built", build.returncode == 0, _last(build.stdout + build.stderr))

    @step
    def running_image(self, server: LocalServer) -> None:
        names = self._expect_models(server)
        hint = f"it has {', '.join(names) or 'no model'}: -e MODEL_NAME={SERVICE} names the one at /mnt/models"
        check(f"the container has {SERVICE}", SERVICE in names, hint)
        hint = "mount the model that you mean: --mount type=bind,source=<its folder>,target=/mnt/models"
        self._expect_setosa(server, SERVICE, "it knows a setosa", hint)

    @step
    def stored(self) -> None:
        client, sizes = self._profile.pachyderm.pfs, dict[str, int]()
        if client.branch_exists(pfs.Branch(name="master", repo=REPOSITORY)):
            at = pfs.File.from_uri(f"{PROJECT}/{REPO}@master")
            files = [info for info in client.walk_file(file=at) if info.file_type == pfs.FileType.FILE]
            sizes = {info.file.path: info.size_bytes for info in files}
        for version in ("0001", "0002"):
            path, trained = f"/{version}/model.joblib", self._package / SERVER / "trainer" / version / "model.joblib"
            check(f"{REPO} holds {path}", path in sizes, f"commit it: {REPO}@master holds {', '.join(sizes) or 'nothing'}")
            hint = f"it has {sizes[path]} bytes: commit the content of {trained}"
            check("it is the model that you have trained", sizes[path] == trained.stat().st_size, hint)

    # The InferenceService

    @step
    def manifest(self) -> None:
        self._expect_todays_names()
        manifest.expect(
            manifest.read(self._package / f"{SERVER}.yaml"),
            name=SERVICE,
            namespace=self._namespace,
            image=IMAGE,
            uri=f"{BUCKET}/0001",
            account=ACCOUNT,
        )

    @step
    def deployed(self, version: str = "0001") -> None:
        service = self._endpoint.get()
        uri = storage_uri(service["spec"]["predictor"])
        hint = f"its STORAGE_URI is {uri or 'not there'}: fix the manifest, then apply it again"
        check(f"{SERVICE} is to serve {version}", uri == f"{BUCKET}/{version}", hint)
        self._expect_ready()
        check("it knows a setosa", self._endpoint.predict(SETOSA) == [0], "is it the model that you have trained?")

    @step
    def answers(self) -> None:
        v1, v2 = self._endpoint.predict(SETOSA), self._endpoint.infer(SETOSA)
        check("v1 and v2 name a setosa alike", v1 == v2 == [0], f"v1 says {v1}, v2 says {v2}: do steps 4 and 7 again")
        wrong = self._endpoint.ask("v1", {"instances": [SETOSA[:2]]})
        hint = f"it is answered with {wrong.status_code}: {wrong.text}"
        check("a bad request is answered with 400", wrong.status_code == 400, hint)

    @step
    def canary(self, tally: Callable[[], Mapping[str, int]]) -> None:
        predictor = self._endpoint.get()["spec"]["predictor"]
        uri = storage_uri(predictor)
        hint = f"its STORAGE_URI is {uri}: change `service`, then apply(service)"
        check("the service is to serve 0002", uri == f"{BUCKET}/0002", hint)
        percent = predictor.get("canaryTrafficPercent")
        hint = f"canaryTrafficPercent is {percent}: set it to 20"
        if percent is None:
            hint = "without canaryTrafficPercent, beside `containers`, the new version gets everything"
        check("a fifth is for the new version", percent == 20, hint)
        self._expect_ready()
        wait_for("the canary", lambda: (self._endpoint.shares() == [20, 80], f"shares are {self._endpoint.shares()}", None))
        check("two revisions share the requests, 80 to 20", True, "")
        counts = tally()
        total, new = sum(counts.values()), counts.get("0002", 0)
        hint = f"0002 answered {new} of {total}: ask again, now that both revisions are ready"
        check("both versions answer", total and 0.05 < new / total < 0.4, hint)

    @step
    def promoted(self) -> None:
        predictor = self._endpoint.get()["spec"]["predictor"]
        percent = predictor.get("canaryTrafficPercent")
        check("0002 gets every request", percent in (None, 100), f"canaryTrafficPercent is still {percent}")
        self._expect_ready()
        answers = {tuple(self._endpoint.predict(OVERLAPPING)) for _ in range(20)}
        check("twenty of twenty answers are its own", answers == {(1,)}, f"the answers were {sorted(answers)}")

    @step
    def broken(self) -> None:
        uri = storage_uri(self._endpoint.get()["spec"]["predictor"])
        hint = f"its STORAGE_URI is {uri}: finish step 11, then run the cell above again"
        check("the service is to serve 0003", uri == f"{BUCKET}/0003", hint)
        pod = self._endpoint.wait_until_broken()
        check("the new revision's container has failed", pod, "it is ready: is there a model in 0003?")
        check("0002 goes on answering", self._endpoint.predict(OVERLAPPING) == [1], "was it promoted?")

    @step
    def reason(self, why: object) -> None:
        reason = why.strip() if isinstance(why, str) else ""
        hint = "keep the last line of its log in `why`; the run that failed has written it: kubectl logs --previous"
        check("you have found a reason", reason, hint)
        check("it is one line", "\n" not in reason, "the last line of the log is enough")
        named = "there is no" in reason and "model.joblib" in reason
        check("it names the file that is missing", named, "that is not the last line that the broken container printed")

    @step
    def cleared(self) -> None:
        check(
            f"{SERVICE} is gone",
            self._endpoint.is_gone(),
            f"kubectl delete -f {self._package}/{SERVER}.yaml -n {self._namespace}",
        )

    # Shared by several steps

    def _expect_todays_names(self) -> None:
        """No file of the package uses a name that kfserving had."""
        if hint := old_names.find(self._package):
            raise CheckError(f"Not yet: the package speaks KServe. Hint: {hint}")

    def _expect_models(self, server: LocalServer) -> list[str]:
        """The models of a server that answers. If it does not, the hint is the last line of its log."""
        state = "has ended" if server.ended else "does not answer yet"
        check("the server answers", server.ready, f"it {state}; its log ends with: {_last(*server.log)}")
        return server.models

    def _expect_setosa(self, server: LocalServer, model: str, claim: str, hint: str) -> None:
        answer = server.ask(model, [SETOSA])
        if not answer.ok:
            raise CheckError(f"Not yet: {claim}. Hint: it answers {answer.status_code}: {answer.text}")
        if answer.json().get("predictions") not in ([0], [1], [2]):
            raise CheckError(f"Not yet: {claim}. Hint: it answers {answer.text}: do step 4 again")
        check(claim, answer.json()["predictions"] == [0], hint)

    def _probe(self, name: str, *arguments: str) -> dict[str, Any]:
        """The observations of a probe in a new process, which reads the package's files as they are now."""
        try:
            return probe.run(self._package, name, *arguments)
        except probe.ProbeError as error:
            raise CheckError(f"Not yet: your package runs. Hint: {error}") from None

    def _expect_ready(self) -> None:
        failure = self._endpoint.wait_until_settled()
        more = f"kubectl logs -n {self._namespace} -l {self._endpoint.label} --all-containers"
        hint = f"{failure} (more: {more}). Fix it, delete the service, and apply it again: then its model is fetched again"
        check(f"{SERVICE} is ready", not failure, hint)


_RETURNED = {
    "None": "predict returns None: return the result of get_predict_response for the classes",
    "classes": "those are only the classes: get_predict_response makes an answer of them",
}
"""The value that `predict` returned -> the hint."""

_ANSWERED = {
    "'InferRequest' object is not subscriptable": "a v2 payload is no dictionary: get_predict_input reads both kinds",
    "unsupported payload type": "get_predict_response wants the payload first, then the classes, then self.name",
    "InvalidInput: expected": "it refuses a right request: let get_predict_input read it",
    "{'predictions'": "it answers v2 in the form of v1: give get_predict_response the payload itself",
}
"""A part of the answer or the error -> the hint."""


def _hint(answer: str) -> str:
    if answer in _RETURNED:
        return _RETURNED[answer]
    hint = next((hint for text, hint in _ANSWERED.items() if text in answer), "predict gave something else")
    return f"{hint} ({answer})"


def _last(*texts: str) -> str:
    """The last line that a command has printed, without the lines in which `make` reports its end."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return next((line.strip() for line in reversed(lines) if not line.startswith(("make: ", "make["))), "nothing")
