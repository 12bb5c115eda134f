"""The cluster as a whole: versions, tokens and roles, defaults, integrity, and deleting everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.pachctl.conftest import Pachctl

from minipdk.common.home import Home


def test_versions_are_compared_and_printed_raw(pachctl: Pachctl) -> None:
    own, server = pachctl("version --raw").documents
    assert own["major"] == server["major"] == 2
    assert pachctl("version --client-only").out.count(".") == 2
    assert pachctl.run("version --compare").code == int(own != server)
    assert json.loads(pachctl("inspect cluster --raw").out)["id"] + "\n" == pachctl("inspect cluster").out


def test_a_token_is_kept_forgotten_and_asked_for(pachctl: Pachctl) -> None:
    document = pachctl.config.read_text()
    try:
        assert pachctl.refused("auth use-auth-token", stdin="\n").startswith("no token was given")
        pachctl("auth logout")
        assert "session_token" not in json.loads(pachctl.config.read_text())["v2"]["contexts"]["test"]
        assert "pachctl auth use-auth-token" in pachctl.refused("list repo")
    finally:
        pachctl.config.write_text(document)
    assert "browser" in pachctl.refused("auth login")


def test_the_root_user_may_do_everything(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    roles, permissions = pachctl(f"auth check repo {repo}").out.splitlines()
    assert roles == "Roles: [clusterAdmin repoOwner]"
    assert "REPO_WRITE" in permissions
    bound = "allClusterUsers: [projectCreator]\ninternal:auth-server: [clusterAdmin]\npach:root: [clusterAdmin]\n"
    assert pachctl("auth get cluster").out == bound
    assert pachctl(f"auth get repo {repo}").out == "pach:root: [repoOwner]\n"
    with_permission = pachctl("auth roles-for-permission repo_read").out.split()
    assert with_permission == ["clusterAdmin", "projectOwner", "repoOwner", "repoReader", "repoWriter"]
    assert pachctl.refused("auth roles-for-permission fly") == 'unknown permission "fly"'
    assert pachctl.refused("auth revoke") == "one of --token or --user must be set"


def test_the_stored_data_are_checked(pachctl: Pachctl) -> None:
    assert pachctl("fsck").out == "No errors found.\n"
    assert "not found" in pachctl.refused("fsck --zombie nowhere@master")
    assert pachctl.refused("fsck --zombie-all --zombie a@b").startswith("either check all pipelines")


def test_metadata_is_added_changed_replaced_and_deleted(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:a", stdin="1")

    def kept(what: str) -> dict[str, str]:
        metadata: dict[str, str] = pachctl(f"inspect {what} --raw").documents[0].get("metadata", {})
        return metadata

    several = ["edit", "metadata", "repo", repo, "add", "owner=me", "commit", f"{repo}@master", "edit", "'a=b'=\"x\\ny\""]
    assert pachctl(several).err == "ok\n"
    assert kept(f"repo {repo}") == {"owner": "me"}
    assert kept(f"commit {repo}@master") == {"a=b": "x\ny"}
    pachctl(["edit", "metadata", "repo", repo, "replace", '{"k": "v"}', "branch", f"{repo}@master", "replace", "a=1;b='2'"])
    assert (kept(f"repo {repo}"), kept(f"branch {repo}@master")) == ({"k": "v"}, {"a": "1", "b": "2"})
    pachctl(f"edit metadata repo {repo} delete k")
    assert kept(f"repo {repo}") == {}
    assert pachctl.refused(f"edit metadata repo {repo} add").startswith("must supply arguments in multiples of 4")
    assert "unknown operation" in pachctl.refused(f"edit metadata repo {repo} burn k=v")
    assert "expected KEY=VALUE" in pachctl.refused(f"edit metadata repo {repo} add word")


def test_defaults_are_set_shown_and_deleted(pachctl: Pachctl) -> None:
    set_ = pachctl("create defaults --cluster --regenerate", stdin='{"createPipelineRequest": {"datumTries": 5}}')
    assert set_.out == "no affected pipelines\n"
    assert json.loads(pachctl("inspect default --cluster").out) == {"createPipelineRequest": {"datumTries": 5}}
    pachctl("update defaults --project default -f -", stdin="createPipelineRequest: {datumTries: 4}\n")
    assert json.loads(pachctl("inspect defaults --project default").out)["createPipelineRequest"]["datumTries"] == 4
    for whose in ("--cluster", "--project default"):
        pachctl(f"delete defaults {whose}")
        assert pachctl(f"inspect defaults {whose}").out == "{}\n"
    assert pachctl.refused("inspect defaults") == "must pass either --cluster or --project PROJECT"


@pytest.mark.parametrize("command", ["mount /pfs", "draw pipeline", "port-forward", "enterprise get-state"])
def test_commands_that_only_the_vendors_binary_has_are_refused_by_name(pachctl: Pachctl, command: str) -> None:
    name = command.removesuffix(" /pfs").removesuffix(" get-state")
    assert pachctl.refused(command) == f"pachctl {name} is not supported by this pachctl; Pachyderm's own binary has it"


def test_flags_of_the_vendors_binary_that_change_nothing_are_accepted(pachctl: Pachctl) -> None:
    repo = pachctl.repo()
    pachctl(f"put file {repo}@master:a", stdin="1")
    for command in (
        f"list file {repo}@master --full-timestamps",
        f"glob file {repo}@master:/* --full-timestamps",
        f"diff file {repo}@master --no-pager --full-timestamps",
        f"inspect branches {repo}@master --full-timestamps",
        "list jobs --no-pager",
        "list repo -v",
    ):
        pachctl(command)
    pipeline = {"pipeline": {"name": "x"}, "transform": {"image": "a:1"}, "input": {"pfs": {"repo": repo, "glob": "/"}}}
    pachctl("create pipeline --dry-run -r registry:5000 --username me", stdin=json.dumps(pipeline))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_and_installed(pachctl: Pachctl, shell: str) -> None:
    code = pachctl(f"completion {shell}").out
    assert "pachctl" in code
    place = pachctl.folder / "completions" / shell
    assert str(place) in pachctl(f"completion {shell} --install --path {place}").out
    assert place.read_text() == code


def test_a_shell_gets_the_words_that_may_follow(pachctl: Pachctl) -> None:
    asked = {"_PACHCTL_COMPLETE": "complete_bash", "COMP_WORDS": "pachctl list re", "COMP_CWORD": "2"}
    assert pachctl([], **asked).out.split() == ["repo"]


def test_deleting_everything_asks_first(pachctl: Pachctl, home: Home, run_service: Callable[..., Any]) -> None:
    run_service(home, "kubernetes", "kubernetes")  # pipelines' secrets are deleted, too
    repo = pachctl.repo()
    asked = pachctl("delete all", stdin="n\n")
    assert repo in asked.out.partition("Repos to delete: ")[2]
    assert asked.err == "Are you sure you want to do this? (y/N): "
    assert repo in pachctl("list repo").out
    pachctl("delete all", stdin="y\n")
    assert pachctl("list repo").rows[1:] == pachctl("list pipeline").rows[1:] == []
