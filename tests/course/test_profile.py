"""Profiles: variables for the vendors' clients, and one-line errors for missing parts."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from course import ProfileError, load
from course.catch_up import catch_up
from course.profile import CLUSTER_ID, REQUIRED

PROXY = ("NO_PROXY", "no_proxy", "no_grpc_proxy")
COMPLETE = dict.fromkeys(REQUIRED, "x")


@pytest.fixture
def course_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*REQUIRED, *PROXY, CLUSTER_ID):
        monkeypatch.setenv(name, "")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "cluster.env.example").touch()
    for name in ("PACH_CONFIG", "KUBECONFIG"):
        (tmp_path / name).touch()
    return tmp_path


def write_profile(root: Path, name: str, **changes: str | None) -> None:
    variables = COMPLETE | {"PACH_CONFIG": str(root / "PACH_CONFIG"), "KUBECONFIG": str(root / "KUBECONFIG")} | changes
    lines = [f"{key}={value}" for key, value in variables.items() if value is not None]
    (root / "profiles" / f"{name}.env").write_text("\n".join(lines))


def test_a_profile_puts_its_variables_where_the_clients_look(course_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profile(course_root, "embedded", PACHD_ADDRESS="grpc://127.0.0.1:30650")
    profile = load("embedded", course_root)
    assert os.environ["PACHD_ADDRESS"] == profile["PACHD_ADDRESS"] == "grpc://127.0.0.1:30650"
    assert profile.s3_endpoint == "http://127.0.0.1:30600"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("embedded", "run `make setup`"), ("cluster", "copy profiles/cluster.env.example"), ("k8s", "choose one of")],
)
def test_a_missing_profile_says_how_to_get_it(course_root: Path, name: str, hint: str) -> None:
    with pytest.raises(ProfileError, match=hint):
        load(name, course_root)


def test_a_profile_without_a_variable_names_it(course_root: Path) -> None:
    write_profile(course_root, "cluster", DET_MASTER=None, INGRESS_PORT="")
    with pytest.raises(ProfileError, match="does not set DET_MASTER, INGRESS_PORT"):
        load("cluster", course_root)


def test_a_profile_that_names_a_missing_file_says_which(course_root: Path) -> None:
    write_profile(course_root, "cluster", KUBECONFIG="/nowhere/config")
    with pytest.raises(ProfileError, match=r"KUBECONFIG in .* names /nowhere/config, which is not there"):
        load("cluster", course_root)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_profile_is_read_as_editors_save_it(course_root: Path, encoding: str, newline: str) -> None:
    write_profile(course_root, "cluster", COURSE_GIT_URL="https://git.example/é")
    path = course_root / "profiles" / "cluster.env"
    text = path.read_text().replace("\n", newline)
    mark = codecs.BOM_UTF16_BE if encoding.endswith("be-sig") else b""
    path.write_bytes(mark + text.encode(encoding.replace("-be-sig", "-be")))
    assert load("cluster", course_root)["PACHD_ADDRESS"] == "x"
    assert load("cluster", course_root)["COURSE_GIT_URL"] == "https://git.example/é"


@pytest.mark.parametrize("data", [b"DET_PASS=\xfc\n", "DET_PASS=x".encode("utf-16-le"), b"\xff\xfe\0", bytes(range(256))])
def test_a_profile_that_is_no_text_says_how_to_save_it(course_root: Path, data: bytes) -> None:
    (course_root / "profiles" / "cluster.env").write_bytes(data)
    with pytest.raises(ProfileError, match=r"cluster\.env is not text in UTF-8: save it with this encoding"):
        load("cluster", course_root)


def test_a_profile_that_cannot_be_read_says_why(course_root: Path) -> None:
    (course_root / "profiles" / "cluster.env").mkdir()
    with pytest.raises(ProfileError, match=r"cluster\.env cannot be read: is a directory"):
        load("cluster", course_root)


@pytest.mark.parametrize(
    ("address", "environment", "exempt"),
    [
        ("grpc://127.0.0.1:30650", {}, "127.0.0.1,localhost"),
        ("grpc://localhost:30650", {"no_proxy": "corp.example"}, "corp.example,127.0.0.1,localhost"),
        ("grpc://127.0.0.1:30650", {"NO_PROXY": "corp.example, localhost"}, "corp.example,localhost,127.0.0.1"),
        ("grpc://pachd.example:30650", {"no_proxy": "corp.example"}, "corp.example"),
    ],
)
def test_a_cluster_on_this_machine_is_reached_without_a_proxy(
    course_root: Path, monkeypatch: pytest.MonkeyPatch, address: str, environment: dict[str, str], exempt: str
) -> None:
    monkeypatch.delenv("no_grpc_proxy")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    write_profile(course_root, "cluster", PACHD_ADDRESS=address)
    load("cluster", course_root)
    assert {name: os.environ.get(name) for name in PROXY} == {"NO_PROXY": exempt, "no_proxy": exempt, "no_grpc_proxy": None}


def test_the_profile_and_the_environment_both_exempt_hosts_from_proxies(
    course_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_grpc_proxy", "grpc.example")
    monkeypatch.setenv("no_proxy", "corp.example")
    write_profile(course_root, "cluster", no_proxy="pachd.example,corp.example")
    load("cluster", course_root)
    assert [os.environ[name] for name in PROXY] == [*["corp.example,pachd.example"] * 2, "grpc.example"]


@pytest.fixture
def in_course(course_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (course_root / "PACH_CONFIG").write_text('{"v2": {"active_context": "a", "contexts": {"a": {}}}}')
    monkeypatch.chdir(course_root)
    return course_root


def test_notebooks_stop_when_another_cluster_answers(in_course: Path, pachd_of: Callable[[str], str]) -> None:
    address = pachd_of("stranger")
    write_profile(in_course, "embedded", PACHD_ADDRESS=address, PACHD_CLUSTER_ID="mine")
    with pytest.raises(ProfileError, match=f"another cluster answers at PACHD_ADDRESS, {address}: .* Run `make setup`"):
        catch_up("embedded", before=1)
    write_profile(in_course, "cluster", PACHD_ADDRESS=address, PACHD_CLUSTER_ID="mine")
    with pytest.raises(
        ProfileError, match=r"its id is stranger and the profile's PACHD_CLUSTER_ID is mine\. Correct the profile"
    ):
        catch_up("cluster", before=1)


@pytest.mark.parametrize("expected", ["mine", "", None])
def test_notebooks_go_on_with_the_cluster_of_the_profile_or_without_an_id(
    in_course: Path, pachd_of: Callable[[str], str], expected: str | None
) -> None:
    write_profile(in_course, "cluster", PACHD_ADDRESS=pachd_of("mine"), PACHD_CLUSTER_ID=expected)
    assert catch_up("cluster", before=1).name == "cluster"


def test_a_cluster_that_does_not_answer_is_named_with_the_remedy(in_course: Path) -> None:
    write_profile(in_course, "embedded", PACHD_ADDRESS="grpc://127.0.0.1:1", PACHD_CLUSTER_ID="mine")
    with pytest.raises(
        ProfileError, match=r"does not answer at PACHD_ADDRESS, grpc://127\.0\.0\.1:1: .* `minipdk start` starts it"
    ):
        catch_up("embedded", before=1)
