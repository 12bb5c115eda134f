"""The checks of the iris lab: after each step, ticks for each part that is in place, or a hint on the first mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pachyderm_sdk.api import pfs, pps

from course import Profile, check, jobs
from course.checks import CheckError, step

PROJECT = "pdk-iris"
FLOWERS = 150
BATCH = [f"/batch{number}.csv" for number in range(1, 7)]
TESTS = ["/test1.csv", "/test2.csv"]
FOLDERS = {"pre_process": "iris-pre-process", "train": "iris-train", "inference": "iris-infer"}
"""Pipeline -> the folder of its image in containers/."""

UNSET_YEAR = 1970
"""The client reads a time that is not set as one in this year."""


class Checks:
    """One method for each step of the lab. None of them changes anything on the cluster."""

    def __init__(self, profile: Profile) -> None:
        self._profile, self._client = profile, profile.pachyderm
        self._project = pfs.Project(name=PROJECT)

    @step
    def connected(self) -> None:
        version = self._client.get_version()
        check("Pachyderm 2.x answers", version.major == 2, f"it is version {version.major}: look at PACHD_ADDRESS")
        exists = self._client.pfs.project_exists(self._project)
        check(f"the project {PROJECT} is there", exists, "run the cell above that makes it")

    @step
    def repositories(self) -> None:
        for name in ("training", "attributes"):
            self._expect_repository(name)
            check(f"the repository {name} is there", True, "")

    @step
    def training_data(self) -> None:
        self._expect_files("training", ["/iris.csv"])
        rows = self._flowers("training")
        check(f"iris.csv holds {FLOWERS} flowers", rows == FLOWERS, self._wrong_count(rows))

    @step
    def pre_process(self) -> None:
        self._expect_pipeline("pre_process", {"training": "/"})
        self._expect_job("pre_process")
        self._expect_files("pre_process", ["/x_train.csv", "/y_train.csv"])

    @step
    def train(self) -> None:
        self._expect_pipeline("train", {"pre_process": "/"})
        self._expect_job("train")
        self._expect_files("train", ["/model.pt"])

    @step
    def attributes(self) -> None:
        self._expect_files("attributes", TESTS)

    @step
    def inference(self) -> None:
        self._expect_pipeline("inference", {"attributes": "/*", "train": "/"})
        job = self._expect_job("inference")
        check("each file of attributes is a datum", job.data_total >= 2, "commit test1.csv and test2.csv to attributes")
        self._expect_files("inference", TESTS)

    @step
    def results(self, species: object) -> None:
        self._expect_files("inference", TESTS, quiet=True)
        lines = species.splitlines() if isinstance(species, str | bytes) else species
        lines = lines if isinstance(lines, list) else []
        texts = [str(line, "utf-8") if isinstance(line, bytes) else str(line) for line in lines]
        check("you have read something", texts, "read /test1.csv of inference@master and keep its lines in `species`")
        words = [text.strip() for text in texts if text.strip()]
        other = words == self._lines("inference", "/test2.csv")
        hint = "that is test2.csv: read /test1.csv" if other else "keep one species a line, as they stand in /test1.csv"
        check("test1.csv holds these species", words == self._lines("inference", "/test1.csv"), hint)

    @step
    def workers(self) -> None:
        info = self._pipeline("inference")
        workers = int(info.details.parallelism_spec.constant)
        hint = f"parallelism_spec.constant is {workers or 1}: set it to 3 and create the pipeline with update=True"
        check("inference may use three workers", workers == 3, hint)
        self._expect_job("inference")

    @step
    def parallel(self) -> None:
        self._pipeline("inference")
        self._expect_files("attributes", [*BATCH, *TESTS])
        job = self._expect_job("inference")
        runs = jobs.datum_runs(self._client, job)
        hint = f"this job had {job.data_processed} datums to process: commit all six files in one commit"
        check("three workers were busy at the same time", jobs.most_busy(runs) == 3, hint)

    @step
    def cleared(self) -> None:
        self._pipeline("inference")
        left = sorted(set(self._files("attributes")) - set(TESTS))
        check("attributes holds the two tests alone", not left, f"delete {', '.join(left)} from attributes, in one commit")
        job = self._expect_job("inference")
        check("nothing had to be processed for that", job.data_processed == 0, "did you change a test file as well?")
        left = sorted(set(self._files("inference")) - set(TESTS))
        check("their results are gone too", not left, f"{', '.join(left)} is still in inference: look at `pachctl list job`")

    @step
    def training_update(self) -> None:
        self._expect_files("training", ["/iris.csv"])
        rows = self._flowers("training")
        check("iris.csv has fewer flowers than before", 0 < rows < FLOWERS, self._wrong_count(rows))
        for name in FOLDERS:
            job = self._expect_reached(name, self._head("training"))
            check("its datums were processed again", job.data_skipped == 0, "was this the same data once more?")

    @step
    def attributes_update(self) -> None:
        self._pipeline("inference")
        self._expect_files("attributes", TESTS)
        job = self._expect_reached("inference", self._head("attributes"))
        hint = {
            (0, 2): "both files are as before: change a line of test2.csv",
            (2, 0): "both files have changed: put test2.csv alone",
        }.get((job.data_processed, job.data_skipped), "change test2.csv alone, in one commit")
        check("one datum was processed and one skipped", jobs.progress(job) == "1 + 1 / 2", hint)

    @step
    def provenance(self, model: object, data: object) -> None:
        self._pipeline("inference")
        newest = self._head("inference")
        self._expect_origin(newest, jobs.provenance(self._client, newest), model, data)

    @step
    def older_provenance(self, model: object, data: object) -> None:
        self._pipeline("inference")
        commits = [info.commit for info in self._client.pfs.list_commit(repo=self._repo("inference"))]
        newest, *older = [(commit, jobs.provenance(self._client, commit)) for commit in commits]
        for name, given in {"train": model, "training": data}.items():
            if given and name in newest[1] and _id(given) == newest[1][name].id:
                raise CheckError(
                    f"Not yet: {name} of the older inference. Hint: this made the newest one; ask an older commit"
                )
        complete = [(commit, origin) for commit, origin in older if {"train", "training"} <= set(origin)]
        check("there is an older inference", complete, "do the steps before this one, in order")
        from_this_model = ((commit, origin) for commit, origin in complete if model and origin["train"].id == _id(model))
        self._expect_origin(*next(from_this_model, complete[-1]), model, data)

    # Shared by several steps

    def _expect_repository(self, name: str) -> None:
        if not self._client.pfs.repo_exists(self._repo(name)):
            repos = [info.repo for info in self._client.pfs.list_repo(type="user")]
            here = [repo.name for repo in repos if repo.project == self._project]
            elsewhere = [repo.as_uri() for repo in repos if repo.name == name]
            hint = _other_name(name, here) or _elsewhere(elsewhere) or f"create it: pachctl create repo {name}"
            raise CheckError(f"Not yet: the repository {name} is there. Hint: {hint}")

    def _expect_files(self, repo: str, expected: list[str], *, quiet: bool = False) -> None:
        self._expect_repository(repo)
        paths = self._files(repo)
        hint = f"nothing has been committed to {repo}@master"
        if self._is_open(repo):
            paths, hint = [], f"its newest commit is open: pachctl finish commit {repo}@master"
        elif paths:
            extra = sorted(set(paths) - set(expected))
            missing = [path for path in expected if path not in paths]
            names = [name for path in missing if (name := _other_name(path, extra))]
            hint = names[0] if names else f"{', '.join(missing)} is missing: there is {', '.join(paths)}"
            if set(paths) > set(expected):
                hint = f"there is also {', '.join(extra)}: delete it"
        if set(paths) != set(expected) or not quiet:
            files = ", ".join(path.lstrip("/") for path in expected)
            check(f"{repo} holds {files}", set(paths) == set(expected), hint)

    def _expect_pipeline(self, name: str, globs: dict[str, str]) -> None:
        info = self._pipeline(name)
        given = info.details.input
        crossed = [given] if given.pfs and given.pfs.repo else given.cross
        inputs = {each.pfs.repo: each.pfs.glob for each in crossed}
        if len(globs) > 1:
            check(f"{name} crosses {' and '.join(globs)}", given.cross, CROSS)
        for repo, glob in globs.items():
            hint = f"its input is {', '.join(inputs)}"
            if repo in inputs:
                rule = "each file has to be a separate" if glob == "/*" else "the whole repository has to be one"
                hint = f"its glob is {inputs[repo]}: {rule} datum"
            check(f"{name} reads {repo} with the glob {glob}", inputs.get(repo) == glob, hint)

    def _pipeline(self, name: str) -> pps.PipelineInfo:
        pipeline = pps.Pipeline(name=name, project=self._project)
        if not self._client.pps.pipeline_exists(pipeline):
            pipelines = [info.pipeline for info in self._client.pps.list_pipeline()]
            here = [other.name for other in pipelines if other.project == self._project]
            elsewhere = [f"{other.project.name}/{name}" for other in pipelines if other.name == name]
            hint = _other_name(name, here) or _elsewhere(elsewhere) or "create it in the cell of this step"
            raise CheckError(f"Not yet: the pipeline {name} is there. Hint: {hint}")
        return self._client.pps.inspect_pipeline(pipeline=pipeline, details=True)

    def _expect_job(self, name: str, commit: str = "") -> pps.JobInfo:
        """The pipeline's job for this commit, by default for its newest, once it has succeeded."""
        pipeline = pps.Pipeline(name=name, project=self._project)
        job = jobs.wait(self._profile, pipeline, job=commit)
        if job is None:
            info = self._pipeline(name)
            image, folder = info.details.transform.image, FOLDERS[name]
            hint = (
                f"the pipeline cannot start: {info.reason}. Is its image on the cluster? On the embedded one: "
                f"`minipdk image build containers/{folder} -t {image}`; on a real one it is pushed to a registry"
            )
            raise CheckError(f"Not yet: {name} has run. Hint: {hint}")
        state = str(pps.JobState(job.state).name)
        hint = f"its job is {state}; its log ends with: {jobs.last_line(self._profile, job)}"
        check(f"the job of {name} has succeeded: {jobs.progress(job)}", state == "JOB_SUCCESS", hint)
        return job

    def _expect_reached(self, name: str, commit: pfs.Commit) -> pps.JobInfo:
        """The pipeline's job for this commit of an input, once it has succeeded."""
        self._pipeline(name)
        ran = self._client.pfs.commit_exists(pfs.Commit(id=commit.id, repo=self._repo(name)))
        check(f"the change has reached {name}", ran, f"{name} is younger than your commit: commit the change now")
        return self._expect_job(name, commit.id)

    def _expect_origin(self, inference: pfs.Commit, origin: dict[str, pfs.Commit], model: object, data: object) -> None:
        check("model and data made it", {"train", "training"} <= set(origin), CROSS)
        for repo, given in {"train": model, "training": data}.items():
            expected = origin[repo].id
            hint = f"keep the commit of {repo}, found in the provenance"
            if given and _id(given) == inference.id != expected:
                hint = f"that is the inference's own commit: its provenance names the one of {repo}"
            elif given and not self._client.pfs.commit_exists(pfs.Commit(id=_id(given), repo=self._repo(repo))):
                hint = f"there is no commit {_id(given)} in {repo}"
            elif given:
                hint = f"{_id(given)} is another commit of {repo}, which this inference was not made from"
            check(f"this commit of {repo} made it", given and _id(given) == expected, hint)
        check("the model is there, as it was", self._files("train", origin["train"].id), "was the commit squashed?")
        check(f"it was trained on {self._flowers('training', origin['training'].id)} flowers", True, "")

    def _head(self, repo: str) -> pfs.Commit:
        self._expect_repository(repo)
        head = self._client.pfs.inspect_branch(branch=pfs.Branch(name="master", repo=self._repo(repo))).head
        return pfs.Commit(id=head.id, repo=self._repo(repo))

    def _is_open(self, repo: str) -> bool:
        """Whether a commit on master was started and is not finished."""
        if not self._client.pfs.branch_exists(pfs.Branch(name="master", repo=self._repo(repo))):
            return False
        info = self._client.pfs.inspect_commit(commit=self._head(repo))
        return bool(info.origin.kind == pfs.OriginKind.USER and info.finishing.year <= UNSET_YEAR)

    def _files(self, repo: str, commit: str = "master") -> list[str]:
        """The paths in a commit, without its directories; none if nothing has been committed."""
        branch = pfs.Branch(name="master", repo=self._repo(repo))
        if commit == "master" and not self._client.pfs.branch_exists(branch):
            return []
        at = pfs.File.from_uri(f"{PROJECT}/{repo}@{commit}")
        return [info.file.path for info in self._client.pfs.walk_file(file=at) if info.file_type == pfs.FileType.FILE]

    def _lines(self, repo: str, path: str, commit: str = "master") -> list[str]:
        with self._client.pfs.pfs_file(file=pfs.File.from_uri(f"{PROJECT}/{repo}@{commit}:{path}")) as file:
            return str(file.read(), "utf-8").split()

    def _flowers(self, repo: str, commit: str = "master") -> int:
        """The number of flowers in its iris.csv, without the line of column names."""
        return len(self._lines(repo, "/iris.csv", commit)) - 1

    @staticmethod
    def _wrong_count(rows: int) -> str:
        if rows > FLOWERS:
            return f"it has {rows}: appended to the old file? Put it without append=True"
        return (
            "it is as it was: commit it without a few lines" if rows == FLOWERS else f"it has {rows}: put the whole iris.csv"
        )

    def _repo(self, name: str) -> pfs.Repo:
        return pfs.Repo(name=name, type="user", project=self._project)


CROSS = 'its input has to be {"cross": [...]}, with an entry {"pfs": {"repo": ..., "glob": ...}} for each repository'


def _id(given: Any) -> str:
    return str(getattr(given, "id", given))


def _other_name(expected: str, names: Iterable[str]) -> str:
    """The hint for a name that is nearly right; empty if none is."""
    near = difflib.get_close_matches(expected, list(names), n=1, cutoff=0.6)
    return f"there is {near[0]!r}, which has to be called {expected!r}" if near else ""


def _elsewhere(names: list[str]) -> str:
    return f"there is {', '.join(names)}, in another project: make it in {PROJECT}" if names else ""
