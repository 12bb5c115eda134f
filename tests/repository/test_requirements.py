"""One set of pins: requirements.txt, the locks, pyproject.toml, environment.yml and the environment that runs this."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import distribution, version
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from tests.conftest import wheel

ROOT = Path(__file__).parents[2]
DIRECT = ("requirements.txt", "requirements/test.txt")
LOCKS = ("course", "test", "cpu", "gpu")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;#]+)", re.M)


def pins(file: str) -> dict[str, str]:
    """The pins of a requirements file or lock: canonical name -> version."""
    return {canonicalize_name(name): pin for name, pin in PIN.findall((ROOT / file).read_text())}


def lock(name: str) -> dict[str, str]:
    return pins(f"requirements/{name}.lock")


def tags(name: str) -> str:
    """The tags of an installed package's wheel."""
    return distribution(name).read_text("WHEEL") or ""


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


def test_conda_brings_python_and_pip_the_locks() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert yaml.safe_load(text)["dependencies"] == ["python=3.11", "pip"]
    assert "conda activate pdk-course && python requirements/install.py\n" in text


def test_make_installs_the_locks() -> None:
    def commands(*options: str) -> str:
        dry_run = ["make", "--dry-run", "--always-make", "environment", *options]
        return subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "requirements/install.py --torch cpu\n" in commands()
    assert "requirements/install.py --torch gpu\n" in commands("TORCH=gpu")
    makefile = (ROOT / "Makefile").read_text()
    [sources] = re.findall(r"^\$\(INSTALLED\): ((?:.*\\\n)*.*)", makefile, re.M)
    for name in ("course.lock", "test.lock", "$(TORCH).lock", "overrides.txt", "install.py"):
        assert f"requirements/{name}" in sources


def test_the_locks_agree_with_the_requirements() -> None:
    course = lock("course") | {"torch": lock("gpu")["torch"]}
    test = course | lock("test")
    assert {name: course.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")
    assert {name: test.get(name) for name in pins("requirements/test.txt")} == pins("requirements/test.txt")
    assert lock("cpu") == {"torch": course["torch"] + "+cpu"}
    assert pins("requirements/overrides.txt").items() <= test.items()


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


def test_torch_has_a_cpu_build_for_each_platform() -> None:
    module = load("lock")
    assert len(module.CPU_BUILDS) == len(module.PLATFORMS) == 2
    assert all(build in (ROOT / "requirements" / "cpu.lock").read_text() for build in module.CPU_BUILDS)


def test_torch_and_the_gpu_libraries_are_only_in_their_locks() -> None:
    gpu = re.compile(r"torch$|nvidia-|cuda-|triton")
    assert [name for name in (*lock("course"), *lock("test")) if gpu.match(name)] == []
    assert all(gpu.match(name) for name in lock("gpu"))


def test_the_environment_has_the_pinned_versions() -> None:
    locked = lock("course") | lock("test") | {"torch": lock("gpu")["torch"]}
    assert {name: version(name).split("+")[0] for name in locked} == locked


def test_the_environment_has_pkg_resources() -> None:
    """tensorboard and packages that startup hooks install import it: setuptools 81 has removed it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its end
        importlib.import_module("pkg_resources")


def test_every_package_accepts_every_python_3_11() -> None:
    """Debian 12's Python is 3.11.2; a package that needs a later patch release cannot be installed there."""
    pythons = {name: distribution(name).metadata["Requires-Python"] or "" for name in lock("course") | lock("test")}
    assert {name: python for name, python in pythons.items() if "3.11.0" not in SpecifierSet(python)} == {}


def test_a_lock_is_split_by_the_need_for_each_package() -> None:
    module = load("lock")
    hashes = " \\\n    --hash=sha256:" + "0" * 64
    course = dict.fromkeys(["numpy==1.26.4", "torch==2.13.0", "triton==3.7.1", "nvidia-nvtx==1"], hashes)
    locks = module.split(course, {**course, "ruff==0.17.5": hashes})
    assert {name: list(entries) for name, entries in locks.items()} == {
        "course": ["numpy==1.26.4"],
        "test": ["ruff==0.17.5"],
        "cpu": ["torch==2.13.0+cpu"],
        "gpu": ["torch==2.13.0", "triton==3.7.1", "nvidia-nvtx==1"],
    }
    assert module.parse("# a comment\n" + module.render(locks["course"])) == locks["course"]


def test_a_package_without_a_wheel_for_a_platform_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("lock")
    name, content = wheel("anywhere", "")
    (tmp_path / name).write_bytes(content)
    for platform in ("manylinux_2_17_x86_64", "manylinux_2_17_aarch64"):
        name, content = wheel("intel" if "x86" in platform else "arm", "", tag=f"py3-none-{platform}")
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    (tmp_path / "requirements.txt").write_text("anywhere\n")
    assert [*module.resolve([tmp_path / "requirements.txt"])] == ["anywhere==1.0"]
    (tmp_path / "requirements.txt").write_text("anywhere\nintel\n")
    with pytest.raises(module.LockError, match=r"aarch64-manylinux_2_31: (.|\n)*intel"):
        module.resolve([tmp_path / "requirements.txt"])
    requirements = "intel; platform_machine == 'x86_64'\narm; platform_machine != 'x86_64'\n"
    (tmp_path / "requirements.txt").write_text(requirements)
    with pytest.raises(module.LockError, match=r"the platforms .* differ in arm==1\.0, intel==1\.0"):
        module.resolve([tmp_path / "requirements.txt"])


def test_every_pin_has_a_wheel_for_this_machine() -> None:
    """Installed packages that were built here have no tag of a platform."""
    built = [name for name in lock("course") if "linux_" in tags(name) and "manylinux" not in tags(name)]
    assert built == []


def test_an_installed_package_accepts_the_overrides(tmp_path: Path) -> None:
    info = tmp_path / "kserve-0.14.1.dist-info"
    info.mkdir()
    lines = ["Name: kserve", "Requires-Dist: psutil (>=5.9.6,<6.0.0)", "Requires-Dist: psutil-extra (<6)"]
    lines += ["Requires-Dist: psutil<6; extra == 'é'", "Requires-Dist: numpy (<2)", "", "psutil (>=5.9.6,<6.0.0)"]
    (info / "METADATA").write_text("\n".join(lines), encoding="utf-8")
    load("install").accept_overrides(tmp_path)
    lines[1], lines[3] = "Requires-Dist: psutil", "Requires-Dist: psutil; extra == 'é'"
    assert (info / "METADATA").read_text(encoding="utf-8").splitlines() == lines


def test_a_clone_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reads .pth files in the locale's encoding, so the course's has ASCII alone."""
    module = load("install")
    packages = tmp_path / "é b" / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "é b" / "src" / "course").mkdir(parents=True)
    link = packages / "__editable__.pdk_course-1.0.pth"
    link.write_text(str(tmp_path / "é b" / "src"), encoding="utf-8")
    monkeypatch.setattr(module, "SITE_PACKAGES", packages)
    monkeypatch.setattr(module, "ROOT", tmp_path / "é b")
    module.make_links_relative()
    script = "import site, sys; site.addsitedir(sys.argv[1]); import course; print(ascii(list(course.__path__)))"
    command = [sys.executable, "-I", "-S", "-c", script, str(packages)]
    found = subprocess.run(command, env={"LC_ALL": "C"}, capture_output=True, text=True, check=True).stdout
    assert found.strip() == ascii([str(tmp_path / "é b" / "src" / "course")])


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
