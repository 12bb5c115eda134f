"""The 1.7 commands of the iris workshop, and their translations."""

from __future__ import annotations

import pytest
from tests.pachctl.conftest import Pachctl

from pachctl.legacy import translate


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("create-repo training", "create repo training"),
        ("list-repo", "list repo"),
        ("put-file training master iris.csv -c -o -f data/iris.csv", "put file training@master:iris.csv -f data/iris.csv"),
        ("put-file training master iris.csv -f a", "put file training@master:iris.csv -f a --append"),
        ("put-file training master -co -r -f data", "put file training@master -r -f data"),
        ("list-file training master", "list file training@master"),
        ("get-file inference master test1.csv -o out", "get file inference@master:test1.csv -o out"),
        ("update-pipeline -f infer.json", "update pipeline -f infer.json"),
        ("list-job", "list job --expand"),
        ("list-job -p train", "list job -p train"),
        ("inspect-job 0123", "list job 0123"),
        ("inspect-commit inference a907", "inspect commit inference@a907"),
        ("start-commit training master", "start commit training@master"),
        ("list-commit training", "list commit training"),
        ("get-logs --pipeline train", "logs --pipeline train"),
        ("subscribe-commit training master --new", "subscribe commit training@master --new"),
        ("flush-commit training/a907", "wait commit training@a907"),
        ("set-branch training a907 dev", "create branch training@dev --head a907"),
        ("delete-all", "delete all"),
    ],
)
def test_a_1_7_command_becomes_todays(old: str, new: str) -> None:
    assert translate(old.split()) == new.split()


@pytest.mark.parametrize("command", ["", "list repo", "list-nothing", "put file a@b:c -c"])
def test_todays_commands_are_left_alone(command: str) -> None:
    assert translate(command.split()) is None


def test_the_first_steps_of_the_workshop_run_as_written(pachctl: Pachctl) -> None:
    pachctl("create-repo training")
    pachctl.file("iris.csv", "1\n")
    put = pachctl("put-file training master iris.csv -f iris.csv")
    assert put.err == (
        "hint: put-file is the 1.7 form; today: pachctl put file training@master:iris.csv -f iris.csv --append\n"
    )
    pachctl("put-file training master iris.csv -c -o -f iris.csv")
    assert pachctl("get-file training master iris.csv").out == "1\n"
    pachctl("put-file training master iris.csv -f iris.csv")
    assert pachctl("get-file training master iris.csv").out == "1\n1\n"
    assert pachctl("list-file training master").rows == [["SIZE", "NAME"], ["4B", "/iris.csv"]]
