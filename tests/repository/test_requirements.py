"""One set of pins: requirements.txt, the locks, pyproject.toml, environment.yml and the environment that runs this."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DIRECT = ("requirements.txt", "requirements/test.txt")
LOCKS = ("course", "test", "cpu", "gpu")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;#]+)", re.M)


def pins(file: str) -> dict[str, str]:
    """The pins of a requirements file or lock: canonical name -> version."""
    return {canonicalize_name(name): pin for name, pin in PIN.findall((ROOT / file).read_text())}


def lock(name: str) -> dict[str, str]:
    return pins(f"requirements/{name}.lock")


def load(name: str) -> ModuleType:
    """A script of requirements/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"requirements_{name}", ROOT / "requirements" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", DIRECT)
def test_every_requirement_is_pinned(file: str) -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    assert [line for line in lines if line and not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []


def test_the_course_requires_no_test_or_lint_tool() -> None:
    tools = {"hypothesis", "import-linter", "mypy", "pytest", "pytest-timeout", "pytest-xdist", "ruff", "uv"}
    assert set(pins("requirements.txt")) & tools == set()
    assert set(lock("course")) & tools == {"pytest"}  # nbval needs it
    assert "pytest" in {Requirement(line).name for line in distribution("nbval").requires or ()}
    assert [name for name in (*pins("requirements.txt"), *lock("course")) if name.startswith("types-")] == []


def test_pyproject_reads_the_same_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["dependencies", "optional-dependencies"]
    assert project["tool"]["setuptools"]["dynamic"] == {
        "dependencies": {"file": ["requirements.txt"]},
        "optional-dependencies": {"test": {"file": ["requirements/test.txt"]}},
    }


def test_conda_installs_the_locks() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    options = ["--require-hashes", "-r requirements/course.lock", "-r requirements/gpu.lock"]
    assert environment["dependencies"] == ["python=3.11", "pip", {"pip": options}]


def test_make_installs_the_locks() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in (
        r"\.installed: .*\bcourse\.lock .*\n(?:\t.*\n)*\t@\$\(BIN\)/python requirements/install\.py\n",
        r"\.tools: .*test\.lock\n",
    ):
        assert re.search(target, makefile)


def test_the_locks_agree_with_the_requirements() -> None:
    course, test = lock("course"), lock("course") | lock("test")
    assert {name: course.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")
    assert {name: test.get(name) for name in pins("requirements/test.txt")} == pins("requirements/test.txt")
    assert lock("cpu") == {"torch": course["torch"] + "+cpu"}


def test_no_package_is_in_two_locks() -> None:
    names = [name for file in ("course", "test", "gpu") for name in lock(file)]
    assert len(names) == len(set(names))


def test_the_locks_are_complete() -> None:
    """Every requirement of an installed package is in a lock, so that pip may install the locks with --no-deps."""
    locked = lock("course") | lock("test") | lock("gpu")
    required = {
        canonicalize_name(requirement.name)
        for name in lock("course") | lock("test")
        for requirement in map(Requirement, distribution(name).requires or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert required - set(locked) == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_names_no_index_or_file(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    entry = re.compile(r"[a-z0-9.-]+==[A-Za-z0-9.+]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not entry.fullmatch(line)] == []
    assert len(re.findall(r"== *\S+ \\\n    --hash=", text)) == len(lock(name))


def test_both_builds_of_torch_are_accepted() -> None:
    course = (ROOT / "requirements" / "course.lock").read_text()
    (cpu_build,) = re.findall(r"--hash=\S+", (ROOT / "requirements" / "cpu.lock").read_text())
    torch = re.search(r"^torch==(?:.*\\\n)+.*", course, re.M)
    assert torch
    assert cpu_build in torch[0]
    assert torch[0].count("--hash=") > 1


def test_the_gpu_libraries_are_only_in_their_lock() -> None:
    gpu = re.compile(r"nvidia-|cuda-|triton")
    assert [name for name in (*lock("course"), *lock("test")) if gpu.match(name)] == []
    assert all(gpu.match(name) for name in lock("gpu"))


def test_the_environment_has_the_pinned_versions() -> None:
    locked = lock("course") | lock("test")
    assert {name: version(name).split("+")[0] for name in locked} == locked


def test_every_package_accepts_every_python_3_11() -> None:
    """Debian 12's Python is 3.11.2; a package that needs a later patch release cannot be installed there."""
    pythons = {name: distribution(name).metadata["Requires-Python"] or "" for name in lock("course") | lock("test")}
    assert {name: python for name, python in pythons.items() if "3.11.0" not in SpecifierSet(python)} == {}


def test_a_lock_is_split_by_the_need_for_each_package() -> None:
    module = load("lock")
    hashes = " \\\n    --hash=sha256:" + "0" * 64
    course = dict.fromkeys(["torch==2.13.0", "triton==3.7.1", "nvidia-nvtx==1"], hashes)
    locks = module.split(course, {**course, "ruff==0.17.5": hashes})
    assert {name: list(entries) for name, entries in locks.items()} == {
        "course": ["torch==2.13.0"],
        "test": ["ruff==0.17.5"],
        "cpu": ["torch==2.13.0+cpu"],
        "gpu": ["triton==3.7.1", "nvidia-nvtx==1"],
    }
    assert module.parse("# a comment\n" + module.render(locks["course"])) == locks["course"]


def test_progress_follows_the_output_of_pip() -> None:
    progress = load("install").Progress(3)
    for line in (
        "Collecting absl-py==2.5.1 (from -r course.lock (line 3))\n",
        "  Downloading absl_py-2.5.1-py3-none-any.whl (137 kB)\n",
        "Processing /wheels/aiosignal-1.4.0-py3-none-any.whl (from -r course.lock (line 6))\n",
    ):
        progress.read(line)
    assert str(progress) == "fetched 2 of 3 packages, now aiosignal"
    progress.read("Installing collected packages: absl-py, aiosignal\n")
    assert str(progress) == "unpacked 0 of 3 packages"


def test_a_failed_installation_ends_with_the_output_of_pip() -> None:
    module = load("install")
    with pytest.raises(module.PipError, match="no such option"):
        module.pip("install", "--no-such-option")
