"""The repos and branches of a pipeline: the ones it reads, the ones it writes, and the provenance between them."""

from __future__ import annotations

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import AlreadyExistsError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.messages import trigger_from
from minipdk.services.pachyderm.pfs.model import META, SPEC, USER, Branch, Repo
from minipdk.services.pachyderm.pps import crons
from minipdk.services.pachyderm.pps.messages import SPOUT, TRANSFORM
from minipdk.services.pachyderm.pps.model import Key
from minipdk.services.pachyderm.pps.spec import inputs

LEFT_OPEN = "the spout ended before it finished this commit"


def set_triggers(pfs: Pfs, info: wire.pps.PipelineInfo) -> None:
    """Make or change the branches that move by the triggers of a pipeline's inputs."""
    for leaf in inputs.leaves(info.details.input):
        if leaf.HasField("pfs") and leaf.pfs.HasField("trigger"):
            branch = inputs.branch_of(leaf.pfs)
            try:
                head = pfs.inspect_branch(branch).head
            except NotFoundError:
                head = None
            pfs.create_branch(branch, head=head, trigger=trigger_from(leaf.pfs.trigger))


def make_cron_repos(pfs: Pfs, info: wire.pps.PipelineInfo) -> None:
    for repo in cron_repos(info):
        try:
            pfs.inspect_repo(repo)
        except NotFoundError:
            pfs.create_repo(repo, description=f"Cron tick repo for pipeline {Key.of(info.pipeline)}.")


def create_repos(pfs: Pfs, key: Key) -> None:
    output = Repo(key.project, key.pipeline)
    try:
        pfs.create_repo(output, description=f"Output repo for pipeline {key}.")
    except AlreadyExistsError:
        raise PachydermError(
            f'pipeline "{key.pipeline}" cannot be created because a repo with the same name already exists'
        ) from None
    pfs.create_repo(Repo(key.project, key.pipeline, SPEC), description=f"Spec repo for pipeline {key}.", update=True)


def connect(pfs: Pfs, info: wire.pps.PipelineInfo) -> None:
    """Give the output and meta branches their provenance, which makes the first commit and job; none while stopped."""
    key = Key.of(info.pipeline)
    if info.stopped:
        disconnect(pfs, info)
        return
    provenance = [*dict.fromkeys(read(info)), Repo(key.project, key.pipeline, SPEC).branch("master")]
    leaves = inputs.leaves(info.details.input)
    never = [inputs.branch_of(leaf.pfs) for leaf in leaves if leaf.HasField("pfs") and leaf.pfs.propagation_spec.never]
    if has_meta(info):
        meta = Repo(key.project, key.pipeline, META)
        pfs.create_repo(meta, description=f"Meta repo for pipeline {key.pipeline}", update=True)
    for branch in written(info):
        if info.type == SPOUT and branch in pfs.inspect_repo(branch.repo).branches:
            close_open_commit(pfs, branch, error=LEFT_OPEN)
        pfs.create_branch(branch, provenance=provenance, never=never)
        if info.type == SPOUT:  # no job finishes the new commit, and the spout commits on top of it
            close_open_commit(pfs, branch, description="close spout commit")


def disconnect(pfs: Pfs, info: wire.pps.PipelineInfo) -> None:
    """Remove the provenance of the branches that a pipeline writes to."""
    for branch in written(info):
        pfs.create_branch(branch, provenance=[])


def has_meta(info: wire.pps.PipelineInfo) -> bool:
    """Whether a pipeline's datums have a repo: services and spouts list no datums."""
    return info.type == TRANSFORM


def written(info: wire.pps.PipelineInfo) -> list[Branch]:
    """The branches that a pipeline writes to: its output's and its meta repo's."""
    kinds = (USER, META) if has_meta(info) else (USER,)
    project, name = info.pipeline.project.name, info.pipeline.name
    return [Repo(project, name, kind).branch(info.details.output_branch) for kind in kinds]


def read(info: wire.pps.PipelineInfo) -> list[Branch]:
    """The branches that a pipeline reads."""
    leaves = inputs.leaves(info.details.input)
    return [inputs.branch_of(leaf.pfs if leaf.HasField("pfs") else inputs.as_pfs(leaf.cron)) for leaf in leaves]


def cron_repos(info: wire.pps.PipelineInfo) -> list[Repo]:
    """The repos that a pipeline's cron inputs tick in, which come and go with it."""
    return [inputs.branch_of(inputs.as_pfs(cron_input)).repo for cron_input in crons.cron_inputs(info)]


def close_open_commit(pfs: Pfs, branch: Branch, *, error: str = "", description: str = "") -> None:
    """Finish the head of a spout's output branch, if it is open."""
    with pfs.transaction():
        head = pfs.inspect_commit(branch.repo.commit(branch.name))
        if not head.finishing:
            pfs.finish_commit(head.commit, error=error, description=description)
