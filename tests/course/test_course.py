"""What the notebooks share: a profile that says what it lacks, checks that hint, waits that end, pictures that hold."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import wait_for as eventually

from course import CheckError, ProfileError, check, commands, draw, hints, jobs, load
from course.compare import changed_lines, side_by_side
from course.local_server import LocalServer
from course.profile import REQUIRED
from course.progress import WaitTimeoutError, wait_for

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
    import os

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


def test_a_check_ticks_or_hints(capsys: pytest.CaptureFixture[str]) -> None:
    check("the sky is up", True, "look up")
    assert capsys.readouterr().out == "✓ the sky is up\n"
    with pytest.raises(CheckError, match=r"Not yet: the sky is up\. Hint: look up"):
        check("the sky is up", False, "look up")


def test_a_cluster_that_does_not_answer_gets_a_hint() -> None:
    from pachyderm_sdk import Client

    with pytest.raises(ConnectionError) as caught:
        Client(host="127.0.0.1", port=1).get_version()
    assert "Pachyderm does not answer at PACHD_ADDRESS" in (hints.hint_for(caught.value) or "")


def test_a_determined_master_that_does_not_answer_gets_a_hint() -> None:
    from determined.common.api.errors import MasterNotFoundException
    from determined.experimental import Determined

    with pytest.raises(MasterNotFoundException) as caught:
        Determined(master="http://127.0.0.1:1", user="determined", password="x")
    assert "Determined does not answer at DET_MASTER" in (hints.hint_for(caught.value) or "")


def test_an_error_that_speaks_for_itself_gets_no_hint() -> None:
    assert hints.hint_for(KeyError("churn")) is None


def test_a_wait_ends_with_the_value_or_names_the_last_state() -> None:
    answers = iter([(False, "running", 0), (True, "done", 7)])
    assert wait_for("it", lambda: next(answers)) == 7
    with pytest.raises(WaitTimeoutError, match="it took over 0 s; its last state was: queued"):
        wait_for("it", lambda: (False, "queued", 0), seconds=0)


def test_a_node_of_the_dag_stands_right_of_its_inputs() -> None:
    figure = draw.dag(
        [("data", "repo"), ("train", "pipeline"), ("deploy", "pipeline")],
        [("data", "train"), ("train", "deploy"), ("data", "deploy")],
    )
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts if text.get_text()}
    assert x["data"] < x["train"] < x["deploy"]


def test_the_confusion_matrix_counts_truth_in_rows_and_prediction_in_columns() -> None:
    figure = draw.confusion([0, 0, 1, 1], [0, 1, 1, 1], ["stays", "leaves"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "0", "2"]


def test_two_files_are_shown_side_by_side_with_what_changed(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("name: a\ndata: <file>\n")
    (tmp_path / "new.yaml").write_text("name: a\ndata:\n  host:\n")
    html = side_by_side(tmp_path / "old.yaml", tmp_path / "new.yaml").data
    assert '<td class="removed">data: &lt;file&gt;</td><td class="added">data:</td>' in html
    assert changed_lines(tmp_path / "old.yaml", tmp_path / "new.yaml") == (1, 2)


def test_a_source_that_is_read_late_stands_beside_what_reads_it() -> None:
    figure = draw.dag(
        [("train", "pipeline"), ("inference", "pipeline"), ("training", "repo"), ("attributes", "repo")],
        [("training", "train"), ("train", "inference"), ("attributes", "inference")],
    )
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts if text.get_text()}
    assert x["training"] < x["attributes"] == x["train"] < x["inference"]


def test_a_job_is_drawn_with_its_datums_as_pachctl_counts_them() -> None:
    axes = draw.jobs([("train", 1, 0, 0), ("inference", 1, 1, 1)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["train", "inference"]
    assert [text.get_text() for text in axes.texts] == ["1 + 0 / 1", "1 + 1 / 3"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["processed", "skipped", "failed"]


def run(worker: str, datum: str, start: int, end: int) -> jobs.DatumRun:
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    return jobs.DatumRun(worker, datum, zero + timedelta(seconds=start), zero + timedelta(seconds=end))


def test_workers_are_busy_at_once_where_their_times_overlap() -> None:
    apart = [run("a", "/1", 0, 2), run("b", "/2", 3, 5)]
    assert jobs.at_once(apart) == 1
    assert jobs.at_once([*apart, run("c", "/3", 1, 4)]) == 2
    assert jobs.at_once([run("a", "/1", 0, 2), run("a", "/2", 1, 3)]) == 1
    assert jobs.at_once([]) == 0


def test_a_timeline_begins_with_the_first_start_and_numbers_the_workers() -> None:
    bars = jobs.timeline([run("w-b", "/1.csv", 5, 7), run("w-a", "/2.csv", 6, 9)])
    assert bars == [("worker 2", "1.csv", 0.0, 2.0), ("worker 1", "2.csv", 1.0, 4.0)]
    assert [label.get_text() for label in draw.workers(bars).axes[0].get_yticklabels()] == ["worker 1", "worker 2"]


def test_what_has_not_happened_yet_is_drawn_empty() -> None:
    figures = [draw.jobs([]), draw.workers([]), draw.dag([], [])]
    assert [len(figure.axes[0].patches) for figure in figures] == [0, 0, 0]


def test_regions_ring_the_points_that_are_named_wrongly() -> None:
    rows, labels = [[0.0, 9.0, 1.0], [1.0, 9.0, 0.0], [3.0, 9.0, 3.0]], [0, 0, 0]

    def by_the_first(points: list[list[float]]) -> list[int]:
        assert {point[1] for point in points} == {9.0}  # the column that is not drawn stays at its mean
        return [int(point[0] > 2) for point in points]

    axes = draw.regions(by_the_first, rows, labels, columns={"a": 0, "c": 2}, classes=["x", "y"]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "c")
    [ringed] = [points for points in axes.collections if points.get_label() == "wrong"]
    assert ringed.get_offsets().tolist() == [[3.0, 3.0]]


def test_shares_stand_beside_what_was_asked_for() -> None:
    axes = draw.shares({"0001": 150, "0002": 50}, wanted={"0001": 80, "0002": 20}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [75.0, 25.0]
    assert [line.get_xdata()[0] for line in axes.lines] == [80, 20]


def test_a_local_server_that_ends_says_so_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "run").write_text('#!/bin/sh\necho "no $WHAT at $HTTP_PORT $1"; exit 3\n')
    (tmp_path / "run").chmod(0o755)
    server = LocalServer("./run --now", tmp_path, WHAT="model")
    assert (server.ready, server.models, server.log) == (False, [], [f"no model at {server.port} --now"])
    server.stop()
    assert server.log == [f"no model at {server.port} --now"]


LISTENS = """
import http.server, os, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Answers).serve_forever()
"""


def test_a_local_server_that_is_started_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(LISTENS)
    first, second = (LocalServer(f"{sys.executable} serve.py", tmp_path) for _ in range(2))
    assert (first.ended, second.ready) == (True, True)
    first.stop()
    third = LocalServer(f"{sys.executable} serve.py", tmp_path)
    assert (second.ended, third.ready) == (True, True)
    third.stop()


def test_a_local_server_that_never_answers_is_left_after_a_while(tmp_path: Path) -> None:
    server = LocalServer("sleep 600", tmp_path, seconds=0.1)
    assert (server.ready, server.ended) == (False, False)
    server.stop()
    assert server.ended


def test_a_command_tells_what_it_does_and_how_it_has_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = commands.run(["sh", "-c", "echo step 1; sleep 0.5; echo step 2; echo why >&2; exit 3"], tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (3, "step 1\nstep 2\n", "why\n")
    assert "sh: step 1 (0 s)" in capsys.readouterr().err


def test_a_command_that_takes_too_long_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    with pytest.raises(WaitTimeoutError, match=r"sh took over 0\.5 s"):
        commands.run(["sh", "-c", "sleep 600 & echo $! > child; wait"], tmp_path, seconds=0.5)
    child = int((tmp_path / "child").read_text())
    eventually(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])
