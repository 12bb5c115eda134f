"""Projects, repos, branches, commits and files, through the command."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tests.pachctl.conftest import Pachctl


def test_the_cluster_says_who_it_is(pachctl: Pachctl) -> None:
    assert pachctl("version").rows[0] == ["COMPONENT", "VERSION"]
    assert [row[0] for row in pachctl("version").rows[1:]] == ["pachctl", "pachd"]
    assert pachctl("auth whoami").out.startswith('You are "')


def test_a_wrong_token_is_refused_with_the_remedy(pachctl: Pachctl) -> None:
    document = pachctl.config.read_text()
    try:
        pachctl("auth use-auth-token", stdin="wrong\n")
        assert "pachctl auth use-auth-token" in pachctl.refused("list repo")
    finally:
        pachctl.config.write_text(document)


def test_a_repo_is_made_listed_described_and_deleted(pachctl: Pachctl) -> None:
    name = pachctl.repo()
    assert pachctl.refused(f"create repo {name}") == f"repo default/{name} already exists"
    pachctl(["update", "repo", name, "-d", "the data"])
    listed = pachctl("list repo")
    assert listed.rows[0] == ["PROJECT", "NAME", "CREATED", "SIZE (MASTER)", "ACCESS_LEVEL", "DESCRIPTION"]
    assert next(row for row in listed.rows if row[1] == name)[-1] == "the data"
    assert yaml.safe_load(pachctl(f"inspect repo {name} --raw -o yaml").out)["repo"]["name"] == name
    assert pachctl.refused(f"inspect repo {name} -o yaml") == "cannot set --output (-o) without --raw"
    assert pachctl(f"delete repos {name}").err == "Repo deleted.\n"
    assert "No repo deleted" in pachctl.refused(f"delete repo {name}")


def test_project_chooses_where(pachctl: Pachctl) -> None:
    pachctl(["create", "project", "churn", "-d", "customers"])
    pachctl("create repo data --project churn")
    assert [row[:2] for row in pachctl("list repo --project churn").rows[1:]] == [["churn", "data"]]
    assert pachctl("inspect repo churn/data").out.startswith("Name: data\n")
    assert [row[0] for row in pachctl("list project").rows[1:]] == ["churn", "*"]
    pachctl("delete project churn", stdin="y\n")
    assert "churn" not in pachctl("list project").out


def test_put_replaces_and_append_adds(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:a.txt", stdin="one\n")
    pachctl(f"put file {repo}@master:a.txt -f -", stdin="two\n")
    pachctl(f"put file {repo}@master:a.txt --append", stdin="three\n")
    assert pachctl(f"get file {repo}@master:a.txt").out == "two\nthree\n"
    assert pachctl(f"get file {repo}@master^:a.txt --offset 1").out == "wo\n"
    assert pachctl(f"diff file --name-only {repo}@master:a.txt").rows[1:] == [["+", "10B", "/a.txt"], ["-", "4B", "/a.txt"]]
    assert "+three" in pachctl(f"diff file {repo}@master:a.txt").out


def test_a_directory_goes_in_one_commit_and_comes_back(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    for name, content in {"a.txt": "a", "sub/b.txt": "b", "sub/empty": ""}.items():
        pachctl.file(f"tree/{name}", content)
    pachctl(f"put file {repo}@master -r -f tree")
    assert len(pachctl(f"list commit {repo}").rows) == 2
    assert pachctl(f"list file {repo}@master:/tree").rows[1:] == [
        ["1B", "/tree/a.txt"],
        ["1B", "/tree/sub/"],
    ]
    pachctl(f"get file {repo}@master:/tree -r -o back")
    back = pachctl.folder / "back"
    files = {str(path.relative_to(back)): path.read_text() for path in back.rglob("*") if path.is_file()}
    assert files == {"a.txt": "a", "sub/b.txt": "b", "sub/empty": ""}


def test_sources_are_separated_by_commas_and_target_paths_are_cleaned(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    for name in ("x", "y", "a,b"):
        pachctl.file(name, name)
    pachctl(f"put file {repo}@master -f x,y")
    pachctl(["put", "file", f"{repo}@master:/../d/./e/../", "-f", '"a,b"'])
    assert [row[1] for row in pachctl(["glob", "file", f"{repo}@master:/**"]).rows[1:]] == ["/d/", "/d/a,b", "/x", "/y"]


def test_several_sources_go_below_the_path(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    listing = pachctl.file("list", "\n".join([pachctl.file("x", "x"), pachctl.file("y", "y"), ""]))
    pachctl(f"put file {repo}@master:/d -i {listing}")
    assert [row[1] for row in pachctl(f"glob file {repo}@master:/d/*").rows[1:]] == ["/d/x", "/d/y"]
    pachctl(f"copy file {repo}@master:/d/x {repo}@master:/z")
    pachctl(f"delete file -r {repo}@master:/d")
    assert pachctl(f"list file {repo}@master").rows[1:] == [["1B", "/z"]]


def test_sources_that_cannot_be_read_are_refused_before_anything_is_written(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl.file("here", "1")
    assert pachctl.refused(f"put file {repo}@master -f here -f nowhere") == "nowhere doesn't exist"
    assert "use -r" in pachctl.refused(f"put file {repo}@master -f .")
    assert "filename" in pachctl.refused(f"put file {repo}@master")
    assert pachctl(f"list commit {repo}").rows[1:] == []


def test_getting_a_directory_as_a_file_names_the_remedy(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:/d/x", stdin="1")
    assert "-r -o DIRECTORY" in pachctl.refused(f"get file {repo}@master:/d")
    assert "not found" in pachctl.refused(f"get file {repo}@master:/none -o copy")
    assert not (pachctl.folder / "copy").exists()


def test_a_commit_is_started_finished_waited_for_and_listed(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    started = pachctl(f"start commit {repo}@master -m first").out.strip()
    pachctl(f"put file {repo}@{started}:a", stdin="1")
    pachctl(f"finish commit {repo}@master")
    assert pachctl.refused(f"finish commit {repo}@master") == f"commit default/{repo}@{started} has already finished"
    assert pachctl(f"wait commit {repo}@master").out.startswith(f"Commit: {repo}@{started}\nDescription: first\n")
    listed = pachctl(f"list commit {repo}@master").rows
    assert listed[0] == ["PROJECT", "REPO", "COMMIT", "FINISHED", "SIZE", "ORIGIN", "CREATOR", "DESCRIPTION"]
    assert (listed[1][2], listed[1][4:6], listed[1][-1]) == (started, ["1B", "USER"], "first")
    assert pachctl(f"list commit {started} --raw").documents[0]["commit"]["id"] == started
    assert started in [row[0] for row in pachctl("list commit").rows]


def test_a_number_below_one_lists_every_commit(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    for name in "ab":
        pachctl(f"put file {repo}@master:{name}", stdin=name)
    assert [len(pachctl(f"list commit {repo}@master -n {number}").rows) for number in (-1, 0, 1)] == [3, 3, 2]


def test_squash_keeps_the_data_and_delete_does_not(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    for name in "abc":
        pachctl(f"put file {repo}@master:{name}", stdin=name)
    first, last = (
        pachctl(f"inspect commit {repo}@{at} --raw").documents[0]["commit"]["id"] for at in ("master^2", "master")
    )
    pachctl(f"squash commit {first}")
    pachctl(f"delete commit {last}")
    assert [row[1] for row in pachctl(f"list file {repo}@master").rows[1:]] == ["/a", "/b"]


def test_a_branch_is_made_on_a_commit_and_shows_its_head(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:a", stdin="1")
    pachctl(f"create branch {repo}@dev --head master")
    rows = pachctl(f"list branch {repo}").rows
    assert rows[0] == ["BRANCH", "HEAD", "TRIGGER", "CREATOR", "CREATED"]
    assert {row[0] for row in rows[1:]} == {"dev", "master"}
    assert len({row[1] for row in rows[1:]}) == 1
    pachctl(f"delete branch {repo}@dev")
    assert "--trigger" in pachctl.refused(f"create branch {repo}@x --trigger-commits 2")


def test_archives_are_unpacked_and_data_may_go_gzipped(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    with tarfile.open(pachctl.folder / "two.tar.gz", "w:gz") as archive:
        for name, content in {"d/a": b"a" * 5000, "b": b""}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    put = pachctl(f"put file {repo}@master -f two.tar.gz --untar --compress --parallelism 4 --progress=false")
    assert put.err == "notice: --parallelism has no effect: all files go in one stream\n"
    assert pachctl(f"list file {repo}@master").rows[1:] == [["0B", "/b"], ["4.883KiB", "/d/"]]
    assert pachctl(f"get file {repo}@master:/d/a").out == "a" * 5000
    pachctl.file("no.tar", "words")
    assert "no.tar: not a tar archive" in pachctl.refused(f"put file {repo}@master -f no.tar --untar")
    assert len(pachctl(f"list commit {repo}").rows) == 2


def test_the_commits_that_changed_a_file_are_found(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    for name in ("a", "b", "a"):
        pachctl(
            f"put file {repo}@master:{name}",
            stdin=name,
        )
    last, _, first = (row[2] for row in pachctl(f"list commit {repo}@master").rows[1:])
    lines = pachctl(f"find commit {repo}@master:/a --timeout 60s").out.split("\n")
    assert lines[:4] == ["FOUND IN COMMITS", first, "", "LAST SEARCHED COMMIT"]
    document = json.loads(pachctl(f"find commit {repo}@master:/b --json --limit 1").out)
    assert len(document["FoundCommits"]) == 1
    assert "no commits found." in pachctl(f"find commit {repo}@master:/none").out
    assert last not in lines


def test_a_subscription_prints_the_commits_and_waits_for_more(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:a", stdin="1")
    with pachctl.following(f"subscribe commit {repo}@master") as lines:
        assert lines.readline().split()[:3] == ["PROJECT", "REPO", "COMMIT"]
        first = lines.readline().split()[2]
        second = pachctl(f"start commit {repo}@master").out.strip()
        assert lines.readline().split()[2] == second != first
    assert pachctl.run(f"--rpc-timeout 1s subscribe commit {repo}@master").err == "Deadline Exceeded\n"
    assert "rpc-timeout ('soon')" in pachctl.refused("list repo --rpc-timeout=soon")
    assert "--new and --from" in pachctl.refused(f"subscribe commit {repo}@master --new --from {first}")


def test_every_repo_of_a_project_is_deleted_together(pachctl: Pachctl) -> None:
    pachctl("create project short")
    pachctl("create repo a --project short")
    pachctl("create repo b --project short")
    assert pachctl.refused("delete repo a --all --project short") == "cannot use the --all flag with an argument"
    pachctl("delete repo --all --project short")
    assert pachctl("list repo --project short").rows[1:] == []
    pachctl("delete project short")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that has ``/data/flowers.csv``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "flowers.csv").write_text("1,2\n")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_cluster_fetches_files_from_urls(pachctl: Pachctl, web: str) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master -f {web}/data/flowers.csv")
    pachctl.file("sources", f"{web}/data/flowers.csv\n")
    pachctl(f"put file {repo}@master:/copies/ -i sources --full-path")
    assert [row[1] for row in pachctl(f"list file {repo}@master").rows[1:]] == ["/copies/", "/flowers.csv"]
    assert pachctl(f"get file {repo}@master:/copies/data/flowers.csv").out == "1,2\n"
    assert "404" in pachctl.refused(f"put file {repo}@master -f {web}/none")
