"""The documentation agrees with the code: commands, folders, fields that are refused or only echoed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.repository.language import GIT

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
PAGES = [*sorted(DOCS.glob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]


def not_on(page: str, names: Iterable[str]) -> list[str]:
    """The names that docs/``page``.md does not have in backticks."""
    names = list(names)
    assert names
    document = (DOCS / f"{page}.md").read_text()
    return [name for name in names if f"`{name}`" not in document]


def commands(program: str) -> list[str]:
    help_text = subprocess.run([Path(sys.executable).with_name(program), "--help"], capture_output=True, text=True).stdout
    verbs = re.findall(r"│ ([a-z]+) ", help_text)
    assert verbs
    return verbs


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.M)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tracked_folders() -> set[str]:
    """The folders of the repository and of src/minipdk that git tracks, two levels deep each."""
    listed = subprocess.run([*GIT, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {parent.as_posix() for line in listed.splitlines() for parent in Path(line).parents} - {"."}
    return {folder for folder in folders if folder.count("/") < (4 if folder.startswith("src/minipdk/") else 2)}


def test_every_make_target_is_documented() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)) - {"help"}
    assert targets
    document = (DOCS / "commands.md").read_text()
    assert [target for target in targets if not re.search(rf"`make {target}\b", document)] == []


@pytest.mark.parametrize("program", ["minipdk"])
def test_every_command_is_documented(program: str) -> None:
    document = (DOCS / "commands.md").read_text()
    assert [verb for verb in commands(program) if f"`{program} {verb}" not in document] == []


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    prose = re.sub(r"```.*?```|^\|.*$|\]\([^)]*\)", " ", readme, flags=re.S | re.M)
    assert len(prose.split()) <= 550
    assert "make course" in readme
    assert "make lab" in readme


def test_the_architecture_names_every_folder() -> None:
    """By its path, or by its name below the folder whose section it is in."""
    document = (DOCS / "architecture.md").read_text()
    assert [folder for folder in sorted(tracked_folders()) if f"`{folder}/`" not in document] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        if not target.startswith("http"):
            linked = (page.parent / target) if target else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), f"{target}{anchor}"


def test_the_table_of_contents_has_every_page() -> None:
    contents = (DOCS / "README.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"]({page.name})" not in contents] == []


def test_the_version_is_the_changelogs_newest() -> None:
    import minipdk

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## ([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest
    assert newest[1] == project["version"] == minipdk.__version__


def test_the_development_container_sets_the_course_up() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
    assert container["postStartCommand"] == "make setup"
    assert "python:3.11" in container["image"]


def test_the_licence_is_apaches() -> None:
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_every_field_that_is_only_echoed_is_documented() -> None:
    from minipdk.services.determined.config.settings import ECHOED as EXPERIMENT_FIELDS
    from minipdk.services.kserve.predictor import ECHOED as PREDICTOR_FIELDS
    from minipdk.services.kserve.predictor import RUNTIME_ECHOED as RUNTIME_FIELDS
    from minipdk.services.node.specification import ECHOED as POD_FIELDS
    from minipdk.services.pachyderm.pps.spec.validation import ACCEPTED_AND_ECHOED as PIPELINE_FIELDS

    assert not_on("pachyderm", PIPELINE_FIELDS) == []
    assert not_on("determined", EXPERIMENT_FIELDS) == []
    assert not_on("kserve", [*PREDICTOR_FIELDS, *RUNTIME_FIELDS]) == []
    assert not_on("node", POD_FIELDS) == []


def test_every_pipeline_field_that_is_refused_is_documented() -> None:
    from minipdk.services.pachyderm.pps.spec.validation import REFUSED

    assert not_on("pachyderm", REFUSED) == []


def test_every_field_of_a_pod_that_is_refused_is_documented() -> None:
    from minipdk.services.node import specification

    refused = (value for name, value in vars(specification).items() if name.startswith("REFUSED_"))
    assert not_on("node", [field for fields in refused for field in fields]) == []


def test_every_subresource_of_kubernetes_that_is_refused_is_documented() -> None:
    from minipdk.services.kubernetes.kinds.table import UNSUPPORTED_SUBRESOURCES

    assert not_on("kubernetes", {part for parts in UNSUPPORTED_SUBRESOURCES.values() for part in parts}) == []


def test_every_kind_that_is_decoded_from_protobuf_is_documented() -> None:
    from minipdk.services.kubernetes.api.protobuf import kinds

    assert not_on("kubernetes", kinds()) == []


def test_ci_runs_the_commands_of_the_documentation() -> None:
    script = (ROOT / ".ci/run").read_text()
    document = (DOCS / "commands.md").read_text()
    for command in ("make check", "make test"):
        assert re.search(rf"^{command}\b", script, re.M)
        assert f"`{command}`" in document
