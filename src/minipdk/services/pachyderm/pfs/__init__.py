"""PFS: projects, repos, branches, commits and files.

A request passes through ``api`` (messages to nouns and back, with ``messages`` and ``model``) to `Pfs` (``facade``). It has
one part for each concept: ``repos``, ``branches``, ``triggers``, ``commits``, ``commit_sets``, ``files``, ``cache``,
``fsck`` and ``garbage``. The parts hold the rules, run in ``transactions``, and read and write rows through ``store`` and
bytes through ``content``. The S3 gateway and PPS, in the same process, use `Pfs` too.

The interface that PPS builds on (all blocking, safe from any thread)::

    pfs = Pfs(home)
    pfs.db                                    # minipdk.storage.Database; PPS keeps its tables in it
    Repo("default", "images")                 # project, name, type="user"|"spec"|"meta"; str() is pachd's wording
    repo.branch("master"), repo.commit(id)    # Branch, Commit: frozen, hashable

    with pfs.transaction() as txn:            # one database transaction and one commit set; nests (joins the outer one)
        txn.id                                # the global id of every commit made in it: commit set = job id
        txn.now                               # its time, integer nanoseconds since 1970
        txn.after(callable)                   # runs once it is committed, outside the lock
        pfs.create_repo(repo, description="", update=False)
        pfs.delete_repo(repo, force=False) -> bool                  # False: it did not exist
        pfs.repos.delete_pipeline_repo(repo, force=False)           # for PPS: ignores is_pipeline_repo
        pfs.create_branch(branch, provenance=[Branch, ...], head=None, trigger=None, never=[])
                                                  # provenance replaces the old one; new heads of `never` start nothing
        pfs.delete_branch(branch, force=False)
        commit = pfs.start_commit(branch, parent=None, description="")    # a user's commit, on source branches only
        pfs.open_commit(branch, ...)                                # a system's commit (spec repos), on any branch
        pfs.set_contents(commit, [fileset ids], since=Contents(commit, [fileset ids]))
                                                  # the commit's tree becomes the union of these file sets; quicker with
                                                  # `since`, a finished commit and the file sets that it is the union of
        pfs.write_files(commit, {"/path": b"..."})                  # small files, overwriting
        pfs.finish_commit(commit, error="", force=True)             # force: PPS may finish pipeline outputs
        pfs.clear_commit(commit)
    # On leaving the outermost `with`: changed branches propagate (every downstream branch gets an open AUTO commit with
    # txn.id, parent = its old head), hooks run, everything is written and synced, then waiters wake. An exception undoes it.

    pfs.inspect_project(name), pfs.list_repos(...), pfs.inspect_repo(repo) -> RepoInfo
    pfs.inspect_branch(branch) -> BranchInfo     # .branch .head: Commit .direct_provenance .provenance .subvenance
    pfs.inspect_commit(commit) -> CommitInfo     # .commit .branch .parent .origin .started .finishing .finished .error
                                                 # .direct_provenance .size; commit.id may be a branch name, an ancestry
                                                 # expression (master^2, master.1), or any commit set's id (alias)
    pfs.commits.wait(commit, CommitState.FINISHED)  # in a call that may wait (`waiting`): info = yield from ...
    pfs.commit_set(id) -> list[CommitInfo]       # provenance first; members only, without aliases
    pfs.wait(predicate, stop=None, timeout=None) # value of predicate() once it is true; called again after each commit
                                                 # of a transaction; None when `stop` (an Event) is set or time is up
    pfs.until(predicate)                         # the same in a call that may wait: value = yield from ...

    pfs.files.glob(commit, "/*") -> Iterator[FileInfo]   # .path (directories end in "/") .is_dir .size .hash (bytes)
    pfs.files.glob_captures(commit, pattern) -> Iterator[tuple[FileInfo, list[str]]]
    pfs.files.children(commit, "/dir"), .walk(commit, "/dir"), .inspect(commit, "/path")
    pfs.files.read(commit, "/path", offset=0) -> Iterator[bytes]
    pfs.files.download(commit, "/path", folder, empty=False, link=False)
                                                 # writes the file, or the directory's files, below `folder` at their full
                                                 # paths; empty: of size zero; link: hard links to the store, only if a
                                                 # read-only mount keeps the user's code from writing through them
    upload = pfs.files.prepare(folder, pfs_root=None)    # everything below `folder`, large contents on disk already;
                                                 # absolute links below /pfs are read from `pfs_root`; others out: refused
    pfs.files.keep(upload) -> str                # as a file set; its id is durable once the transaction is committed.
    pfs.files.delete_fileset(id)
    writer = pfs.files.writer(); parts = writer.put(pieces)     # chunks: they are on disk after writer.flush(), and they
                                                 # stay while the writer exists, or once a transaction refers to them:
                                                 # keep the writer until that has begun
    pfs.files.diff(new, path, old, old_path) -> Iterator[tuple[new FileInfo | None, old FileInfo | None]]

    pfs.on_commit_created: list[Callable[[Transaction, CommitInfo], None]]    # inside the transaction, once for each new
        # open commit on a branch with provenance (propagation, or create_branch): PPS makes its job here
    pfs.on_commit_finished: list[...]            # inside the transaction that finished it
    pfs.on_commit_deleted: list[...]             # inside the transaction that squashed, dropped or deleted it
    pfs.is_pipeline_repo: Callable[[Repo], bool] # PPS sets it; users may not delete such repos or finish their commits

Failures are `minipdk.services.pachyderm.errors`.
"""

from minipdk.services.pachyderm.pfs.facade import Pfs
from minipdk.services.pachyderm.pfs.files.folders import Upload
from minipdk.services.pachyderm.pfs.model import (
    DEFAULT_PROJECT,
    META,
    SPEC,
    USER,
    Branch,
    BranchInfo,
    Commit,
    CommitInfo,
    CommitState,
    Contents,
    FileInfo,
    Origin,
    Repo,
    RepoInfo,
    Trigger,
)
from minipdk.services.pachyderm.pfs.transactions import Transaction

__all__ = [
    "DEFAULT_PROJECT",
    "META",
    "SPEC",
    "USER",
    "Branch",
    "BranchInfo",
    "Commit",
    "CommitInfo",
    "CommitState",
    "Contents",
    "FileInfo",
    "Origin",
    "Pfs",
    "Repo",
    "RepoInfo",
    "Transaction",
    "Trigger",
    "Upload",
]
