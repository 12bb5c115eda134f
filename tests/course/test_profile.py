"""Profiles: variables for the vendors' clients, and one-line errors for missing parts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course import ProfileError, load
from course.profile import REQUIRED

COMPLETE = dict.fromkeys(REQUIRED, "x")


@pytest.fixture
def course_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in REQUIRED:
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
