"""Pipeline specs from files: JSON or YAML, several in one file, also in the form of Pachyderm 1.7.

The cluster checks a spec, with its own words; here it is only read, given a project, and brought up from 1.7:
``atom`` inputs become ``pfs``, ``parallelism_spec.coefficient`` goes, and timeouts such as ``5m`` become seconds.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from pachctl.errors import PachctlError

Spec = dict[str, Any]
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|ns|s)")
_TIMEOUTS = ("datum_timeout", "job_timeout", "datumTimeout", "jobTimeout")


class SpecError(PachctlError):
    """A file that holds no spec that could be sent."""


class _Loader(yaml.SafeLoader):
    """Leaves dates as text: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_text(source: str) -> str:
    """The text of a local file, an http(s) URL, or standard input (``-``)."""
    try:
        if source == "-":
            return sys.stdin.read()
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=30) as answer:  # noqa: S310 - the scheme is one of these two
                return str(answer.read().decode())
        return Path(source).read_text()
    except urllib.error.URLError as error:
        raise SpecError(f"could not retrieve {source}: {error.reason}") from error
    except OSError as error:
        raise SpecError(f"could not open {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{source} is not a text file: {error.reason} at byte {error.start}") from error


def read(source: str) -> list[Spec]:
    """Every spec in ``source``, in order."""
    return parse(read_text(source), source)


def parse(text: str, source: str) -> list[Spec]:
    """Every spec in ``text``, which came from ``source``."""
    documents = _json_documents(text, source) if text.lstrip().startswith(("{", "[")) else _yaml_documents(text, source)
    specs = [spec for document in documents for spec in (document if isinstance(document, list) else [document])]
    if not specs:
        raise SpecError(f"{source} holds no spec")
    for spec in specs:
        if not isinstance(spec, dict):
            raise SpecError(f"{source}: a spec is an object with fields, not {json.dumps(spec)[:40]}")
    return specs


def _json_documents(text: str, source: str) -> list[Any]:
    decoder, documents, at = json.JSONDecoder(), [], 0
    while rest := text[at:].lstrip():
        at = len(text) - len(rest)
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError as error:
            try:  # YAML may begin with a brace, too
                return _yaml_documents(text, source)
            except SpecError:
                raise SpecError(f"malformed spec in {source}: {error}") from error
        documents.append(document)
    return documents


def _yaml_documents(text: str, source: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise SpecError(f"malformed spec in {source}: {' '.join(str(error).split())}") from error


def with_project(spec: Spec, project: str) -> Spec:
    """The spec with a project, if it names none."""
    pipeline = spec.get("pipeline")
    if not isinstance(pipeline, dict) or pipeline.get("project"):
        return spec
    return {**spec, "pipeline": {**pipeline, "project": {"name": project}}}


def name(spec: Spec) -> str:
    pipeline = spec.get("pipeline")
    return str(pipeline.get("name", "")) if isinstance(pipeline, dict) else ""


def modernize(spec: Spec) -> tuple[Spec, list[str]]:
    """A spec of Pachyderm 1.7 in today's form, and a list of the changes; today's specs come back unchanged."""
    changed: list[str] = []
    new = dict(spec)
    for field in _TIMEOUTS:
        if isinstance(value := new.get(field), str) and (seconds := go_seconds(value)) is not None:
            new[field] = seconds
            changed.append(f'{field} "{value}" is now "{seconds}"')
    for field in ("parallelism_spec", "parallelismSpec"):
        if isinstance(value := new.get(field), dict) and "coefficient" in value:
            new[field] = {key: part for key, part in value.items() if key != "coefficient"}
            if not new[field]:
                del new[field]
            changed.append("parallelism_spec.coefficient is no more: the pipeline has one worker unless it sets constant")
    if "input" in new:
        new["input"] = _modern_input(new["input"], changed)
    return new, list(dict.fromkeys(changed))


def _modern_input(source: Any, changed: list[str]) -> Any:
    if isinstance(source, list):
        return [_modern_input(part, changed) for part in source]
    if not isinstance(source, dict):
        return source
    new = {}
    for field, value in source.items():
        if field == "atom" and "pfs" not in source:
            changed.append('the input "atom" is now "pfs"')
            new["pfs"] = value
        else:
            new[field] = _modern_input(value, changed) if field in ("cross", "union", "join", "group") else value
    return new


def go_seconds(text: str) -> str | None:
    """``5m`` or ``1h30m`` as protobuf's ``300s``; None for a duration in protobuf's form, or no duration."""
    parts = _GO_DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or [unit for _, unit in parts] == ["s"]:
        return None
    return f"{sum(float(number) * _SECONDS[unit] for number, unit in parts):.9f}".rstrip("0").rstrip(".") + "s"


def seconds(text: str, what: str) -> float:
    """A duration of Go's, such as ``90s`` or ``1h30m``, in seconds; ``what`` names it in the error."""
    try:
        return float((go_seconds(text) or text).removesuffix("s"))
    except ValueError as error:
        raise SpecError(f"error parsing {what} ({text!r}): write a duration such as 90s, 5m or 24h") from error
