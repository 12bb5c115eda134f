"""The checks of the model-server lab: after each step, ticks for what works, or a hint that names what does not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import legacy
import probe
import yaml
from inference_service import Endpoint, environment, storage_uri
from pachyderm_sdk.api import pfs

from course import Profile, check
from course.checks import CheckError, step
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
        there = self._profile.pachyderm.pfs.repo_exists(REPOSITORY)
        check(f"the repository {REPO} is there", there, "run the cell above that makes it")

    # The package

    @step
    def preprocess(self) -> None:
        self._expect_todays_names()
        found = self._probe("preprocess")
        hint = {
            "all": "those are all four: index the table's second axis by the positions of `columns` in config.MEASURES",
            "order": "those are the right columns in another order: keep the order of `columns`",
            "rows": "those are rows: the columns are the table's second axis, table[:, ...]",
            "None": "prep_func returns None: return the columns",
        }.get(found["got"], f"prep_func returned {found['got']}")
        check("the columns are those asked for, in their order", found["right"], hint)
        check("what is no flower is refused", found["refuses"], "leave the checks above your part as they were")

    @step
    def predict(self) -> None:
        self._expect_todays_names()
        found = self._probe("predict")
        hint = {
            "None": "predict returns None: return what self.postprocess makes of the probabilities",
            "probabilities": "those are probabilities, one column for each class: postprocess them",
            "columns": "the model was asked about all four columns: preprocess the flowers first",
        }.get(found["got"], f"predict returned {found['got']}")
        check("two flowers have two classes", found["right"], hint)

    @step
    def trained(self, version: str, columns: tuple[str, ...]) -> None:
        options = "" if version == "0001" else f" --version {version} --columns {' '.join(columns)}"
        path = f"{SERVER}/trainer/{version}"
        there = (self._package / path / "model.joblib").exists()
        check(f"{path}/model.joblib is there", there, f"train it: python -m {SERVER}.trainer{options}")
        found = self._probe("trained", path)
        hint = f"it looks at {', '.join(found['columns'])}: python -m {SERVER}.trainer{options}"
        check(f"it looks at {' and '.join(columns)}", tuple(found["columns"]) == columns, hint)
        hint = f"{found['right']} of {found['flowers']} is no better than guessing: do the checks before this one pass?"
        check(f"it names {found['right']} of {found['flowers']} unseen flowers right", found["accuracy"] > 0.6, hint)

    @step
    def load_and_predict(self) -> None:
        self._expect_todays_names()
        found = self._probe("inferencer")
        check(
            "load() fetches from a storage", found["fetches"], "give MyModel what Storage.download returns: a local folder"
        )
        check("load() returns True", found["returns"] is True, f"it returns {found['returns']}: return self.ready")
        check("the model is ready then", found["ready"], "KServe asks self.ready: set it to True once the model is loaded")
        hint = _ANSWERS.get(found["v1"], f"predict returned {found['v1']}")
        check("a v1 request is answered in v1", found["v1_right"], hint)
        hint = "give get_predict_response the payload itself: by its type it knows the protocol"
        check("a v2 request is answered in v2", found["v2_right"], hint)
        check(
            "what is no flower is refused with 400", found["refuses"], "leave the two `except` below your part as they were"
        )

    @step
    def repository(self) -> None:
        self._expect_todays_names()
        found = self._probe("repository")
        hint = "the model has to be loaded too: call its load()"
        check("load_model loads the model", found["loaded"], hint)
        check("it is registered", found["registered"], "self.update(model) makes the server know it")
        check("load_model returns True", found["returns"] is True, f"it returns {found['returns']}: return model.ready")
        check("each name is its own folder", found["own"], "the model's folder is its name below self.models_dir")

    # A server on this machine, an image, a storage

    @step
    def serving(self, server: LocalServer, *models: str) -> None:
        missing = sorted(set(models) - set(self._expect_models(server)))
        hint = f"{', '.join(missing)} is not loaded: POST /v2/repository/models/{missing[0]}/load" if missing else ""
        check(f"the server has {' and '.join(models)}", not missing, hint)
        for name in models:
            check(f"{name} knows a setosa", server.predict(name, [SETOSA]) == [0], "is it the model that you have trained?")

    @step
    def built(self, build: subprocess.CompletedProcess[str]) -> None:
        lines = [line for line in (build.stdout + build.stderr).splitlines() if line.strip()]
        check(f"the image {IMAGE} is built", build.returncode == 0, lines[-1] if lines else "IMAGE_BUILD printed nothing")

    @step
    def running_image(self, server: LocalServer) -> None:
        names = self._expect_models(server)
        hint = f"it has {', '.join(names) or 'no model'}: -e MODEL_NAME={SERVICE} names the one at /mnt/models"
        check(f"the container has {SERVICE}", SERVICE in names, hint)
        hint = "mount the model that you mean: --mount type=bind,source=<its folder>,target=/mnt/models"
        check("it knows a setosa", server.predict(SERVICE, [SETOSA]) == [0], hint)

    @step
    def stored(self) -> None:
        client, found = self._profile.pachyderm.pfs, []
        if client.branch_exists(pfs.Branch(name="master", repo=REPOSITORY)):
            at = pfs.File.from_uri(f"{PROJECT}/{REPO}@master")
            found = [one.file.path for one in client.walk_file(file=at) if one.file_type == pfs.FileType.FILE]
        for path in ("/0001/model.joblib", "/0002/model.joblib"):
            hint = f"commit it: {REPO}@master holds {', '.join(found) or 'nothing'}"
            check(f"{REPO} holds {path}", path in found, hint)

    # The InferenceService

    @step
    def manifest(self) -> None:
        self._expect_todays_names()
        path = self._package / f"{SERVER}.yaml"
        try:
            service = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise CheckError(f"Not yet: {path} is YAML. Hint: {' '.join(str(error).split())}") from None
        self._expect_predictor(service.get("spec", {}).get("predictor") or {}, str(path))

    @step
    def deployed(self, version: str = "0001") -> None:
        service = self._endpoint.get()
        uri = storage_uri(service["spec"]["predictor"])
        check(
            f"{SERVICE} is to serve {version}", uri == f"{BUCKET}/{version}", f"its STORAGE_URI is {uri}: apply the manifest"
        )
        self._expect_ready()
        check("it knows a setosa", self._endpoint.predict(SETOSA) == [0], "is it the model that you have trained?")

    @step
    def answers(self) -> None:
        v1, v2 = self._endpoint.predict(SETOSA), self._endpoint.infer(SETOSA)
        check("v1 and v2 name a setosa alike", v1 == v2 == [0], f"v1 says {v1}, v2 says {v2}: do steps 4 and 7 again")
        wrong = self._endpoint.ask("v1", {"instances": [SETOSA[:2]]})
        said = f"it is answered with {wrong.status_code}: {wrong.text}"
        check("a bad request is the caller's fault", wrong.status_code == 400, said)

    @step
    def canary(self, tally: Callable[[], Mapping[str, int]]) -> None:
        predictor = self._endpoint.get()["spec"]["predictor"]
        uri = storage_uri(predictor)
        check("the service is to serve 0002", uri == f"{BUCKET}/0002", f"its STORAGE_URI is {uri}")
        wanted = predictor.get("canaryTrafficPercent")
        hint = "without canaryTrafficPercent, beside `containers`, the new version gets everything" if wanted is None else ""
        check("a fifth is for the new version", wanted == 20, hint or f"canaryTrafficPercent is {wanted}: set it to 20")
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
        wanted = predictor.get("canaryTrafficPercent")
        check("0002 gets every request", wanted in (None, 100), f"canaryTrafficPercent is still {wanted}")
        self._expect_ready()
        answers = {tuple(self._endpoint.predict(OVERLAPPING)) for _ in range(20)}
        check("twenty of twenty answers are its own", answers == {(1,)}, f"the answers were {sorted(answers)}")

    @step
    def broken(self) -> None:
        self._endpoint.get()

        pod = self._endpoint.wait_until_broken()
        check("the new revision's container has failed", pod, "")
        check("0002 goes on answering", self._endpoint.predict(OVERLAPPING) == [1], "was it promoted?")

    @step
    def reason(self, why: object) -> None:
        said = why.strip() if isinstance(why, str) else ""
        check("you have found a reason", said, "keep the last line that the container printed in `why`, as a string")
        check("it is one line", "\n" not in said, "the last line of the log is enough")
        named = "there is no" in said and "model.joblib" in said
        check("it names the file that is missing", named, "that is not the last line that the broken container printed")

    @step
    def cleared(self) -> None:
        there = self._endpoint.find() is not None
        check(f"{SERVICE} is gone", not there, f"kubectl delete -f {self._package}/{SERVER}.yaml -n {self._namespace}")

    # What steps have in common

    def _expect_todays_names(self) -> None:
        """No file of the package uses a name that kfserving had."""
        if hint := legacy.old_name(self._package):
            raise CheckError(f"Not yet: the package speaks KServe. Hint: {hint}")

    def _expect_models(self, server: LocalServer) -> list[str]:
        """The models of a server that answers; what it has said last is the hint where it does not."""
        log = [line for line in server.log if line.strip() and not line.startswith(("make: ", "make["))] or ["nothing"]
        check("the server answers", server.ready, f"it has ended; its log ends with: {log[-1]}")
        return server.models

    def _probe(self, what: str, *arguments: str) -> dict[str, Any]:
        """What the package does, seen in a process of its own, which has the files as they are now."""
        try:
            return probe.run(self._package, what, *arguments)
        except probe.ProbeError as error:
            raise CheckError(f"Not yet: {what.replace('_', ' ')}. Hint: {error}") from None

    def _expect_predictor(self, predictor: dict[str, Any], path: str) -> None:
        containers = predictor.get("containers") or []
        check("there is one container", len(containers) == 1, f"spec.predictor.containers of {path} has {len(containers)}")
        [container] = containers
        name, image = container.get("name"), container.get("image")
        check("it is called kserve-container", name == "kserve-container", f"it is called {name}")
        check(f"its image is {IMAGE}", str(image).split("/")[-1] == IMAGE, f"it is {image}: that of the step before")
        values = environment(container)
        for key, wanted in {"MODEL_NAME": SERVICE, "STORAGE_URI": f"{BUCKET}/0001"}.items():
            hint = f"it is {values[key]}" if key in values else f"add an entry {{name: {key}, value: ...}} to env"
            check(f"{key} is {wanted}", values.get(key) == wanted, hint)
        arguments = container.get("args") or []
        wanted = "--grpc_max_receive_message_length=104857600"
        check("gRPC messages may have 100 MiB", wanted in arguments, f"args is {arguments}: it wants {wanted}")
        account = predictor.get("serviceAccountName")
        check("it may read the model", account == ACCOUNT, f"serviceAccountName is {account}: {ACCOUNT} has the credentials")

    def _expect_ready(self) -> None:
        failure = self._endpoint.wait_until_settled()
        hint = f"{failure}; kubectl logs -n {self._namespace} -l {self._endpoint.label} says more"
        check(f"{SERVICE} is ready", not failure, hint)


_ANSWERS = {
    "None": "predict returns None: return what get_predict_response makes of the classes",
    "classes": "those are the classes alone: get_predict_response makes an answer of them",
}
