"""``create|update|edit|validate pipeline``: the commands that read pipeline specs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pachyderm_sdk.api import pps

from pachctl import client, describe, output, spec_check, specs, verbs
from pachctl.errors import PachctlError
from pachctl.options import Form, Project, Raw
from pachctl.options import PipelineName as Name

_FILE_HELP = "A JSON or YAML file or URL with one or more specs; - for stdin, as without it."
SpecFile = Annotated[str, typer.Option("--file", "-f", help=_FILE_HELP, show_default=False)]
Template = Annotated[
    str, typer.Option("--jsonnet", help="A Jsonnet template, file or URL, that the cluster renders.", show_default=False)
]
Arguments = Annotated[list[str] | None, typer.Option("--arg", help="PARAM=VALUE for --jsonnet; may be repeated.")]
PushImages = Annotated[
    bool, typer.Option("--push-images", "-p", help="Refused: push images with Docker, then name them in the spec.")
]
Reprocess = Annotated[bool, typer.Option("--reprocess", help="Also process datums again that were processed before.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the effective spec and change nothing.")]


@verbs.create.command("pipeline")
def create_pipeline(
    *,
    file: SpecFile = "",
    jsonnet: Template = "",
    arg: Arguments = None,
    push_images: PushImages = False,
    dry_run: DryRun = False,
    raw: Raw = False,
    form: Form = "",
    project: Project = None,
) -> None:
    """Create pipelines from a file."""
    _send(_read(file, jsonnet, arg, push_images), project, (raw, form), {"dry_run": dry_run})


@verbs.update.command("pipeline")
def update_pipeline(
    *,
    file: SpecFile = "",
    jsonnet: Template = "",
    arg: Arguments = None,
    push_images: PushImages = False,
    reprocess: Reprocess = False,
    dry_run: DryRun = False,
    raw: Raw = False,
    form: Form = "",
    project: Project = None,
) -> None:
    """Change pipelines, or create them if they do not exist."""
    how = {"dry_run": dry_run, "update": True, "reprocess": reprocess}
    _send(_read(file, jsonnet, arg, push_images), project, (raw, form), how)


def _read(file: str, template: str, arguments: list[str] | None, push_images: bool) -> list[specs.Spec]:
    """The specs that the flags of ``create`` and ``update`` name, brought up from 1.7."""
    if push_images:
        raise PachctlError("--push-images is not supported by this pachctl: docker push them, then name them in the spec")
    if file and template:
        raise PachctlError("cannot set both --file and --jsonnet; exactly one must be set")
    if arguments and not template:
        raise PachctlError("--arg needs --jsonnet: the template that takes the arguments")
    if not template:
        documents = specs.read(file or "-")
    else:
        pairs = dict(argument.partition("=")[::2] for argument in arguments or [])
        rendered = client.connect().pps.render_template(template=specs.read_text(template), args=pairs)
        documents = specs.parse(rendered.json, template)
    modern = []
    for spec in documents:
        new, changes = specs.modernize(spec)
        for change in changes:
            output.note(f"notice: {specs.name(spec) or file}: {change}; please change the spec")
        modern.append(new)
    return _checked(modern)


def _checked(documents: list[specs.Spec]) -> list[specs.Spec]:
    """The specs, if all can be sent; advice on their images goes to standard error."""
    for spec in documents:
        spec_check.check(spec)
        if advice := spec_check.warning(spec):
            output.note(advice)
    return documents


def _send(documents: list[specs.Spec], project: str | None, how_shown: tuple[bool, str], how: dict[str, bool]) -> None:
    raw, form = how_shown
    output.check_form(raw, form)
    for spec in documents:
        request = json.dumps(specs.with_project(spec, client.project(project)))
        with client.in_transaction() as cluster:
            answer = cluster.pps.create_pipeline_v2(create_pipeline_request_json=request, **how)
        if not how["dry_run"]:
            continue
        effective = json.loads(answer.effective_create_pipeline_request_json)
        if raw:
            output.raw_documents([effective], form)
        else:
            shown = output.document(pps.CreatePipelineRequest().from_dict(effective))
            output.fields([("Name", specs.name(effective)), *describe.spec_fields(shown)])


@verbs.validate.command("pipeline")
def validate_pipeline(file: SpecFile = "") -> None:
    """Check that a file holds pipeline specs, without asking the cluster."""
    _checked(specs.read(file or "-"))


@verbs.edit.command("pipeline")
def edit_pipeline(
    name: Name,
    reprocess: Reprocess = False,
    editor: Annotated[str, typer.Option(help="The editor [default: $EDITOR, or vim].", show_default=False)] = "",
    form: Form = "",
    project: Project = None,
) -> None:
    """Open a pipeline's spec in an editor, and update the pipeline with the spec that you save."""
    output.check_form(True, form)
    which = client.pipeline(name, project)
    before = json.loads(client.connect().pps.inspect_pipeline(pipeline=which, details=True).user_spec_json)
    after = _edited(name, before, editor, form)
    if after == before:
        return output.line("Pipeline unchanged, no update will be performed.")
    after = specs.with_project(after, which.project.name)
    named = after.get("pipeline") or {}
    if named.get("name", which.name) != which.name:
        raise PachctlError("may not change pipeline name")
    if (named.get("project") or {}).get("name") != which.project.name:
        raise PachctlError("may not change project name")
    with client.in_transaction() as cluster:
        request = json.dumps(after)
        cluster.pps.create_pipeline_v2(create_pipeline_request_json=request, update=True, reprocess=reprocess)
    return None


def _edited(name: str, before: specs.Spec, editor: str, form: str) -> specs.Spec:
    """The spec as the user left it in their editor."""
    program = shlex.split(editor or os.environ.get("EDITOR") or "vim")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"{name}.pipeline.{form or 'json'}"
        draft.write_text(yaml.safe_dump(before, sort_keys=False) if form == "yaml" else json.dumps(before, indent=2) + "\n")
        try:
            ended = subprocess.run([*program, str(draft)], check=False).returncode
        except OSError as error:
            raise PachctlError(f"cannot run the editor {program[0]}: {error.strerror}; name one with --editor") from error
        if ended:
            raise PachctlError(f"the editor {program[0]} ended with exit status {ended}; the pipeline is unchanged")
        documents = specs.read(str(draft))
    if len(documents) != 1:
        raise PachctlError(f"the draft holds {len(documents)} specs; keep the one of {name}")
    return documents[0]
