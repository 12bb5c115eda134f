"""Layered trees against a plain dictionary: after any changes, both have the same files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipdk.common.home import Home
from minipdk.services.pachyderm.errors import PachydermError
from minipdk.services.pachyderm.pfs import Branch, Commit, CommitInfo, Contents, Pfs, Repo, Transaction
from minipdk.services.pachyderm.pfs.files.globs import compile_glob
from minipdk.services.pachyderm.pfs.model import Copy, Delete

NAMES = st.sampled_from(["a", "b", "b-", "c.d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
DATA = st.sampled_from([b"", b"1", b"22", b"x" * 40_000])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PATHS, DATA),
        st.tuples(st.just("delete"), PATHS, st.just(b"")),
        st.tuples(st.just("delete all"), PATHS, st.just(b"")),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def pfs(home: Home) -> Pfs:
    return Pfs(home)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1_000_000))


def new_branch(pfs: Pfs, numbers: Iterator[int]) -> Branch:
    repo = Repo("default", f"r{next(numbers)}")
    pfs.create_repo(repo)
    return repo.branch("master")


def apply(files: dict[str, bytes], kind: str, path: str, data: bytes) -> None:
    if kind == "put":
        files[path] = data
    elif kind == "delete":
        files.pop(path, None)
    else:
        for known in [known for known in files if known.startswith(path + "/")]:
            del files[known]


def collides(files: dict[str, bytes]) -> bool:
    return any(other.startswith(path + "/") for path in files for other in files)


def expected_walk(files: dict[str, bytes]) -> list[str]:
    folders = {path[: match.end()] for path in files for match in re.finditer("/", path)}
    return sorted([*files, *folders])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(CHANGES, min_size=1, max_size=6))
def test_a_line_of_commits_has_the_files_that_were_put(pfs: Pfs, numbers: Iterator[int], history: list[Any]) -> None:
    branch = new_branch(pfs, numbers)
    files: dict[str, bytes] = {}
    for changes in history:
        attempt = dict(files)
        commit = pfs.start_commit(branch)
        for kind, path, data in changes:
            apply(attempt, kind, path, data)
            if kind == "put":
                pfs.write_files(commit, {path: data})
            else:
                pfs.files.modify(commit, [Delete(path + ("/" if kind == "delete all" else ""))])
        pfs.finish_commit(commit)
        info = pfs.inspect_commit(commit)
        assert bool(info.error) == collides(attempt)
        files = files if info.error else attempt
    check_tree(pfs, branch, files)


def check_tree(pfs: Pfs, branch: Branch, files: dict[str, bytes]) -> None:
    """The branch's next commit sees exactly these files, with right sizes and hashes."""
    commit = pfs.start_commit(branch)
    infos = {info.path: info for info in pfs.files.walk(commit, "/")}
    assert list(infos) == expected_walk(files)
    for path, info in infos.items():
        below = {known: data for known, data in files.items() if known == path or (info.is_dir and known.startswith(path))}
        assert info.size == sum(map(len, below.values()))
        if not info.is_dir:
            assert b"".join(pfs.files.read(commit, path)) == files[path]
    fresh = Repo(branch.repo.project, branch.repo.name + "-fresh").branch("master")
    pfs.create_repo(fresh.repo)
    again = pfs.start_commit(fresh)
    pfs.write_files(again, files)
    for path, info in infos.items():
        assert pfs.files.inspect(again, path).hash == info.hash, "hashes depend on content alone"


def test_a_long_line_of_small_commits_stays_shallow(pfs: Pfs, numbers: Iterator[int]) -> None:
    branch = new_branch(pfs, numbers)
    commit = pfs.start_commit(branch)
    pfs.write_files(commit, {f"/{number:04}": b"x" for number in range(1000)})
    pfs.finish_commit(commit)
    for number in range(60):
        commit = pfs.start_commit(branch)
        pfs.write_files(commit, {f"/{number:04}": b"y"})
        pfs.finish_commit(commit)
    tree = pfs.files.tree(commit)
    assert len(tree.stack) <= 8
    assert len(list(pfs.files.children(commit, "/"))) == 1000
    rows = pfs.db.connection().execute("SELECT count(*) FROM entries WHERE layer = ?", (tree.stack[-1],)).fetchone()[0]
    assert rows < 200, "a small commit does not copy its large parent"


def test_deleting_a_repo_frees_its_layers(pfs: Pfs, numbers: Iterator[int]) -> None:
    branch = new_branch(pfs, numbers)
    commit = pfs.start_commit(branch)
    pfs.write_files(commit, {"/a": b"1"})
    pfs.finish_commit(commit)
    stack = pfs.files.tree(commit).stack
    pfs.delete_repo(branch.repo)
    left = pfs.db.connection().execute("SELECT count(*) FROM entries WHERE layer = ?", stack).fetchone()[0]
    assert left == 0


class TestFileSets:
    """The union that PPS makes output commits of."""

    def make(self, pfs: Pfs, folder: Path, **files: bytes) -> str:
        folder.mkdir()
        for name, data in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return pfs.files.keep(pfs.files.prepare(folder))

    def test_a_commit_becomes_their_union(self, pfs: Pfs, numbers: Iterator[int], tmp_path: Path) -> None:
        sets = [self.make(pfs, tmp_path / "1", a=b"1", d__b=b"2"), self.make(pfs, tmp_path / "2", d__c=b"x" * 50_000)]
        commit = pfs.start_commit(new_branch(pfs, numbers))
        pfs.set_contents(commit, sets)
        pfs.finish_commit(commit)
        assert [info.path for info in pfs.files.walk(commit, "/")] == ["/", "/a", "/d/", "/d/b", "/d/c"]
        assert pfs.inspect_commit(commit).size == 50_002
        pfs.files.delete_fileset(sets[1])
        assert b"".join(pfs.files.read(commit, "/d/c")) == b"x" * 50_000

    def test_two_of_them_with_one_path_are_refused(self, pfs: Pfs, numbers: Iterator[int], tmp_path: Path) -> None:
        sets = [self.make(pfs, tmp_path / "1", d__a=b"1"), self.make(pfs, tmp_path / "2", d__a=b"2")]
        commit = pfs.start_commit(new_branch(pfs, numbers))
        with pytest.raises(PachydermError, match=r"duplicate path output by different datums \(/d/a\)"):
            pfs.set_contents(commit, sets)

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.dictionaries(st.integers(0, 20), st.integers(0, 2), max_size=4), max_size=4))
    def test_the_difference_to_an_earlier_commit_makes_the_same_tree_as_the_whole(
        self, pfs: Pfs, numbers: Iterator[int], tmp_path: Path, history: list[dict[int, int]]
    ) -> None:
        """Each file set has a version: 0 is no file, others two files in folders that it shares with others."""
        made: dict[tuple[int, int], str] = {}
        versions, since = dict.fromkeys(range(21), 1), None
        for changes in [{}, *history]:
            versions |= changes
            for number, version in versions.items() - made.keys():
                files = {f"d{number % 3}__{number}": b"x" * version, f"top{number}": b"t"} if version else {}
                made[number, version] = self.make(pfs, tmp_path / str(next(numbers)), **files)
            sets = [made[version] for version in versions.items()]
            commits = [self.union(pfs, numbers, sets, since), self.union(pfs, numbers, sets, None)]
            trees = [[(file.path, file.size, file.hash) for file in pfs.files.walk(commit, "/")] for commit in commits]
            assert trees[0] == trees[1]
            since = Contents(commits[0], sets)

    def union(self, pfs: Pfs, numbers: Iterator[int], sets: list[str], since: Contents | None) -> Commit:
        commit = pfs.start_commit(new_branch(pfs, numbers))
        pfs.set_contents(commit, sets, since)
        pfs.finish_commit(commit)
        return commit

    def test_a_path_that_an_earlier_commit_has_is_refused(self, pfs: Pfs, numbers: Iterator[int], tmp_path: Path) -> None:
        sets = [self.make(pfs, tmp_path / str(number), **{f"file{number}": b"1"}) for number in range(9)]
        since = Contents(self.union(pfs, numbers, sets, None), tuple(sets))
        sets.append(self.make(pfs, tmp_path / "again", file3=b"2"))
        with pytest.raises(PachydermError, match=r"duplicate path output by different datums \(/file3\)"):
            self.union(pfs, numbers, sets, since)
        self.union(pfs, numbers, [*sets[:3], *sets[4:]], since)

    def test_links_stand_for_their_targets(self, pfs: Pfs, numbers: Iterator[int], tmp_path: Path) -> None:
        (tmp_path / "pfs" / "in").mkdir(parents=True)
        (tmp_path / "pfs" / "in" / "data").write_bytes(b"input")
        out = tmp_path / "pfs" / "out"
        out.mkdir()
        (out / "copied").symlink_to("/pfs/in/data")
        (out / "own").write_bytes(b"1")
        (out / "alias").symlink_to("own")
        fileset = pfs.files.keep(pfs.files.prepare(out, pfs_root=tmp_path / "pfs"))
        commit = pfs.start_commit(new_branch(pfs, numbers))
        pfs.set_contents(commit, [fileset])
        assert b"".join(pfs.files.read(commit, "/copied")) == b"input"
        assert b"".join(pfs.files.read(commit, "/alias")) == b"1"

    @pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "nowhere", "/pfs/../secret"])
    def test_links_that_lead_elsewhere_are_refused(self, pfs: Pfs, tmp_path: Path, target: str) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        out = tmp_path / "pfs" / "out"
        out.mkdir(parents=True)
        (out / "link").symlink_to(target)
        with pytest.raises(PachydermError, match="the symbolic link link ->"):
            pfs.files.prepare(out, pfs_root=tmp_path / "pfs")

    def test_names_that_pfs_does_not_allow_are_refused(self, pfs: Pfs, tmp_path: Path) -> None:
        with pytest.raises(PachydermError, match="globbing character"):
            self.make(pfs, tmp_path / "1", **{"a*": b"1"})


class TestDownloading:
    @pytest.fixture
    def commit(self, pfs: Pfs, numbers: Iterator[int]) -> Commit:
        commit = pfs.start_commit(new_branch(pfs, numbers))
        pfs.write_files(commit, {"/d/small": b"1", "/d/e/big": b"x" * 100_000, "/other": b"2"})
        pfs.finish_commit(commit)
        return commit

    @pytest.mark.parametrize("link", [False, True])
    def test_a_directory_lands_at_its_full_path(self, pfs: Pfs, commit: Commit, tmp_path: Path, link: bool) -> None:
        assert pfs.files.download(commit, "/d", tmp_path, link=link) == 100_001
        assert (tmp_path / "d" / "small").read_bytes() == b"1"
        assert (tmp_path / "d" / "e" / "big").read_bytes() == b"x" * 100_000
        assert not (tmp_path / "other").exists()

    def test_a_copy_may_be_written_to(self, pfs: Pfs, commit: Commit, tmp_path: Path) -> None:
        pfs.files.download(commit, "/d/e/big", tmp_path)
        (tmp_path / "d" / "e" / "big").write_bytes(b"spoilt")
        assert b"".join(pfs.files.read(commit, "/d/e/big")) == b"x" * 100_000

    def test_empty_files_for_callers_that_need_names_only(self, pfs: Pfs, commit: Commit, tmp_path: Path) -> None:
        assert pfs.files.download(commit, "/", tmp_path, empty=True) == 0
        assert (tmp_path / "d" / "e" / "big").stat().st_size == 0


class TestHooks:
    def test_a_hook_sees_each_new_output_commit_once_inside_the_transaction(
        self, pfs: Pfs, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, CommitInfo]] = []
        monkeypatch.setattr(pfs.state.hooks, "on_commit_created", [lambda txn, info: seen.append((txn.id, info))])
        source, output = new_branch(pfs, numbers), new_branch(pfs, numbers)
        pfs.create_branch(output, [source])
        with pfs.transaction() as txn:
            commit = pfs.start_commit(source)
            pfs.finish_commit(commit)
        assert [(set_id == info.commit.id, info.branch) for set_id, info in seen] == [(True, output)] * 2
        assert seen[1][0] == txn.id == commit.id

    def test_a_failing_hook_undoes_the_transaction(
        self, pfs: Pfs, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_txn: Transaction, _info: CommitInfo) -> None:
            raise PachydermError("not today")

        source, output = new_branch(pfs, numbers), new_branch(pfs, numbers)
        pfs.create_branch(output, [source])
        before = pfs.inspect_branch(source).head
        monkeypatch.setattr(pfs.state.hooks, "on_commit_created", [fail])
        with pytest.raises(PachydermError, match="not today"):
            pfs.start_commit(source)
        assert pfs.inspect_branch(source).head == before

    def test_a_pipelines_repo_is_guarded(self, pfs: Pfs, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch) -> None:
        source, output = new_branch(pfs, numbers), new_branch(pfs, numbers)
        pfs.create_branch(output, [source])
        for hook in ("is_pipeline_repo", "is_transform_repo"):
            monkeypatch.setattr(pfs.state.hooks, hook, lambda repo: repo == output.repo)
        with pytest.raises(PachydermError, match="cannot delete a repo associated with a pipeline"):
            pfs.delete_repo(output.repo)
        head = pfs.inspect_branch(output).head
        with pytest.raises(PachydermError, match="cannot finish a pipeline output or meta commit, use 'stop job' instead"):
            pfs.finish_commit(head, force=False)


@pytest.mark.parametrize(
    ("pattern", "path", "captures"),
    [
        ("/(*)-(*).txt", "/a-b.txt", ["a", "b"]),
        ("/@(a|b)/?", "/b/x", ["b"]),
        ("/+([0-9])", "/2024", ["2024"]),
        ("/*(ab)c", "/ababc", ["abab"]),
        ("/?(x)y", "/y", [""]),
        ("/!(*.tmp)", "/a.csv", ["a.csv"]),
        ("/!(a|b)c", "/xc", ["x"]),
        ("/[a-c]*", "/bx", []),
        ("/{x,(y)}", "/y", ["y"]),
        ("/a.b", "/a.b", []),
    ],
)
def test_globs_capture_the_matches_of_parentheses(pattern: str, path: str, captures: list[str]) -> None:
    assert compile_glob(pattern).match(path) == captures


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/*", "/a/b"),
        ("/?", "/"),
        ("/!(*.tmp)", "/a.tmp"),
        ("/!(a)", "/a"),
        ("/[!a]", "/a"),
        ("/a.b", "/axb"),
        ("/+(a)", "/"),
        ("/*", "/"),
    ],
)
def test_globs_do_not_match(pattern: str, path: str) -> None:
    assert compile_glob(pattern).match(path) is None


def test_copying_a_directory_into_itself_reads_the_old_files(pfs: Pfs, numbers: Iterator[int]) -> None:
    commit = pfs.start_commit(new_branch(pfs, numbers))
    pfs.write_files(commit, {"/a/x": b"1"})
    pfs.files.modify(commit, [Copy("/a/b", commit, "/a")])
    assert [info.path for info in pfs.files.walk(commit, "/a")] == ["/a/", "/a/b/", "/a/b/x", "/a/x"]
