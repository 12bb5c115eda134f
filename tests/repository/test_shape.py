"""The shape of the source tree: every service has the same parts, folders stay small, and imports have no cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from pathlib import Path

import pytest

from minipdk.cluster.services import SERVICES
from minipdk.common.service import Service

SRC = Path(__file__).parents[2] / "src"
MOST_MODULES = 20

EVERY_SERVICE = ("__init__.py", "service.py", "server.py", "errors.py")
WITH_A_PROTOCOL = ("api/", "messages.py", "model.py", "store.py or store/")
SYSTEMS = {"pachyderm": ("pfs", "pps", "s3")}
"""Services of several systems: each of these has a protocol, and the service has the rest."""


def missing_parts(folder: Path, parts: tuple[str, ...]) -> list[str]:
    """The ``parts`` that ``folder`` lacks, by their names."""
    return [part for part in parts if not any((folder / name).exists() for name in part.split(" or "))]


def lacking(service: Service, services: Path) -> list[str]:
    """Every part of the inner shape that ``service`` lacks, as a path below ``services``.

    A controller keeps its state in the Kubernetes API: it has no protocol and no store.
    """
    parts = [f"{service.name}/{part}" for part in missing_parts(services / service.name, EVERY_SERVICE)]
    if not service.process:
        for system in SYSTEMS.get(service.name, ("",)):
            name = f"{service.name}/{system}".rstrip("/")
            parts += [f"{name}/{part}" for part in missing_parts(services / name, WITH_A_PROTOCOL)]
    return parts


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_has_every_part_of_the_shape(service: Service) -> None:
    assert lacking(service, SRC / "minipdk" / "services") == []


def test_a_service_that_lacks_a_part_fails_with_its_name(tmp_path: Path) -> None:
    for part in ("__init__.py", "service.py", "server.py", "errors.py", "messages.py", "model.py"):
        (tmp_path / "kafka").mkdir(exist_ok=True)
        (tmp_path / "kafka" / part).touch()
    assert lacking(Service("kafka", "Kafka"), tmp_path) == ["kafka/api/", "kafka/store.py or store/"]
    assert lacking(Service("kafka", "Kafka", process="serving"), tmp_path) == []


def test_every_folder_of_services_is_a_service_of_the_cluster() -> None:
    folders = {path.parent.name for path in (SRC / "minipdk" / "services").glob("*/__init__.py")}
    assert folders == {service.name for service in SERVICES}


@pytest.mark.parametrize("name", ["api", "messages"])
def test_the_protocol_knows_no_sql(name: str) -> None:
    protocol = [path for path in SRC.rglob("*.py") if name in (path.parent.name, path.stem) and "services" in path.parts]
    assert protocol
    assert [str(path.relative_to(SRC)) for path in protocol if ".execute(" in path.read_text()] == []


def test_no_folder_has_more_modules_than_a_reader_can_survey() -> None:
    folders = {path.parent for path in SRC.rglob("*.py")}
    sizes = {str(folder.relative_to(SRC)): len(list(folder.glob("*.py"))) - 1 for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


@dataclass
class Graph:
    """The imports between modules, wherever in a module they are made."""

    imports: dict[str, set[str]] = field(default_factory=dict)

    @staticmethod
    def read(root: Path) -> Graph:
        files = {_module_name(path.relative_to(root)): path for path in root.rglob("*.py")}
        return Graph({name: set(_imported(name, path, files)) for name, path in files.items()})

    def cycles(self) -> list[list[str]]:
        """Groups of modules that import each other, found by Tarjan's algorithm."""
        index: dict[str, int] = {}
        low: dict[str, int] = {}
        stack: list[str] = []
        groups: list[list[str]] = []

        def visit(module: str) -> None:
            index[module] = low[module] = len(index)
            stack.append(module)
            for other in self.imports[module]:
                if other not in index:
                    visit(other)
                    low[module] = min(low[module], low[other])
                elif other in stack:
                    low[module] = min(low[module], index[other])
            if low[module] == index[module]:
                group = [stack.pop()]
                while group[-1] != module:
                    group.append(stack.pop())
                groups.append(sorted(group))

        for module in self.imports:
            if module not in index:
                visit(module)
        return [group for group in groups if len(group) > 1]


def _module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(name: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            imported = {f"{module}.{alias.name}" for alias in node.names}
            yield from imported & files.keys() or {module} & files.keys()


def test_imports_have_no_cycles_deferred_ones_included() -> None:
    assert Graph.read(SRC).cycles() == []


def test_a_deferred_cycle_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def late():\n    import b\n")
    (tmp_path / "b.py").write_text("from a import late\n")
    (tmp_path / "c.py").write_text("import a\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "__init__.py").write_text("")
    (tmp_path / "d" / "e.py").write_text("from . import f\n")
    (tmp_path / "d" / "f.py").write_text("from .e import f\n")
    assert sorted(Graph.read(tmp_path).cycles()) == [["a", "b"], ["d.e", "d.f"]]
