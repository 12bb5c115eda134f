"""The cluster's folder: private, stable, and clear about its faults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import new_home

from minipdk.cluster.home import Settings, create, default_path
from minipdk.common.home import HomeError, load


def test_a_new_home_and_its_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = create(tmp_path / "home")
    assert home.path.stat().st_mode & 0o077 == 0
    assert (home.path / "cluster.json").stat().st_mode & 0o077 == 0
    assert home.folder("logs").stat().st_mode & 0o077 == 0


def test_a_home_keeps_its_identity_when_it_is_opened_again(tmp_path: Path) -> None:
    first = create(tmp_path / "home")
    assert create(tmp_path / "home").identity == first.identity == load(tmp_path / "home").identity


def test_two_homes_have_tokens_of_their_own(tmp_path: Path) -> None:
    assert create(tmp_path / "first").token != create(tmp_path / "second").token


def test_homes_that_are_made_at_once_at_one_place_are_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as makers:
        made = list(makers.map(create, [tmp_path / "home"] * 8))
    assert len({home.token for home in made}) == 1
    assert load(tmp_path / "home") == made[0]


def test_settings_can_be_changed_later_and_are_kept(tmp_path: Path) -> None:
    create(tmp_path / "home", Settings(course_git_url="file:///clone", profile=tmp_path / "profiles" / "embedded.env"))
    identity = create(tmp_path / "home", Settings(resource_pools=("default", "gpu-pool"), auth=False)).identity
    assert (identity.resource_pools, identity.auth) == (["default", "gpu-pool"], False)
    assert (identity.course_git_url, identity.profile) == ("file:///clone", "../profiles/embedded.env")


def test_a_missing_home_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"no cluster at .*nowhere: create one with `minipdk start --home"):
        load(tmp_path / "nowhere")


def test_a_folder_that_holds_something_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(HomeError, match="not empty and not a minipdk home"):
        create(tmp_path)


def test_a_place_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(HomeError, match=r"thesis\.tex cannot be a cluster's folder \(file exists\): choose another"):
        create(tmp_path / "thesis.tex")


def test_a_damaged_home_says_so(tmp_path: Path) -> None:
    home = new_home(tmp_path / "home")
    (home.path / "cluster.json").write_text("{")
    with pytest.raises(HomeError, match=r"cluster\.json is damaged"):
        load(home.path)


def test_the_nearest_cluster_above_the_current_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_home(tmp_path / ".minipdk")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv("MINIPDK_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert default_path() == tmp_path / ".minipdk"
    monkeypatch.setenv("MINIPDK_HOME", "/elsewhere")
    assert default_path() == Path("/elsewhere")
