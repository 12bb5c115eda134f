"""Pipelines: created, updated, stopped, started, deleted and described.

A pipeline owns three repos: its output, its specs (one commit a version) and its datums' meta data. Its output branch has
its inputs and its spec branch as provenance, so that a commit on any of them opens an output commit, which is a job.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Container, Iterator

from minipdk.common.ports import first_free
from minipdk.services.pachyderm import callers, wire
from minipdk.services.pachyderm.errors import AlreadyExistsError, InvalidRequestError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.model import DEFAULT_PROJECT, META, SPEC, Branch, Commit, Repo
from minipdk.services.pachyderm.pfs.transactions import Transaction
from minipdk.services.pachyderm.pps import branches, kube_secrets, messages
from minipdk.services.pachyderm.pps.jobs import Jobs
from minipdk.services.pachyderm.pps.kube_secrets import Secrets
from minipdk.services.pachyderm.pps.logs import Logs
from minipdk.services.pachyderm.pps.messages import SERVICE, SPOUT, TRANSFORM, job_state, pipeline_state, service_of
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.spec import inputs, parsing, validation
from minipdk.services.pachyderm.pps.store import CLUSTER, Store

DETAILS = frozenset(
    {
        "transform",
        "tf_job",
        "parallelism_spec",
        "input",
        "egress",
        "resource_requests",
        "resource_limits",
        "sidecar_resource_limits",
        "sidecar_resource_requests",
        "service",
        "spout",
        "datum_set_spec",
        "datum_timeout",
        "job_timeout",
        "scheduling_spec",
        "metadata",
        "determined",
        "maximum_expected_uptime",
        "tolerations",
        "output_branch",
        "description",
        "salt",
        "datum_tries",
        "pod_spec",
        "pod_patch",
        "s3_out",
        "reprocess_spec",
        "autoscaling",
    }
)
"""The fields of a CreatePipelineRequest that a PipelineInfo keeps as its details."""
DEFAULT_TRIES = 3
FIRST_PORT, LAST_PORT = 30000, 32767
"""Kubernetes' range of NodePorts."""
ANCESTRY = re.compile(r"(?P<name>[^.^~]*)(?:[\^~](?P<back>\d{1,9})|(?P<carets>\^+|~+)|\.(?P<future>\d{1,9}))?")


class Pipelines:
    """The pipelines of ``store``."""

    def __init__(self, store: Store, pfs: Pfs, jobs: Jobs, secrets: Secrets, logs: Logs) -> None:
        self._store, self._pfs, self._jobs, self._secrets, self._logs = store, pfs, jobs, secrets, logs
        pfs.is_pipeline_repo = lambda repo: store.is_pipeline(repo.project, repo.name)
        pfs.state.hooks.is_transform_repo = self._is_transform_repo
        pfs.state.hooks.output_filesets = self._output_filesets
        pfs.state.hooks.is_own_output = self._is_own_output

    # Creating

    def effective_spec(self, user_json: str) -> tuple[parsing.Json, wire.pps.CreatePipelineRequest]:
        """The spec that ``user_json`` and the defaults make, as canonical JSON and as a CreatePipelineRequest."""
        try:
            user = parsing.canonical(parsing.parse_object(user_json, "the pipeline spec"))
            project = str((user.get("pipeline") or {}).get("project", {}).get("name", "") or DEFAULT_PROJECT)
            self._pfs.inspect_project(project)
            effective = parsing.effective(self._defaults(CLUSTER), self._defaults(project), user)
            request = parsing.to_request(effective)
        except NotFoundError as error:
            raise InvalidRequestError(
                f"could not make effective spec: could not get defaults for project {project}: "
                f'error getting project "{project}": get project by name: {error}'
            ) from None
        except InvalidRequestError as error:
            raise InvalidRequestError(f"could not make effective spec: {error}") from None
        if not request.HasField("pipeline"):
            raise PachydermError("request.Pipeline cannot be nil")
        request.pipeline.project.name = request.pipeline.project.name or DEFAULT_PROJECT
        return effective, request

    def _defaults(self, project: str) -> parsing.Json:
        return parsing.parse_object(self._store.defaults(project).json, "the defaults")

    def create(self, user_json: str, *, update: bool, reprocess: bool, dry_run: bool) -> str:
        """Create or update a pipeline from the JSON of a CreatePipelineRequest; returns the effective spec as JSON."""
        effective, request = self.effective_spec(user_json)
        request.update, request.reprocess = update, reprocess
        answer = parsing.to_json(request)
        if dry_run:
            return answer
        validation.validate_request(request)
        kube_secrets.check(self._secrets, request.transform.secrets)
        with self._pfs.transaction() as txn:
            self._create(txn, request, user_json, json.dumps(effective))
        return answer

    def rerun(self, key: Key, *, reprocess: bool) -> None:
        """Run a pipeline's newest version again as a new one; with ``reprocess`` every datum."""
        pipeline = self.get(key)
        self.create(pipeline.user_spec_json, update=True, reprocess=reprocess, dry_run=False)

    def _create(
        self, txn: Transaction, request: wire.pps.CreatePipelineRequest, user_json: str, effective_json: str
    ) -> None:
        key = Key.of(request.pipeline)
        old = self._store.pipeline(key)
        if old is not None and not request.update:
            raise AlreadyExistsError(f'pipeline "{key}" already exists: pass update to change it')
        info = self._info(txn, request, old)
        info.user_spec_json, info.effective_spec_json = user_json, effective_json
        branches.make_cron_repos(self._pfs, info)
        for branch in branches.read(info):
            self._pfs.inspect_repo(branch.repo)
        if old is None:
            branches.create_repos(self._pfs, key)
        spec_branch = Repo(key.project, key.pipeline, SPEC).branch("master")
        commit = self._pfs.open_commit(spec_branch)
        self._pfs.finish_commit(commit)
        info.spec_commit.CopyFrom(messages.commit(commit, spec_branch))
        self._store.put_pipeline(info)
        if old is not None:
            self._jobs.stop_all(key, "all jobs killed because pipeline was updated")
            if set(branches.written(old)) - set(branches.written(info)):
                branches.disconnect(self._pfs, old)
        branches.set_triggers(self._pfs, info)
        branches.connect(self._pfs, info)
        txn.after(self._jobs.wake)

    def _info(
        self, txn: Transaction, request: wire.pps.CreatePipelineRequest, old: wire.pps.PipelineInfo | None
    ) -> wire.pps.PipelineInfo:
        """The PipelineInfo of a new version, with the defaults filled in."""
        info = wire.pps.PipelineInfo(pipeline=request.pipeline, version=1)
        details = info.details
        messages.copy_fields(request, details, DETAILS)
        self._set_defaults(details, Key.of(request.pipeline), txn.now)
        validation.validate_info(details)
        info.parallelism = details.parallelism_spec.constant or 1
        info.state = pipeline_state("PIPELINE_STARTING")
        info.type = _type_of(details)
        self._choose_port(details, old)
        messages.set_time(details.updated_at, txn.now)
        if not details.salt or request.reprocess:
            details.salt = uuid.uuid4().hex
        if old is None:
            details.created_at.CopyFrom(details.updated_at)
            details.created_by = txn.author
        else:
            info.version, info.stopped = old.version + 1, old.stopped
            details.created_at.CopyFrom(old.details.created_at)
            details.created_by = old.details.created_by
            if not request.reprocess:
                details.salt = old.details.salt
        return info

    @staticmethod
    def _set_defaults(details: wire.pps.PipelineInfoDetails, key: Key, now: int) -> None:
        details.datum_tries = details.datum_tries or DEFAULT_TRIES
        details.output_branch = details.output_branch or "master"
        details.reprocess_spec = details.reprocess_spec or validation.UNTIL_SUCCESS
        inputs.set_defaults(
            details.input,
            pipeline=key.pipeline,
            project=key.project,
            now=lambda timestamp: messages.set_time(timestamp, now),
        )
        if (service := service_of(details)) is not None:
            service.type = service.type or "NodePort"

    def _choose_port(self, details: wire.pps.PipelineInfoDetails, old: wire.pps.PipelineInfo | None) -> None:
        """Give a service that names no external port its previous one, or a free one."""
        service = service_of(details)
        if service is None or service.external_port:
            return
        before = service_of(old.details) if old is not None else None
        if before is not None:
            service.external_port = before.external_port
        else:
            services = (service_of(info.details) for info in self._store.pipelines())
            service.external_port = _free_port({other.external_port for other in services if other is not None})

    # Stopping, starting and deleting

    def stop(self, key: Key) -> None:
        """Disconnect a pipeline from its inputs and kill its jobs."""
        with self._pfs.transaction() as txn:
            info = self.get(key)
            info.stopped = True
            info.state, info.reason = pipeline_state("PIPELINE_PAUSED"), ""
            self._store.put_pipeline(info)
            branches.connect(self._pfs, info)
            self._jobs.stop_all(key, "all jobs killed because pipeline was stopped")
            txn.after(self._jobs.wake)

    def start(self, key: Key) -> None:
        """Connect a stopped pipeline again; commits that its inputs got meanwhile make a job."""
        with self._pfs.transaction() as txn:
            info = self.get(key)
            if info.stopped:
                info.state = pipeline_state("PIPELINE_STARTING")
            info.stopped = False
            self._store.put_pipeline(info)
            branches.connect(self._pfs, info)
            txn.after(self._jobs.wake)

    def delete(self, key: Key, *, keep_repo: bool, force: bool) -> None:
        """Delete a pipeline with its jobs and repos; with ``keep_repo`` its output stays, as a user's repo."""
        with self._pfs.transaction() as txn:
            info = self.get(key)
            self._jobs.stop_all(key, "pipeline deleted")
            for job in list(self._store.jobs(key)):
                self._jobs.delete(Key.of_job(job.job))
            self._store.delete_pipeline(key)
            txn.after(self._jobs.wake)
            output = Repo(key.project, key.pipeline)
            if keep_repo:
                self._pfs.create_branch(output.branch(info.details.output_branch), provenance=[])
            else:
                self._pfs.delete_repo(output, force=force)
            for kind in (META, SPEC):
                self._pfs.delete_repo(Repo(key.project, key.pipeline, kind), force=force)
            for repo in branches.cron_repos(info):
                self._pfs.delete_repo(repo, force=force)
            txn.after(lambda: self._logs.delete_pipeline(key))

    def delete_all(self, projects: set[str] | None, *, keep_repo: bool, force: bool) -> list[wire.pps.Pipeline]:
        """Delete the pipelines of these projects (None: of all), downstream ones first."""
        with self._pfs.transaction():
            infos = [info for info in self.list() if projects is None or info.pipeline.project.name in projects]
            infos.sort(key=self._depth, reverse=True)
            for info in infos:
                self.delete(Key.of(info.pipeline), keep_repo=keep_repo, force=force)
        return [info.pipeline for info in infos]

    def _depth(self, info: wire.pps.PipelineInfo) -> int:
        """How many branches a pipeline depends on: more than any pipeline upstream of it."""
        key = Key.of(info.pipeline)
        return len(self._pfs.inspect_branch(Repo(key.project, key.pipeline).branch(info.details.output_branch)).provenance)

    # Hooks of PFS

    def _is_transform_repo(self, repo: Repo) -> bool:
        info = self._store.pipeline(Key(repo.project, repo.name))
        return info is not None and info.type == TRANSFORM

    def _output_filesets(self, commit: Commit) -> list[str] | None:
        key = Key(commit.repo.project, commit.repo.name, commit.id)
        if self._store.job(key) is None:
            return None
        return [datum.fileset for datum in self._store.datums(key).values() if datum.fileset]

    def _is_own_output(self, branch: Branch) -> bool:
        caller = callers.current.get()
        info = self._store.pipeline(Key(caller.project, caller.pipeline)) if caller else None
        return info is not None and info.type == SPOUT and branch in branches.written(info)

    # Looking up

    def get(self, key: Key, version: int | None = None) -> wire.pps.PipelineInfo:
        """The PipelineInfo of the newest version, or of another. Raises NotFoundError."""
        if (info := self._store.pipeline(key, version)) is None:
            raise NotFoundError(
                f'pipeline was not inspected: couldn\'t find up to date spec for pipeline "{key}": '
                f'pipeline "{key}" not found'
            )
        return info

    def version(self, key: Key) -> wire.pps.PipelineInfo:
        """The version that a name in ancestry format means: ``edges^2`` is two before the newest."""
        parts = ANCESTRY.fullmatch(key.pipeline)
        if parts is None:
            raise PachydermError(f'invalid ancestry syntax "{key.pipeline}": write "name^2" or "name^^"')
        if parts["future"] and int(parts["future"]):
            raise PachydermError("cannot inspect future pipelines")
        key = Key(key.project, parts["name"])
        newest = self.get(key)
        back = int(parts["back"] or 0) + len(parts["carets"] or "")
        if back >= newest.version:
            raise PachydermError(f'pipeline "{key}" has only {newest.version} versions, not enough to find ancestor {back}')
        return self.get(key, newest.version - back)

    def at(self, info: wire.pps.PipelineInfo, commit_set: str) -> wire.pps.PipelineInfo | None:
        """A pipeline's version in a commit set, with its last job then; None if the pipeline had no part in it."""
        key = Key.of(info.pipeline)
        try:
            spec_commit = self._pfs.inspect_commit(Repo(key.project, key.pipeline, SPEC).commit(commit_set)).commit.id
        except NotFoundError:
            return None
        versions = (version for version in self._store.pipelines(key, -1) if version.spec_commit.id == spec_commit)
        if (then := next(versions, None)) is not None:
            jobs = (job for job in self._store.jobs(key) if job.pipeline_version <= then.version)
            last = next(jobs, None)
            then.last_job_state = last.state if last is not None else job_state("JOB_STATE_UNKNOWN")
        return then

    def list(self, key: Key | None = None, history: int = 0) -> Iterator[wire.pps.PipelineInfo]:
        """PipelineInfos with their last job's state, newest first. Raises NotFoundError if ``key`` does not exist."""
        if key is not None:
            self.get(key)
        return (self.with_last_job(info) for info in self._store.pipelines(key, history))

    def with_last_job(self, info: wire.pps.PipelineInfo) -> wire.pps.PipelineInfo:
        if (job := self._store.last_job(Key.of(info.pipeline))) is not None:
            info.last_job_state = job.state
        return info


def _type_of(details: wire.pps.PipelineInfoDetails) -> int:
    if details.HasField("spout"):
        return SPOUT
    return SERVICE if details.HasField("service") else TRANSFORM


def _free_port(taken: Container[int]) -> int:
    """A free port for a service that names none."""
    port = first_free(port for port in range(FIRST_PORT, LAST_PORT + 1) if port not in taken)
    if port is None:
        raise PachydermError(f"there is no port for the service: every port from {FIRST_PORT} to {LAST_PORT} is taken")
    return port
