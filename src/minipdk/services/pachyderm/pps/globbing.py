"""Finds the files of a job's inputs: which commit each input is read at, and what its glob matches there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Pfs
from minipdk.services.pachyderm.pfs.model import Branch, Commit, FileInfo, Repo
from minipdk.services.pachyderm.pps.datums import DatumInput

CAPTURE = re.compile(r"\$(?:(\d+)|\{(\d+)\})")


def branch_of(pfs_input: Any) -> Branch:
    """The branch that a PFSInput message reads."""
    return Repo(pfs_input.project, pfs_input.repo, pfs_input.repo_type or "user").branch(pfs_input.branch)


class Globber:
    """Enumerates the files of PFSInput messages, at the commits that an output commit was made from.

    Without an output commit inputs are read at the heads of their branches.
    """

    def __init__(self, pfs: Pfs, output: Commit | None = None) -> None:
        self._pfs = pfs
        self._provenance = (
            [pfs.inspect_commit(one) for one in pfs.inspect_commit(output).direct_provenance] if output else None
        )

    def __call__(self, pfs_input: Any) -> Iterator[DatumInput]:
        commit = self.commit(branch_of(pfs_input))
        captures = pfs_input.join_on or pfs_input.group_by
        matches: Any = self._pfs.files.glob_captures if captures else self._with_no_captures
        for info, groups in matches(commit, pfs_input.glob):
            yield DatumInput(
                name=pfs_input.name,
                branch=pfs_input.branch,
                file=info,
                empty_files=pfs_input.empty_files,
                reference=pfs_input.reference,
                join_on=expand(pfs_input.join_on, groups),
                group_by=expand(pfs_input.group_by, groups),
                outer_join=pfs_input.outer_join,
                s3=pfs_input.s3,
            )

    def _with_no_captures(self, commit: Commit, pattern: str) -> Iterator[tuple[FileInfo, list[str]]]:
        return ((info, []) for info in self._pfs.files.glob(commit, pattern))

    def commit(self, branch: Branch) -> Commit:
        """The commit at which ``branch`` is read."""
        if self._provenance is None:
            return self._pfs.inspect_commit(branch.repo.commit(branch.name)).commit
        upstream = [info for info in self._provenance if info.commit.repo == branch.repo]
        exact = [info for info in upstream if info.branch == branch]
        if not upstream:
            raise PachydermError(f"the input {branch} is not in the job's provenance")
        return (exact or upstream)[0].commit


def expand(template: str, groups: list[str]) -> str:
    """``template`` with $1, ${2}... replaced by a glob's capture groups."""

    def group(match: re.Match[str]) -> str:
        index = int(match[1] or match[2])
        return groups[index - 1] if 0 < index <= len(groups) else ""

    return CAPTURE.sub(group, template)
