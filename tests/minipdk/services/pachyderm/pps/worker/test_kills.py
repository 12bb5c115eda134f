"""kill -9 of pachd at any moment of commits and jobs: acknowledged commits stay, open jobs go on.

MINIPDK_KILLS says how often (5), MINIPDK_SEED repeats a run's choices.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
from dataclasses import dataclass, field
from functools import partial

import grpc
import pytest
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps
from tests.conftest import ServiceProcess, wait_for
from tests.minipdk.services.pachyderm.conftest import connect
from tests.minipdk.services.pachyderm.pipelines import IMAGE

from minipdk.common.home import Home

KILLS = int(os.environ.get("MINIPDK_KILLS", "5"))
SEED = int(os.environ.get("MINIPDK_SEED", random.SystemRandom().randrange(1 << 32)))
NAMES = [f"file{number}" for number in range(8)]
Files = dict[str, bytes | None]


@pytest.mark.timeout(240 + 20 * KILLS)
@pytest.mark.parametrize("seed", [SEED], ids=["MINIPDK_SEED"])  # workers must collect the same names
def test_acknowledged_commits_survive_kills_at_any_moment(home: Home, pachd: ServiceProcess, seed: int) -> None:
    chance = random.Random(seed)
    client = connect(home)
    for name in ("left", "right"):
        client.pfs.create_repo(repo=pfs.Repo(name=name))
    create_pipelines(client)
    up = threading.Event()
    writers = [Writer(home, up, "left", random.Random(seed + 1)), Writer(home, up, "right", random.Random(seed + 2))]
    up.set()
    for writer in writers:
        writer.start()
    try:
        for _ in range(KILLS):
            enough = acknowledged(writers) + chance.randrange(1, 6)
            wait_for(partial(_have_acknowledged, writers, enough), what="commits")
            up.clear()
            pachd.kill()
            pachd.start()
            wait_for(lambda: answers(client), what="pachd to answer")
            up.set()
    finally:
        for writer in writers:
            writer.stop()
    acknowledged(writers)
    for writer in writers:
        check_commits(client, writer)
    check_jobs(client)
    assert [answer.error for answer in client.pfs.fsck(zombie_all=True) if answer.error] == []


def _have_acknowledged(writers: list[Writer], number: int) -> bool:
    return acknowledged(writers) >= number


def acknowledged(writers: list[Writer]) -> int:
    """The number of commits; raises the unexpected error of a writer."""
    for writer in writers:
        if writer.fault is not None:
            raise writer.fault
    return sum(writer.acknowledged for writer in writers)


def answers(client: Client) -> bool:
    """Whether the client has connected again: it pauses after a failure."""
    try:
        return bool(client.get_version().major)
    except ConnectionError:
        return False
    except grpc.RpcError as error:  # the old connection's end, noticed only now
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        return False


def create_pipelines(client: Client) -> None:
    """A pipeline that copies the files of both repos, and one downstream that counts the copies."""
    both = [pps.Input(pfs=pps.PfsInput(repo=repo, name="data", glob="/*")) for repo in ("left", "right")]
    scripts = {"copy": "cp /pfs/data/* /pfs/out/", "count": "ls /pfs/copy | wc -l > /pfs/out/count"}
    sources = {"copy": pps.Input(union=both), "count": pps.Input(pfs=pps.PfsInput(repo="copy", glob="/"))}
    for name, script in scripts.items():
        client.pps.create_pipeline(
            pipeline=pps.Pipeline(name=name),
            transform=pps.Transform(image=IMAGE, cmd=["sh", "-e"], stdin=[script]),
            input=sources[name],
            parallelism_spec=pps.ParallelismSpec(constant=2),
        )


@dataclass
class Writer:
    """Writes to a repo's master in a separate thread, and knows the contents that the repo must have.

    ``possible`` has the contents that each file may have now (None: no file): one, unless a call's outcome is unknown.
    """

    home: Home
    up: threading.Event
    repo: str
    chance: random.Random
    acknowledged: int = 0
    commits: dict[str, Files] = field(default_factory=dict)
    fault: BaseException | None = None

    def __post_init__(self) -> None:
        self.possible: dict[str, set[bytes | None]] = {f"/{self.repo}-{name}": {None} for name in NAMES}
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.start = self._thread.start

    def stop(self) -> None:
        """End after the present commit."""
        self._ending = True
        self.up.set()
        self._thread.join(120)

    def _run(self) -> None:
        try:
            while not self._ending:
                self.up.wait()
                client = connect(self.home)
                try:
                    self._finish_open_commit(client)
                    while not self._ending:
                        self._commit(client)
                        self.acknowledged += 1
                except ConnectionError:  # the SDK's, for a call that met no server
                    continue
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        raise
        except BaseException as fault:
            self.fault = fault

    def _branch(self) -> pfs.Branch:
        return pfs.Branch.from_uri(f"{self.repo}@master")

    def _commit(self, client: Client) -> None:
        """One commit of one to three changes: each a file put, appended to nothing, or deleted."""
        changes: Files = {}
        for path in self.chance.sample(sorted(self.possible), self.chance.randrange(1, 4)):
            size = self.chance.choice([0, 10, 40_000])
            changes[path] = None if self.chance.random() < 0.2 else self.chance.randbytes(size)
        for path, data in changes.items():
            self.possible[path] = self.possible[path] | {data}
        with client.pfs.commit(branch=self._branch()) as commit:
            for path, data in changes.items():
                if data is None:
                    commit.delete_file(path=path)
                else:
                    commit.put_file_from_bytes(path=path, data=data)
        for path, data in changes.items():
            self.possible[path] = {data}
        if all(len(some) == 1 for some in self.possible.values()):
            self.commits[commit.id] = {path: next(iter(some)) for path, some in self.possible.items()}

    def _finish_open_commit(self, client: Client) -> None:
        """As a user would after a crash: finish the open commit, and read the files."""
        if not client.pfs.branch_exists(self._branch()):
            return
        head = client.pfs.inspect_branch(branch=self._branch()).head
        if client.pfs.inspect_commit(commit=head).finishing.year <= 1970:
            client.pfs.finish_commit(commit=head)
        written = hashes(client, head)
        for path, some in self.possible.items():
            now = [data for data in some if digest(data) == written.get(path)]
            assert now, f"{path} has none of its possible contents"
            self.possible[path] = {now[0]}


def digest(data: bytes | None) -> bytes | None:
    return None if data is None else hashlib.sha256(data).digest()


def hashes(client: Client, commit: pfs.Commit) -> dict[str, bytes]:
    """The SHA-256 of each file of a commit."""
    walked = client.pfs.walk_file(file=pfs.File(commit=commit, path="/"))
    return {info.file.path: info.hash for info in walked if info.file_type == pfs.FileType.FILE}


def check_commits(client: Client, writer: Writer) -> None:
    """Every acknowledged commit exists, finished, with its files."""
    for id_, files in writer.commits.items():
        commit = pfs.Commit(repo=pfs.Repo(name=writer.repo), id=id_)
        assert client.pfs.inspect_commit(commit=commit).finished.year > 1970
        assert hashes(client, commit) == {path: digest(data) for path, data in files.items() if data is not None}
    newest = next(reversed(writer.commits), None)
    for path, data in writer.commits[newest].items() if newest else ():
        if data is not None:
            with client.pfs.pfs_file(
                file=pfs.File(commit=pfs.Commit(repo=pfs.Repo(name=writer.repo), id=newest), path=path)
            ) as file:
                assert file.read() == data


def check_jobs(client: Client) -> None:
    """Every job has succeeded, counts each datum once, and wrote the output of its commit's files."""
    last = next(iter(client.pps.list_job(pipeline=pps.Pipeline(name="count"))))
    client.pps.inspect_job(job=last.job, wait=True)
    for name in ("copy", "count"):
        for job in client.pps.list_job(pipeline=pps.Pipeline(name=name)):
            assert job.state == pps.JobState.JOB_SUCCESS, (job.job, job.reason)
            datums = list(client.pps.list_datum(job=job.job))
            assert job.data_processed + job.data_skipped == job.data_total == len({info.datum.id for info in datums}), job
            assert len(datums) == job.data_total
    first, *others = client.pps.list_job(pipeline=pps.Pipeline(name="copy"), reverse=True)
    assert first.data_total == 0  # before the other pipeline was there
    for job in others:
        inputs = [pfs.Commit(repo=pfs.Repo(name=repo), id=job.job.id) for repo in ("left", "right")]
        expected = {path: content for commit in inputs for path, content in hashes(client, commit).items()}
        assert hashes(client, job.output_commit) == expected
        counted = pfs.Commit(repo=pfs.Repo(name="count"), id=job.job.id)
        assert hashes(client, counted) == ({"/count": digest(f"{len(expected)}\n".encode())} if expected else {})
