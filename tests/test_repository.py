"""What holds for the repository as a whole: one set of pins, one way of imports, documentation that tells the truth."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
UNAWARE = ("containers", "labs", "solutions", "sample-data", "pipelines")


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_packages(source: str) -> set[str]:
    """The top-level packages that a module imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def pinned(file: str) -> dict[str, str]:
    """The pins of a requirements file: name -> version."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s#]+)", (ROOT / file).read_text(), re.M))


def _is_shell(cell: dict[str, Any]) -> bool:
    return bool(cell["source"]) and cell["source"][0].startswith("%%")


def code_cells(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code" and not _is_shell(cell))
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))


def test_imports_run_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", python_files(*UNAWARE), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_on_a_real_cluster_knows_nothing_of_minipdk(path: Path) -> None:
    checks = (path.parent / "check.py").exists()  # a lab's checks are part of the course
    unknown = {"minipdk"} if checks else {"minipdk", "course"}
    assert not imported_packages(path.read_text()) & unknown


@pytest.mark.parametrize(
    "path", [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")], ids=lambda path: path.name
)
def test_notebooks_know_nothing_of_minipdk(path: Path) -> None:
    assert "minipdk" not in imported_packages(code_cells(path))


def test_conda_and_pip_install_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert python == "python=3.11"
    assert (pip, packages) == ("pip", {"pip": ["-c constraints.txt", "-r requirements.txt"]})
    assert "-c constraints.txt -r requirements.txt" in (ROOT / "Makefile").read_text()
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}


def test_every_requirement_is_pinned() -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert [line for line in lines if line and not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []


def test_the_environment_holds_what_is_pinned() -> None:
    from importlib.metadata import version

    pins = pinned("requirements.txt")
    assert {name: version(name).split("+")[0] for name in pins} == pins


def test_every_package_accepts_every_python_3_11() -> None:
    """Debian 12's Python is 3.11.2; a package that wants a later patch cannot be installed there."""
    from importlib.metadata import distribution

    from packaging.specifiers import SpecifierSet

    wanted = {name: distribution(name).metadata["Requires-Python"] or "" for name in pinned("constraints.txt")}
    assert {name: python for name, python in wanted.items() if "3.11.0" not in SpecifierSet(python)} == {}


def test_the_constraints_agree_with_the_requirements() -> None:
    constraints = {name.lower(): version for name, version in pinned("constraints.txt").items()}
    assert {name: constraints[name.lower()] for name in pinned("requirements.txt")} == pinned("requirements.txt")


def test_the_readme_names_every_make_target_and_command() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)) - {"help"}
    commands = subprocess.run([Path(sys.executable).with_name("minipdk"), "--help"], capture_output=True, text=True).stdout
    verbs = re.findall(r"│ ([a-z]+) ", commands)
    assert targets
    assert verbs
    assert [name for name in targets if f"make {name}" not in readme] == []
    assert [name for name in verbs if f"minipdk {name}" not in readme] == []


def test_every_field_that_is_only_echoed_is_documented() -> None:
    from minipdk.services.determined.config import ECHOED as EXPERIMENT_FIELDS
    from minipdk.services.kserve.fields import ECHOED as PREDICTOR_FIELDS
    from minipdk.services.kserve.fields import RUNTIME_ECHOED as RUNTIME_FIELDS
    from minipdk.services.node.starting import ECHOED as POD_FIELDS
    from minipdk.services.pachyderm.pps.validation import ACCEPTED_AND_ECHOED as PIPELINE_FIELDS

    document = (ROOT / "docs" / "minipdk.md").read_text()
    fields = [*PIPELINE_FIELDS, *EXPERIMENT_FIELDS, *PREDICTOR_FIELDS, *RUNTIME_FIELDS, *POD_FIELDS]
    assert [field for field in fields if f"`{field}`" not in document] == []


def test_every_pipeline_field_that_is_refused_is_documented() -> None:
    from minipdk.services.pachyderm.pps.validation import REFUSED

    document = (ROOT / "docs" / "minipdk.md").read_text()
    assert [field for field in REFUSED if f"`{field}`" not in document] == []


def test_every_field_of_a_pod_that_is_refused_is_documented() -> None:
    from minipdk.services.node import starting

    document = (ROOT / "docs" / "minipdk.md").read_text()
    refused = (value for name, value in vars(starting).items() if name.startswith("REFUSED_"))
    fields = [field for fields in refused for field in fields]
    assert fields
    assert [field for field in fields if f"`{field}`" not in document] == []


def test_every_subresource_of_kubernetes_that_is_refused_is_documented() -> None:
    from minipdk.services.kubernetes.kinds.table import UNSUPPORTED_SUBRESOURCES

    document = (ROOT / "docs" / "minipdk.md").read_text()
    refused = {part for parts in UNSUPPORTED_SUBRESOURCES.values() for part in parts}
    assert [part for part in refused if f"`{part}`" not in document] == []


def test_every_kind_that_is_decoded_from_protobuf_is_documented() -> None:
    from minipdk.services.kubernetes.api.protobuf import kinds

    document = (ROOT / "docs" / "minipdk.md").read_text()
    assert [kind for kind in kinds() if f"`{kind}`" not in document] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^make test$", (ROOT / ".ci/run").read_text(), re.M)
