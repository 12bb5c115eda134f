"""Spec files: JSON or YAML, one or several, of today or of 1.7."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pachctl import specs


@pytest.mark.parametrize(
    "text",
    [
        '{"pipeline": {"name": "a"}} {"pipeline": {"name": "b"}}',
        '[{"pipeline": {"name": "a"}}, {"pipeline": {"name": "b"}}]',
        "pipeline: {name: a}\n---\npipeline: {name: b}\n",
        "{pipeline: {name: a}}\n---\n{pipeline: {name: b}}\n",
    ],
)
def test_a_file_may_contain_several_specs(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec").write_text(text)
    assert [specs.name(spec) for spec in specs.read(str(tmp_path / "spec"))] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "just words", '{"pipeline": ', "a: [", "- 1"])
def test_a_file_without_a_spec_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec").write_text(text)
    with pytest.raises(specs.SpecError, match="spec"):
        specs.read(str(tmp_path / "spec"))


def test_dates_stay_text(tmp_path: Path) -> None:
    (tmp_path / "spec").write_text("pipeline: {name: a}\ndescription: 2024-02-23\n")
    assert specs.read(str(tmp_path / "spec"))[0]["description"] == "2024-02-23"


def test_a_1_7_spec_is_converted_and_every_change_is_reported() -> None:
    old = {
        "input": {"cross": [{"atom": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "b", "glob": "/"}}]},
        "parallelism_spec": {"coefficient": 2},
        "job_timeout": "1h30m",
        "datum_timeout": "20s",
    }
    new, changes = specs.modernize(old)
    assert new == {
        "input": {"cross": [{"pfs": {"repo": "a", "glob": "/*"}}, {"pfs": {"repo": "b", "glob": "/"}}]},
        "job_timeout": "5400s",
        "datum_timeout": "20s",
    }
    assert len(changes) == 3


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(), lambda x: st.dictionaries(st.sampled_from(["pfs", "cross", "repo"]), x)
    )
)
def test_a_spec_of_today_is_left_alone(value: object) -> None:
    spec = {"pipeline": {"name": "a"}, "input": value, "parallelism_spec": {"constant": "1"}}
    assert specs.modernize(spec) == (spec, [])


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_go_durations_become_seconds(hours: int, minutes: int, seconds: int) -> None:
    assert specs.go_seconds(f"{hours}h{minutes}m{seconds}s") == f"{hours * 3600 + minutes * 60 + seconds}s"
