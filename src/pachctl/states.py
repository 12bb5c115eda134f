"""The states of pipelines, jobs and datums: their words, colours, and how options name them."""

from __future__ import annotations

from pachyderm_sdk.api import pps

from pachctl.errors import PachctlError
from pachctl.output import GREEN, RED, YELLOW, colour

_COLOURS = {
    "running": YELLOW,
    "success": GREEN,
    "failure": RED,
    "failed": RED,
    "killed": RED,
    "unrunnable": RED,
    "crashing": RED,
}
_ENDED = ("JOB_FAILURE", "JOB_KILLED", "JOB_UNRUNNABLE")


def _word(name: str, prefix: str) -> str:
    word = name.removeprefix(prefix).lower()
    return "-" if word in ("state_unknown", "unknown", "created") else colour(word, _COLOURS.get(word, YELLOW))


def pipeline(state: pps.PipelineState) -> str:
    name = pps.PipelineState(state).name
    return colour("running", GREEN) if name == "PIPELINE_RUNNING" else _word(name, "PIPELINE_")


def job(state: pps.JobState) -> str:
    return _word(pps.JobState(state).name, "JOB_")


def datum(state: pps.DatumState) -> str:
    return _word(pps.DatumState(state).name, "")


def is_failed(state: pps.JobState) -> bool:
    """Whether a job has ended otherwise than in success."""
    return pps.JobState(state).name in _ENDED


def is_broken(state: pps.PipelineState) -> bool:
    return pps.PipelineState(state).name in ("PIPELINE_FAILURE", "PIPELINE_CRASHING", "PIPELINE_RESTARTING")


def parse_pipeline(text: str) -> pps.PipelineState:
    return _parse(text, pps.PipelineState, "PIPELINE_")


def parse_job(text: str) -> pps.JobState:
    return _parse(text, pps.JobState, "JOB_")


def _parse(text: str, kind: type[pps.JobState], prefix: str) -> pps.JobState:
    names = {member.name.removeprefix(prefix).lower(): member for member in kind if member.value}
    if text.lower() not in names:
        raise PachctlError(f"there is no state {text!r}; use one of: {', '.join(names)}")
    return names[text.lower()]


def parse_history(text: str) -> int:
    """``none`` is 0, ``all`` is -1, else a number of versions."""
    words = {"none": 0, "all": -1}
    try:
        return words[text] if text in words else int(text)
    except ValueError as error:
        raise PachctlError(f"error parsing history flag {text!r}: use none, all or a number") from error
