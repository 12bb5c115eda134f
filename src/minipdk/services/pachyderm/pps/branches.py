"""The repos and branches of a pipeline: what it reads, what it writes, and how the ones depend on the others."""

from __future__ import annotations

from typing import Any

from minipdk.services.pachyderm.errors import AlreadyExistsError, NotFoundError, PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.model import META, SPEC, USER, Branch, Repo
from minipdk.services.pachyderm.pfs.service.messages import trigger_from
from minipdk.services.pachyderm.pps import crons
from minipdk.services.pachyderm.pps.globbing import branch_of
from minipdk.services.pachyderm.pps.messages import SPOUT, TRANSFORM
from minipdk.services.pachyderm.pps.spec import inputs
from minipdk.services.pachyderm.pps.store import Key
from minipdk.services.pachyderm.pps.worker.spout_run import LEFT_OPEN, close_open_commit


def set_triggers(pfs: Pfs, info: Any) -> None:
    """Make the branches that move by the triggers of a pipeline's inputs, or change those that are there."""
    for leaf in inputs.leaves(info.details.input):
        if leaf.HasField("pfs") and leaf.pfs.HasField("trigger"):
            branch = branch_of(leaf.pfs)
            try:
                head = pfs.inspect_branch(branch).head
            except NotFoundError:
                head = None
            pfs.create_branch(branch, head=head, trigger=trigger_from(leaf.pfs.trigger))


def make_cron_repos(pfs: Pfs, info: Any) -> None:
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


def connect(pfs: Pfs, info: Any) -> None:
    """Give the output and meta branches their provenance, which makes the first commit and job; none while stopped."""
    key = Key.of(info.pipeline)
    if info.stopped:
        disconnect(pfs, info)
        return
    provenance = [*dict.fromkeys(read(info)), Repo(key.project, key.pipeline, SPEC).branch("master")]
    leaves = inputs.leaves(info.details.input)
    never = [branch_of(one.pfs) for one in leaves if one.HasField("pfs") and one.pfs.propagation_spec.never]
    if has_meta(info):
        meta = Repo(key.project, key.pipeline, META)
        pfs.create_repo(meta, description=f"Meta repo for pipeline {key}.", update=True)
    for branch in written(info):
        if info.type == SPOUT and branch in pfs.inspect_repo(branch.repo).branches:
            close_open_commit(pfs, branch, error=LEFT_OPEN)
        pfs.create_branch(branch, provenance=provenance, never=never)
        if info.type == SPOUT:  # no job finishes the commit that this has made, and the spout commits on top of it
            close_open_commit(pfs, branch, description="close spout commit")


def disconnect(pfs: Pfs, info: Any) -> None:
    """Take the provenance away from the branches a pipeline wrote to."""
    for branch in written(info):
        pfs.create_branch(branch, provenance=[])


def has_meta(info: Any) -> bool:
    """Whether a pipeline's datums have a repo: services and spouts have no datums to speak of."""
    return bool(info.type == TRANSFORM)


def written(info: Any) -> list[Branch]:
    """The branches that a pipeline writes to: its output's and its meta repo's."""
    kinds = (USER, META) if has_meta(info) else (USER,)
    project, name = info.pipeline.project.name, info.pipeline.name
    return [Repo(project, name, kind).branch(info.details.output_branch) for kind in kinds]


def read(info: Any) -> list[Branch]:
    """The branches that a pipeline reads."""
    leaves = inputs.leaves(info.details.input)
    return [branch_of(leaf.pfs if leaf.HasField("pfs") else inputs.as_pfs(leaf.cron)) for leaf in leaves]


def cron_repos(info: Any) -> list[Repo]:
    """The repos that a pipeline's cron inputs tick in, which come and go with it."""
    return [branch_of(inputs.as_pfs(one)).repo for one in crons.cron_inputs(info)]
